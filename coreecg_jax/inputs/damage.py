"""Damaged shards: told with file and record, or, where that is asked for, read without what is damaged."""

import collections
import dataclasses
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

from coreecg_jax.inputs.examples import decode_window
from coreecg_jax.inputs.selection import DATASET_INFO_FILE, Selection
from coreecg_jax.inputs.tfrecord import walk_records
from coreecg_jax.inputs.together import ALONE, Processes
from coreecg_jax.records.record_file import write_records

ON_CORRUPT = ("error", "skip")


class TemporaryShards:
    """A folder that is removed with this object, or at the end of the process."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="coreecg_salvaged_"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class Salvaged:
    """A selection without what is damaged of it."""

    selection: Selection
    whole: Selection  # what it would be
    skipped: int = 0  # records
    reasons: tuple[str, ...] = ()  # a sentence each, of those that say where they are
    folder: TemporaryShards | None = None  # of rewritten shards


@dataclasses.dataclass
class _Found:
    """What a file holds, as far as it was read."""

    good: int = 0  # records
    faults: dict[int, str] = dataclasses.field(default_factory=dict)  # sentences, by number of the record

    def told(self) -> str:
        """As JSON."""
        return json.dumps([self.good, list(self.faults.items())])

    @classmethod
    def heard(cls, text: str) -> "_Found":
        """From what was told."""
        good, faults = json.loads(text)
        return cls(good, dict(faults))

    def __str__(self) -> str:
        numbers = [str(number) for number in self.faults]
        named = ", ".join(numbers[:5]) + (", …" if len(numbers) > 5 else "")
        return f"{self.good} good records and {len(numbers)} damaged{f' (record {named})' if named else ''}"


def salvage(selection: Selection, processes: Processes = ALONE) -> Salvaged:
    """Reads all shards once, each by one of the processes; each that is damaged is replaced, in every
    process, by a temporary copy of its good records.

    The data set itself is not touched. Equal damage gives an equal selection, so that the order of training
    is still a function of (seed, step).

    Raises:
      OSError: when the copies cannot be written.
      ValueError: when a shard holds more examples than it should, or all are damaged; when a process sees
        other damage in a shard than the one that examined it, as hosts have unlike copies of the data. In all
        processes.
    """
    window_samples = selection.preprocessing.window_samples
    shards = list(zip(selection.files, selection.examples, strict=True))
    told = processes.shared(shards, lambda shard: _examined(*shard, window_samples).told())
    found = [_Found.heard(text) for text in told]
    goods = tuple(of_file.good for of_file in found)
    reasons = tuple(fault for of_file in found for fault in of_file.faults.values())
    if not sum(goods):
        first = next(iter(reasons), f"{selection.files[0]} is empty")
        raise ValueError(f"all records of {', '.join(selection.names)} are damaged; the first: {first}")
    files = list(selection.files)

    def copied() -> TemporaryShards | None:
        # A short file too, though nothing in it is damaged: where another host's is whole, its last records
        # would shift the order of all that follow.
        lacking = [number for number, expected in enumerate(selection.examples) if goods[number] != expected]
        if not lacking:
            return None
        folder = TemporaryShards()
        for number in lacking:
            path = selection.files[number]
            files[number] = folder.path / str(number) / path.name  # of several folders, one name twice
            files[number].parent.mkdir()
            _copy(path, files[number], found[number], window_samples)
        return folder

    folder = processes.each(copied)
    kept = dataclasses.replace(selection, files=tuple(files), examples=goods)
    return Salvaged(kept, selection, selection.num_examples - kept.num_examples, reasons, folder)


def _examined(path: Path, expected: int, window_samples: int) -> _Found:
    """What a file holds."""
    found = _Found()
    collections.deque(_good_records(path, window_samples, found), maxlen=0)
    if (number := found.good + len(found.faults)) > expected:
        raise ValueError(
            f"{path}: expected {expected} examples as {DATASET_INFO_FILE} says, got {number}; the files "
            "are not of one run, write or copy the data set again"
        )
    return found


def _copy(path: Path, copy: Path, told: _Found, window_samples: int) -> None:
    """Writes the good records of a file, which must be those that were told: the process that examined it may
    have read another host's copy."""
    found = _Found()
    write_records(copy, _good_records(path, window_samples, found))
    if (found.good, found.faults.keys()) != (told.good, told.faults.keys()):
        raise ValueError(
            f"{path}: expected {told}, as another process found it, got {found}; the copies of the data set "
            "differ, copy it again to the hosts that have a damaged one"
        )


def _good_records(path: Path, window_samples: int, found: _Found) -> Iterator[bytes]:
    """The records of a file that are windows; all are noted."""
    for number, record in enumerate(walk_records(path), start=1):
        if isinstance(record, ValueError):
            found.faults[number] = str(record)
            continue
        try:
            decode_window(record, window_samples)
        except ValueError as error:
            found.faults[number] = f"{path}, record {number}: {error}"
        else:
            found.good += 1
            yield record
