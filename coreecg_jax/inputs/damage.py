"""Damaged shards: told with file and record, or, where that is asked for, read without what is damaged."""

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
    skipped: int  # records
    reasons: tuple[str, ...]  # a sentence each, of those that say where they are
    folder: TemporaryShards | None = None  # of rewritten shards


def salvage(selection: Selection, processes: Processes = ALONE) -> Salvaged:
    """Reads all shards once, each by one of the processes; each that is damaged is replaced, in every
    process, by a temporary copy of its good records.

    The data set itself is not touched. Equal damage gives an equal selection, so that the order of training
    is still a function of (seed, step).

    Raises:
      ValueError: when a shard holds more examples than it should, or all are damaged; in all processes.
    """
    window_samples = selection.preprocessing.window_samples
    shards = list(zip(selection.files, selection.examples, strict=True))
    told = processes.shared(shards, lambda shard: json.dumps(_examined(*shard, window_samples)))
    goods, faults = zip(*(json.loads(text) for text in told))
    if not sum(goods):
        first = next((fault for of_file in faults for fault in of_file), f"{selection.files[0]} is empty")
        raise ValueError(f"all records of {', '.join(selection.names)} are damaged; the first: {first}")
    files, folder = list(selection.files), TemporaryShards() if any(faults) else None

    def copy() -> None:
        for number, path in enumerate(selection.files):
            if folder and faults[number]:
                files[number] = folder.path / f"{number:05d}_{path.name}"
                write_records(files[number], _good_records(path, window_samples))

    processes.each(copy)
    kept = dataclasses.replace(selection, files=tuple(files), examples=goods)
    reasons = tuple(fault for of_file in faults for fault in of_file)
    return Salvaged(kept, selection.num_examples - kept.num_examples, reasons, folder)


def _examined(path: Path, expected: int, window_samples: int) -> tuple[int, list[str]]:
    """The number of good records of a file, and a sentence for each of the others that is met."""
    good, faults = 0, []
    for record in _windows(path, window_samples):
        if isinstance(record, ValueError):
            faults.append(str(record))
        else:
            good += 1
    if (found := good + len(faults)) > expected:
        raise ValueError(
            f"{path}: expected {expected} examples as {DATASET_INFO_FILE} says, got {found}; the files "
            "are not of one run, write or copy the data set again"
        )
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
