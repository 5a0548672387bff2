"""A corpus that was written as one file of rows, read without the shards that it was made of."""

import contextlib
import hashlib
import itertools
import json
import os
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.inputs.selection import Selection, has_data_set, named_splits, one_by_one, select
from coreecg_jax.inputs.together import ALONE, Processes
from coreecg_jax.records.checksums import digest_of_file
from coreecg_jax.records.schema import Preprocessing

ROWS_FILE, SUMS_FILE, NAMES_FILE = "rows.npy", "checksums.npy", "recordings.jsonl"
ABOUT_FILE = "packed.json"
FORMAT = 2  # of the folder; 1 could not be read without the shards

_AGAIN = "delete the folder, so that it is written from the shards again, or copy it again"
_ANOTHER = "or choose another data.packed, where it is written from the shards"

# The rows of a range [first, stop), one after another; each int32 [words].
Rows = Callable[[int, int], Iterator[np.ndarray]]


@dataclass(frozen=True)
class PackedCorpus:
    """A folder that `packing.packed` wrote."""

    folder: Path
    about: Mapping[str, Any]  # as `packing` tells one selection from another
    digest: str  # of what it says and of all of its files but the rows, whose checksums are among them

    @property
    def selection(self) -> Selection:
        """The shards that it was written from, which need not be there."""
        about = self.about
        return Selection(
            files=tuple(Path(name) for name in about["shards"]),
            examples=tuple(about["examples"]),
            preprocessing=Preprocessing.from_json(json.dumps(about["preprocessing"])),
            names=tuple(about["data"]),
            folders=(),
            digests=tuple(about["data"].values()),
        )

    @property
    def skipped(self) -> int:
        """Damaged records that were left out when it was written."""
        return self.about["skipped"]

    @property
    def long_enough(self) -> np.ndarray:
        """Of each record whether it has a row; bool[examples]."""
        usable = np.ones(sum(self.about["examples"]), bool)
        usable[self.about["too_short"]] = False
        return usable

    def names(self, rows: np.ndarray) -> list[str]:
        """'ptbxl/00123, window 0' of each of some rows.

        Raises:
          FileNotFoundError, ValueError: when the file of names is gone, or is not what it was.
        """
        wanted, path = set(rows.tolist()), _there(self.folder / NAMES_FILE)
        with _named(path), path.open(encoding="utf-8") as lines:
            read = itertools.islice(lines, max(wanted, default=-1) + 1)
            names = {number: json.loads(line) for number, line in enumerate(read) if number in wanted}
            if lacking := wanted - names.keys():
                raise ValueError(f"no name of row {min(lacking)}")
        return [names[row] for row in rows.tolist()]

    def rows(self, first: int, stop: int) -> Iterator[np.ndarray]:
        """The rows of a range, mapped into memory, each compared with its checksum.

        Raises:
          FileNotFoundError, ValueError: when a file is missing, cut short or damaged.
        """
        rows_RW, sums_R = _rows_of(self.folder, self.about), _mapped(self.folder / SUMS_FILE)
        for number in range(first, stop):
            if checksum(rows_RW[number]) != sums_R[number]:
                where = f"{self.folder / ROWS_FILE}, row {number} ({self._name(number)})"
                raise ValueError(f"{where}: wrong checksum; {_AGAIN}")
            yield rows_RW[number]

    def _name(self, row: int) -> str:
        try:
            return self.names(np.array([row]))[0]
        except (OSError, ValueError):
            return "its name cannot be read"

    def require_asked(self, root: Path | str, spec: str) -> None:
        """Raises ValueError when it was not written from the data that `spec` names.

        A data set that is below `root` must be the one it was written from; its shards need not be there.
        """
        if (splits := named_splits(spec)) != tuple(self.about["splits"]):
            held = ", ".join(self.about["splits"])
            raise ValueError(
                f"{self.folder} holds the windows of {held}, data.train names {', '.join(splits)}: set "
                f"data.train to what it holds, {_ANOTHER}"
            )
        for name, part in one_by_one(spec).items():
            if not has_data_set(root, name):
                continue
            there = select(root, part, shards=False)
            told = {file.name: count for file, count in zip(there.files, there.examples)}
            differing = {
                "manifest": there.manifest_digests()[name] != self.about["data"][name],
                "shards": told != self.about["told"][name],
                "preprocessing": json.loads(there.preprocessing.to_json()) != self.about["preprocessing"],
            }
            if any(differing.values()):
                what = ", ".join(field for field, differs in differing.items() if differs)
                raise ValueError(
                    f"{self.folder} was written from other data than there are in {root}: {what} of {name!r} "
                    f"differ; set data.root to those data, {_ANOTHER}"
                )

    def require_windows(self, min_length: int, on_corrupt: str) -> None:
        """Raises ValueError when it does not hold exactly the windows that are asked for.

        Args:
          min_length: of a window, in samples.
          on_corrupt: what a damaged record does.
        """
        if min_length != self.about["min_length"]:
            raise ValueError(
                f"{self.folder} holds windows of at least {self.about['min_length']} samples, "
                f"data.crop_seconds asks for {min_length}: set it as it was, {_ANOTHER}"
            )
        if self.skipped and on_corrupt == "error":
            raise ValueError(
                f"{self.folder} was written without {self.skipped} damaged records: set "
                f"data.on_corrupt=skip, or mend the shards and delete the folder, {_ANOTHER}"
            )


def checksum(row_W: np.ndarray) -> int:
    """CRC-32 of a row."""
    return zlib.crc32(row_W.data)


def sealed(folder: Path, about: Mapping[str, Any]) -> str:
    """The text of `ABOUT_FILE`, when the other files are written: what they hold, with digests of it all."""
    files = {name: digest_of_file(folder / name) for name in (SUMS_FILE, NAMES_FILE)}
    return json.dumps({"about": about, "files": files, "digest": _digest(about, files)})


def is_there(folder: Path) -> bool:
    """Whether there is such a folder."""
    # Listed, not asked for by name: a network file system remembers for a while what was not there.
    return folder.parent.is_dir() and folder.name in os.listdir(folder.parent)


def opened(folder: Path) -> PackedCorpus:
    """The corpus in a folder; that its files are there and go together is seen, rows are not read.

    Raises:
      FileNotFoundError, ValueError: when it is not one that this version reads, or is damaged.
    """
    path = folder / ABOUT_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} has no {ABOUT_FILE}: expected a corpus that a run wrote there, or nothing; choose "
            "another data.packed"
        )
    with _named(path):
        said = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(said, dict) or said.keys() != {"about", "files", "digest"}:
        raise ValueError(f"{folder}: expected a corpus of format {FORMAT}, got another; {_AGAIN}")
    about, files = said["about"], said["files"]
    if _digest(about, files) != said["digest"]:
        raise ValueError(f"{path} is damaged (it has another digest than it says); {_AGAIN}")
    if about["format"] != FORMAT:
        raise ValueError(f"{folder}: expected a corpus of format {FORMAT}, got {about['format']}; {_AGAIN}")
    for name, digest in files.items():
        if digest_of_file(_there(folder / name)) != digest:
            raise ValueError(f"{folder / name} is damaged (it has another digest than it had); {_AGAIN}")
    _rows_of(folder, about)
    return PackedCorpus(folder, about, said["digest"])


def found(
    folder: Path | str, root: Path | str, spec: str, processes: Processes = ALONE
) -> PackedCorpus | None:
    """The corpus in a folder where all processes have it, each where it looks; else None.

    Raises:
      FileNotFoundError, ValueError: as `opened` and `require_asked`, where one has it; when the processes
        have different ones. In all.
    """
    folder = Path(folder)
    there = processes.told(lambda: "there" if is_there(folder) else "")

    def mine() -> PackedCorpus | None:
        if not there[processes.number]:
            return None
        corpus = opened(folder)
        corpus.require_asked(root, spec)
        return corpus

    corpus = processes.each(mine)
    if corpus is None or not all(there):
        return None
    processes.require_same(f"the corpus in {folder}", f"one of SHA-256 {corpus.digest[:12]}")
    return corpus


def _digest(about: Any, files: Any) -> str:
    return hashlib.sha256(json.dumps([about, files], sort_keys=True).encode()).hexdigest()


def _rows_of(folder: Path, about: Mapping[str, Any]) -> np.ndarray:
    """Mapped; int32 of the shape that is said."""
    path, shape = folder / ROWS_FILE, tuple(about["shape"])
    rows_RW = _mapped(path)
    if (rows_RW.shape, rows_RW.dtype) != (shape, np.int32):
        raise ValueError(f"{path}: expected int32 {shape}, got {rows_RW.dtype} {rows_RW.shape}; {_AGAIN}")
    return rows_RW


def _mapped(path: Path) -> np.ndarray:
    with _named(_there(path)):
        return np.load(path, mmap_mode="r").view(np.ndarray)


def _there(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; {_AGAIN}")
    return path


@contextlib.contextmanager
def _named(path: Path) -> Generator[None]:
    """Names the file that cannot be read."""
    try:
        yield
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged ({error}); {_AGAIN}") from error
