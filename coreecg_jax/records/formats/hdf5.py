"""One array of an HDF5 file, by h5py: shape and type are looked at before anything is read.

Links to other files, virtual data sets and external storage are refused: what a file says must stand in it.
"""

import contextlib
import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.records.formats.limits import MAX_VALUES, check_file, check_values, need
from coreecg_jax.records.refusals import Reason, RecordingRefused

_MAX_CHUNK_BYTES = 1 << 28


def read_matrix(path: Path, dataset: str, row: int | None = None) -> np.ndarray:
    """float64, two-dimensional: a whole data set of two axes, or with `row` one entry of one of three.

    Raises:
      RecordingRefused: when the file cannot be read, or holds no such numbers.
      MissingPackage: without h5py.
    """
    with _opened(path, dataset) as found:
        axes = 2 if row is None else 3
        if found.ndim != axes or (row is not None and not 0 <= row < found.shape[0]):
            raise RecordingRefused(
                Reason.UNREADABLE,
                f"{path.name}: expected {dataset!r} with {axes} axes, got shape {found.shape}"
                + ("" if row is None else f", row {row}"),
            )
        check_values(path.name, *sorted(found.shape[-2:]))  # the longer axis may be the first
        return np.asarray(found[...] if row is None else found[row], np.float64)


def read_column(path: Path, dataset: str) -> np.ndarray:
    """int64 (N,) of a data set with one axis.

    Raises:
      RecordingRefused: when the file cannot be read, or holds no such numbers.
      MissingPackage: without h5py.
    """
    with _opened(path, dataset) as found:
        if found.ndim != 1 or found.dtype.kind not in "iu" or found.size > MAX_VALUES:
            raise RecordingRefused(
                Reason.UNREADABLE, f"{path.name}: expected whole numbers in {dataset!r}, got {found}"
            )
        return np.asarray(found[...], np.int64)


@contextlib.contextmanager
def _opened(path: Path, dataset: str) -> Generator[Any]:
    """The data set while the file is open; whatever goes wrong with it meanwhile is a refusal."""
    h5py = need("h5py", path.name)
    check_file(path, math.inf)  # a file of many recordings may be of any size: one is read at a time
    try:
        with h5py.File(path, "r") as file:
            yield _dataset(h5py, file, path.name, dataset)
    except RecordingRefused:
        raise
    except Exception as error:  # h5py raises whatever HDF5 or numpy stumble over
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {type(error).__name__}: {error}") from error


def _dataset(h5py: Any, file: Any, name: str, dataset: str) -> Any:
    """The data set, when it stands in this very file and holds numbers."""
    group = file
    for part in dataset.split("/"):
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise RecordingRefused(
                Reason.OUTSIDE_FOLDER if part in group else Reason.UNREADABLE,
                f"{name}: expected the data set {dataset!r} in the file itself; there are "
                f"{', '.join(list(group)[:8])}",
            )
        group = group[part]
    if not isinstance(group, h5py.Dataset) or group.dtype.kind not in "iuf" or group.dtype.itemsize > 8:
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: expected numbers in {dataset!r}, got {group}")
    if group.is_virtual or group.external:
        raise RecordingRefused(Reason.OUTSIDE_FOLDER, f"{name}: {dataset!r} lies in other files")
    if group.chunks and int(np.prod(group.chunks, dtype=object)) * group.dtype.itemsize > _MAX_CHUNK_BYTES:
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: {dataset!r} has chunks of {group.chunks}")
    return group
