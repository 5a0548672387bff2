"""Evenly spaced crops of windows, and the mean over them: one vector a recording."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np


class Crops(NamedTuple):
    """Crops of windows, one an entry; all arrays have shape (C,)."""

    row: np.ndarray  # int64, of the window
    start: np.ndarray  # int64, sample
    length: np.ndarray  # int32, valid samples
    owner: np.ndarray  # int64, number of the recording
    weight: np.ndarray  # float64, share in the mean of the recording

    def take(self, index: np.ndarray) -> "Crops":
        """Those at `index`."""
        return Crops(*(array[index] for array in self))


def crop_starts(length: int, samples: int, crops: int) -> list[int]:
    """Where evenly spaced crops of a window start, from 0 to length - samples; 0 alone in a short window."""
    room = length - samples
    return np.unique(np.linspace(0, room, crops).round().astype(int)).tolist() if room > 0 else [0]


def plan_crops(length_X: np.ndarray, owner_X: np.ndarray, *, samples: int, crops: int) -> Crops:
    """All crops of X windows; windows of a recording count alike, and so do crops of a window.

    Args:
      length_X: valid samples of each window.
      owner_X: number of the recording of each window.
      samples: of a crop; a shorter window gives one crop, which its valid length cuts short.
      crops: of a window that is longer.
    """
    windows = np.bincount(owner_X)
    rows = [
        (row, start, min(samples, length - start), owner, 1.0 / (len(starts) * windows[owner]))
        for row, (length, owner) in enumerate(zip(length_X.tolist(), owner_X.tolist(), strict=True))
        for starts in [crop_starts(length, samples, crops)]
        for start in starts
    ]
    row, start, length, owner, weight = (np.array(column) for column in zip(*rows, strict=True))
    return Crops(row, start, length.astype(np.int32), owner, weight)


def cut_crops(ecg_XLW: np.ndarray, crops: Crops, samples: int) -> np.ndarray:
    """The signal of crops, (C, L, samples) of the same dtype; zeros after the valid length."""
    ecg_CLT = np.zeros((len(crops.row), ecg_XLW.shape[1], samples), ecg_XLW.dtype)
    for number, (row, start, length) in enumerate(zip(crops.row, crops.start, crops.length)):
        ecg_CLT[number, :, :length] = ecg_XLW[row, :, start : start + length]
    return ecg_CLT


def mean_over_crops(
    represent: Callable[[Crops], Any], crops: Crops, *, batch_size: int, side_by_side: int = 1
) -> np.ndarray:
    """float32[R, F], recordings in the order of their numbers.

    Args:
      represent: crops -> (C, F). It is always given `batch_size` of them, the last one repeated, so that what
        is compiled inside is compiled once.
      crops: at least one of each recording.
      batch_size: crops that are computed at once.
      side_by_side: batches that are computed at a time, each by a thread; their order changes nothing.
    """
    count, total = len(crops.row), np.zeros(0)

    def features_of(first: int) -> np.ndarray:
        filled = crops.take(np.minimum(np.arange(first, first + batch_size), count - 1))
        return np.asarray(represent(filled), np.float64)

    firsts = range(0, count, batch_size)
    with ThreadPoolExecutor(side_by_side) as threads:
        computed = map(features_of, firsts) if side_by_side == 1 else threads.map(features_of, firsts)
        for first, features in zip(firsts, computed, strict=True):
            part = crops.take(np.arange(first, min(first + batch_size, count)))
            total = total if total.size else np.zeros((crops.owner.max() + 1, features.shape[1]))
            np.add.at(total, part.owner, features[: len(part.row)] * part.weight[:, None])
    return total.astype(np.float32)
