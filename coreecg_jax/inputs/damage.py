"""Damaged shards: told with file and record, or, where that is asked for, read without what is damaged."""

import dataclasses
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

from coreecg_jax.inputs.examples import decode_window
from coreecg_jax.inputs.selection import DATASET_INFO_FILE, Selection
from coreecg_jax.inputs.tfrecord import walk_records
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
    skipped: int  # records
    reasons: tuple[str, ...]  # a sentence each, of those that say where they are
    folder: TemporaryShards | None = None  # of rewritten shards


def salvage(selection: Selection) -> Salvaged:
    """Reads all shards once; each that is damaged is replaced by a temporary copy of its good records.

    The data set itself is not touched. Equal damage gives an equal selection, so that the order of training
    is still a function of (seed, step).

    Raises:
      ValueError: when a shard holds more examples than it should, or all are damaged.
    """
    window_samples = selection.preprocessing.window_samples
    folder: TemporaryShards | None = None
    files, counts, reasons = [], [], []
    for number, (path, expected) in enumerate(zip(selection.files, selection.examples, strict=True)):
        good, faults = _examined(path, window_samples)
        if (found := good + len(faults)) > expected:
            raise ValueError(
                f"{path}: expected {expected} examples as {DATASET_INFO_FILE} says, got {found}; the files "
                "are not of one run, write or copy the data set again"
            )
        if faults:
            folder = folder or TemporaryShards()
            files.append(folder.path / f"{number:05d}_{path.name}")
            write_records(files[-1], _good_records(path, window_samples))
        else:
            files.append(path)
        counts.append(good)
        reasons += faults
    if not sum(counts):
        raise ValueError(f"all records of {', '.join(selection.names)} are damaged; the first: {reasons[0]}")
    kept = dataclasses.replace(selection, files=tuple(files), examples=tuple(counts))
    return Salvaged(kept, selection.num_examples - kept.num_examples, tuple(reasons), folder)


def _examined(path: Path, window_samples: int) -> tuple[int, list[str]]:
    """The number of good records of a file, and a sentence for each of the others that is met."""
    good, faults = 0, []
    for record in _windows(path, window_samples):
        if isinstance(record, ValueError):
            faults.append(str(record))
        else:
            good += 1
    return good, faults


def _windows(path: Path, window_samples: int) -> Iterator[bytes | ValueError]:
    """The records of a file, with an error for each that is not a window."""
    for number, record in enumerate(walk_records(path), start=1):
        if isinstance(record, ValueError):
            yield record
            continue
        try:
            decode_window(record, window_samples)
        except ValueError as error:
            yield ValueError(f"{path}, record {number}: {error}")
        else:
            yield record


def _good_records(path: Path, window_samples: int) -> Iterator[bytes]:
    return (record for record in _windows(path, window_samples) if isinstance(record, bytes))
