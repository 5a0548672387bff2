"""One shard, from its recordings to a file under its final name: the unit of work, whoever runs it.

Memory holds one recording and the order of the examples, so it does not grow with the shard. What is
unfinished has a temporary name. A shard is finished when its note is there, which comes last.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import uuid
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from coreecg_jax.records.databases.listing import Listed, Read
from coreecg_jax.records.one_recording import Outcome, Settings, process
from coreecg_jax.records.plan import Shard
from coreecg_jax.records.record_file import framed
from coreecg_jax.records.shards import Lengths, encoder, hash_of
from coreecg_jax.records.spill import Spill

DATA, PARTS = "data", "parts"  # folders: of shards, of their lines of the manifest and their notes
TEMPORARY = ".unfinished-"


class Written(NamedTuple):
    """A finished shard, as its note says."""

    file: str
    recordings: int  # read or refused
    lengths: Lengths
    size: int  # bytes of the file; a shard without examples has none
    sha256: str


@dataclasses.dataclass(frozen=True)
class Work:
    """What a process must know to write any shard of a data set. Picklable."""

    name: str
    read: Read
    settings: Settings
    folder: Path  # with DATA and PARTS
    source: Path | None = None  # folder of the recordings, where there is one

    def outcome(self, listed: Listed) -> Outcome:
        """What becomes of one recording."""
        return process(listed, self.read, self.name, self.settings)

    def write(self, shard: Shard, outcomes: Iterable[Outcome] | None = None) -> Written:
        """Writes a shard, from outcomes that were made elsewhere, or makes them.

        Raises:
          OSError: when the disk is full, or the source is no longer there.
        """
        parts = self.folder / PARTS
        outcomes = map(self.outcome, shard.recordings) if outcomes is None else outcomes
        encode, hashed = encoder(self.settings.preprocessing.window_samples), hash_of(shard.split)
        total = 0
        with Spill(self.folder) as examples:
            with new_file(parts / f"{shard.file}.jsonl") as lines:
                for outcome in outcomes:
                    lines.write(json.dumps(outcome.line).encode() + b"\n")
                    for example in outcome.examples:
                        record = encode(example)
                        examples.add(hashed(f"{example['recording_id']}#{example['window']}"), record)
                        total += len(record)
                self._require_source()
            lengths = Lengths(len(examples), total)
            size, sha256 = _write_file(self.folder / DATA / shard.file, examples)
        written = Written(shard.file, len(shard.recordings), lengths, size, sha256)
        with new_file(parts / f"{shard.file}.json") as note:
            note.write(json.dumps(written).encode())
        return written

    def _require_source(self) -> None:
        """Without it every recording would be refused as one that cannot be read."""
        if self.source is not None and not (self.source.is_dir() and any(self.source.iterdir())):
            raise FileNotFoundError(
                f"{self.source} is no longer there, or empty: bring it back and run the same command again, "
                "which goes on with the shards that are finished"
            )


def _write_file(path: Path, examples: Spill) -> tuple[int, str]:
    """Writes the examples in order; the bytes and the SHA-256 of the file, which is not there without any."""
    size, digest = 0, hashlib.sha256()
    if len(examples):
        with new_file(path) as file:
            for record in examples.in_order():
                piece = framed(record)
                file.write(piece)
                digest.update(piece)
                size += len(piece)
    return size, digest.hexdigest()


def finished(folder: Path, shard: Shard) -> Written | None:
    """The note of a shard, when it is finished and its files are as large as they were."""
    try:
        file, recordings, lengths, size, sha256 = json.loads(note_of(folder, shard).read_bytes())
        written = Written(file, recordings, Lengths(*lengths), size, sha256)
        there = (folder / DATA / shard.file).stat().st_size if written.lengths.examples else 0
        whole = there == size and lines_of(folder, shard).is_file()
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return written if whole and (file, recordings) == (shard.file, len(shard.recordings)) else None


def note_of(folder: Path, shard: Shard) -> Path:
    """Where it stands that a shard is finished."""
    return folder / PARTS / f"{shard.file}.json"


def lines_of(folder: Path, shard: Shard) -> Path:
    """The lines of the manifest of the recordings of a shard, in the order of the listing."""
    return folder / PARTS / f"{shard.file}.jsonl"


@contextlib.contextmanager
def new_file(path: Path) -> Generator[BinaryIO]:
    """A file that has its name when it is complete and on the disk, and is not there otherwise."""
    temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
