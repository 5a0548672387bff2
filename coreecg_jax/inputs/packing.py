"""Training windows as rows of numbers, for a corpus that lives in the devices' memory.

A row is int32: the samples of all leads, two a word, then length, patient and the available leads as bits.
One array of one type is divided, gathered and sent between devices as a whole (NCCL knows no int16).

Rows come from the shards, without TensorFlow, or from one file that was written from them (`packed`).
"""

import contextlib
import errno
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.inputs.batch import available_leads
from coreecg_jax.inputs.examples import decode_all, decode_window, name_of
from coreecg_jax.inputs.packed_corpus import (
    ABOUT_FILE,
    FORMAT,
    NAMES_FILE,
    ROWS_FILE,
    SUMS_FILE,
    Rows,
    checksum,
    is_there,
    opened,
    sealed,
)
from coreecg_jax.inputs.selection import named_splits
from coreecg_jax.inputs.together import ALONE, Processes
from coreecg_jax.inputs.training_windows import TrainingWindows
from coreecg_jax.records.leads import LEADS

AFTER_SAMPLES = 3  # words: length, patient, available leads
_TILE_WORDS = 128  # of a TPU

# Of a mark: this process may not write there, though others may.
_REFUSALS = (errno.EROFS, errno.EACCES, errno.EPERM)


def words_of(window_samples: int) -> int:
    """Words of a row."""
    return len(LEADS) * window_samples // 2 + AFTER_SAMPLES


def padded_words_of(window_samples: int) -> int:
    """Words of a row as it lies on a device: whole tiles of a TPU, which lays rows of another length out by
    column and then copies the whole corpus to look rows up (seen in what is compiled for a v5e)."""
    return -(-words_of(window_samples) // _TILE_WORDS) * _TILE_WORDS


def rows_of_shards(windows: TrainingWindows) -> Rows:
    """The rows of the windows that are long enough, in the order of the shards; only shards that hold some of
    what is asked for are read."""
    return lambda first, stop: map(_row, _examples(windows, first, stop))


def _examples(windows: TrainingWindows, first: int, stop: int) -> Iterator[dict[str, Any]]:
    """The decoded examples of some rows."""
    selection, kept = windows.selection, windows.order.long_enough
    decode = functools.partial(decode_window, window_samples=selection.preprocessing.window_samples)
    ends = np.cumsum(selection.examples)
    before = np.concatenate([[0], np.cumsum(kept)])  # rows before each record
    for file, end in enumerate(ends):
        start = int(end) - selection.examples[file]
        if before[end] <= first or before[start] >= stop:
            continue
        for number, fields in enumerate(decode_all(selection.only(file), decode), start=start):
            if kept[number] and first <= int(before[number]) < stop:
                yield fields


def packed(folder: Path | str, windows: TrainingWindows, processes: Processes = ALONE) -> Rows:
    """The same rows from a file in `folder`, mapped into memory; written from the shards where it is not.

    It appears by one rename, complete; of two runs that write it at once the first that is done wins. Of the
    processes of a run one writes it on each file system, and the others wait: a host's own disk so gets a
    copy of its own, all hosts at once, and what all hosts share gets one, not one from each, which side by
    side would fill it. Which it is they find out by looking for one another's marks (`_writer`). A lock would
    do on one machine; between machines it depends on the file system and how it is mounted whether it is
    held, refused or taken by each. One that may not write there, as its host has mounted it to be read only,
    reads what another wrote.

    Raises:
      FileNotFoundError: when a process may not write it, and no other has written it where that one looks.
      ValueError: when the folder holds other windows.
      OSError, ValueError: when it cannot be written or a shard is damaged. In all processes, whichever of
        them it concerns.
    """
    if windows.packed is not None:
        return windows.packed.rows
    folder, about = Path(folder), processes.each(lambda: _about(windows))
    there = processes.told(lambda: "there" if is_there(folder) else "")
    if not all(there):
        writer = _writer(folder, bool(there[processes.number]), processes)
        processes.each(lambda: _write(folder, windows, about) if writer == processes.number else None)
    return processes.each(lambda: _rows(folder, about))


def _writer(folder: Path, is_there: bool, processes: Processes) -> int | None:
    """The number of the process that writes for this one, itself or the first that has the same file system;
    None where the file is there, or this process may not write and sees nobody's mark: it may not see it yet.
    """
    with contextlib.ExitStack() as marks:

        def marked() -> str:
            if is_there:
                return ""
            try:
                folder.parent.mkdir(parents=True, exist_ok=True)
                mark = marks.enter_context(
                    tempfile.NamedTemporaryFile(dir=folder.parent, prefix=f"{folder.name}.mark.")
                )
            except OSError as error:
                if error.errno not in _REFUSALS:
                    raise
                return ""
            return Path(mark.name).name

        def looked() -> list[str]:
            return os.listdir(folder.parent) if not is_there and folder.parent.is_dir() else []

        names, seen = processes.told(marked), processes.each(looked)
        return next((number for number, name in enumerate(names) if name in seen), None)


def _rows(folder: Path, about: dict[str, Any]) -> Rows:
    if not is_there(folder):
        raise FileNotFoundError(
            f"{folder} is not there: expected that this process may write it, or another that sees the same "
            f"folder; let one write below {folder.parent}, or choose another data.packed"
        )
    corpus = opened(folder)
    if corpus.about != about:
        raise ValueError(
            f"{folder} holds other windows ({', '.join(_differing(corpus.about, about))} differ): "
            "delete it, or choose another data.packed"
        )
    return corpus.rows


def _write(folder: Path, windows: TrainingWindows, about: dict[str, Any]) -> None:
    # Not named by the process: in containers all have the number 1, and so had the one that was killed.
    new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}.new."))
    new.chmod(0o755)  # as any folder is: others may read the corpus
    try:
        shape, sums_R = tuple(about["shape"]), np.zeros(windows.usable, np.uint32)
        rows_RW = np.lib.format.open_memmap(new / ROWS_FILE, mode="w+", dtype=np.int32, shape=shape)
        with (new / NAMES_FILE).open("w", encoding="utf-8") as names:
            for number, fields in enumerate(_examples(windows, 0, windows.usable)):
                row_W = _row(fields)
                rows_RW[number], sums_R[number] = row_W, checksum(row_W)
                names.write(json.dumps(name_of(fields)) + "\n")
        rows_RW.flush()
        np.save(new / SUMS_FILE, sums_R)
        (new / ABOUT_FILE).write_text(sealed(new, about), encoding="utf-8")
        os.rename(new, folder)
    except BaseException as error:
        shutil.rmtree(new, ignore_errors=True)
        if not (isinstance(error, OSError) and (folder / ABOUT_FILE).is_file()):
            raise


def _about(windows: TrainingWindows) -> dict[str, Any]:
    """What tells one selection from another."""
    selection, whole = windows.selection, windows.salvaged.whole
    told: dict[str, dict[str, int]] = {name: {} for name in whole.names}
    names = dict(zip(whole.folders, whole.names))
    for file, count in zip(whole.files, whole.examples):
        told[names[file.parent]][file.name] = count
    return {
        "format": FORMAT,
        "splits": list(named_splits(windows.spec)),
        "shape": [windows.usable, words_of(selection.preprocessing.window_samples)],
        "data": selection.manifest_digests(),
        "shards": [path.name for path in selection.files],
        "examples": list(selection.examples),
        "told": told,  # examples of each shard by data set, as `dataset_info.json` has them
        "skipped": windows.salvaged.skipped,
        "min_length": windows.min_length,
        "too_short": np.flatnonzero(~windows.order.long_enough).tolist(),
        "preprocessing": json.loads(selection.preprocessing.to_json()),
    }


def _differing(before: Mapping[str, Any], now: dict[str, Any]) -> list[str]:
    return [name for name in now if before.get(name) != now[name]]


def _row(fields: dict[str, Any]) -> np.ndarray:
    """A window as its row."""
    available_L = available_leads(np.asarray(fields["quality"]))
    bits = int((available_L << np.arange(len(LEADS))).sum())
    after = np.array([fields["length"], fields["patient_key"], bits], np.uint32).view(np.int32)
    return np.concatenate([fields["ecg"].reshape(-1).view("<i4"), after])
