"""A corpus that was written as one file of rows, read without the shards that it was made of."""

import contextlib
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
from coreecg_jax.records.schema import Preprocessing

ROWS_FILE, SUMS_FILE, NAMES_FILE = "rows.npy", "checksums.npy", "recordings.jsonl"
ABOUT_FILE = "packed.json"
FORMAT = 2  # of the folder; 1 could not be read without the shards

# The rows of a range [first, stop), one after another; each int32 [words].
Rows = Callable[[int, int], Iterator[np.ndarray]]


@dataclass(frozen=True)
class PackedCorpus:
    """A folder that `packing.packed` wrote."""

    folder: Path
    about: Mapping[str, Any]  # as `packing` tells one selection from another

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
        """'ptbxl/00123, window 0' of each of some rows."""
        wanted = set(rows.tolist())
        with (self.folder / NAMES_FILE).open(encoding="utf-8") as lines:
            read = itertools.islice(lines, max(wanted, default=-1) + 1)
            names = {number: json.loads(line) for number, line in enumerate(read) if number in wanted}
        return [names[row] for row in rows.tolist()]

    def rows(self, first: int, stop: int) -> Iterator[np.ndarray]:
        """The rows of a range, mapped into memory, each compared with its checksum.

        Raises:
          FileNotFoundError, ValueError: when a file is missing, cut short or damaged.
        """
        rows_RW, sums_R = self._mapped(ROWS_FILE, np.int32), self._mapped(SUMS_FILE, np.uint32)
        if len(sums_R) != len(rows_RW) or list(rows_RW.shape) != self.about["shape"]:
            raise ValueError(
                f"{self.folder}: expected {ROWS_FILE} of shape {self.about['shape']} and as many numbers in "
                f"{SUMS_FILE}, got {list(rows_RW.shape)} and {len(sums_R)}; {_REMEDY}"
            )
        for number in range(first, stop):
            if checksum(rows_RW[number]) != sums_R[number]:
                (name,) = self.names(np.array([number]))
                raise ValueError(
                    f"{self.folder / ROWS_FILE}, row {number} ({name}): wrong checksum; {_REMEDY}"
                )
            yield rows_RW[number]

    def require_asked(self, root: Path | str, spec: str) -> None:
        """Raises ValueError when it was not written from the data that `spec` names.

        A data set that is below `root` must be the one it was written from; its shards need not be there.
        """
        if (splits := named_splits(spec)) != tuple(self.about["splits"]):
            raise ValueError(
                f"{self.folder} holds the windows of {', '.join(self.about['splits'])}, data.train names "
                f"{', '.join(splits)}: {_REMEDY}"
            )
        held = dict(zip(self.about["shards"], self.about["examples"]))
        for name, part in one_by_one(spec).items():
            if not has_data_set(root, name):
                continue
            there = select(root, part, shards=False)
            counts = {file.name: count for file, count in zip(there.files, there.examples)}
            if self.skipped:
                counts = {file: held.get(file, 0) for file in counts}  # fewer than the data set says
            differing = {
                "manifest": there.manifest_digests()[name] != self.about["data"][name],
                "shards": not counts.items() <= held.items(),
                "preprocessing": json.loads(there.preprocessing.to_json()) != self.about["preprocessing"],
            }
            if any(differing.values()):
                what = ", ".join(field for field, differs in differing.items() if differs)
                raise ValueError(
                    f"{self.folder} was written from other data than there are in {root}: {what} of {name!r} "
                    f"differ; {_REMEDY}"
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
                f"data.crop_seconds asks for {min_length}: {_REMEDY}"
            )
        if self.skipped and on_corrupt == "error":
            raise ValueError(
                f"{self.folder} was written without {self.skipped} damaged records: set "
                "data.on_corrupt=skip, or mend the shards and delete it"
            )

    def _mapped(self, name: str, dtype: Any) -> np.ndarray:
        path = self.folder / name
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; {_REMEDY}")
        with _named(path):
            array = np.load(path, mmap_mode="r")
        if array.dtype != dtype:
            raise ValueError(f"{path}: expected {np.dtype(dtype)}, got {array.dtype}; {_REMEDY}")
        return array.view(np.ndarray)


_REMEDY = "delete the folder, so that it is written from the shards again, or choose another data.packed"


def checksum(row_W: np.ndarray) -> int:
    """CRC-32 of a row."""
    return zlib.crc32(row_W.data)


def is_there(folder: Path) -> bool:
    """Whether there is such a folder."""
    # Listed, not asked for by name: a network file system remembers for a while what was not there.
    return folder.parent.is_dir() and folder.name in os.listdir(folder.parent)


def opened(folder: Path) -> PackedCorpus:
    """The corpus in a folder.

    Raises:
      FileNotFoundError, ValueError: when it is not one that this version reads.
    """
    path = folder / ABOUT_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} has no {ABOUT_FILE}: expected a corpus that a run wrote there, or nothing; "
            "choose another data.packed"
        )
    with _named(path):
        about = json.loads(path.read_text(encoding="utf-8"))
    if (got := about.get("format", 1)) != FORMAT:
        raise ValueError(f"{folder}: expected a corpus of format {FORMAT}, got {got}; {_REMEDY}")
    return PackedCorpus(folder, about)


def found(folder: Path | str, processes: Processes = ALONE) -> PackedCorpus | None:
    """The corpus in a folder where all processes have it, each where it looks; else None.

    Raises:
      FileNotFoundError, ValueError: as `opened`; when the processes have different ones. In all.
    """
    folder = Path(folder)
    if not all(processes.told(lambda: "there" if is_there(folder) else "")):
        return None
    corpus = processes.each(lambda: opened(folder))
    processes.require_same(f"the corpus in {folder}", json.dumps(corpus.about))
    return corpus


@contextlib.contextmanager
def _named(path: Path) -> Generator[None]:
    """Names the file that cannot be read."""
    try:
        yield
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged ({error}); {_REMEDY}") from error
