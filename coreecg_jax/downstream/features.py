"""From recordings to one feature vector each, by any frozen representation."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.normalisation import MILLIVOLTS_PER_STORED_UNIT
from coreecg_jax.records.conditioning import crop_starts

# (ecg_BLT float32 mV, available_BL bool, length_B int32) -> float32 (B, F); a pure function of its arguments.
Represent = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
# Recordings -> float32 (R, F), one row a recording in the order of first appearance.
Extract = Callable[[Recordings], np.ndarray]


class _Crop(NamedTuple):
    row: int  # of the window in the recordings
    start: int  # sample
    weight: float  # share in the mean of its recording


def recording_rows(recordings: Recordings) -> np.ndarray:
    """For each window the number of its recording, counted in the order of first appearance; int (n,)."""
    numbers: dict[tuple[str, str], int] = {}
    pairs = zip(recordings.source.tolist(), recordings.recording_id.tolist(), strict=True)
    return np.array([numbers.setdefault(pair, len(numbers)) for pair in pairs], np.int64)


def first_rows(recordings: Recordings) -> np.ndarray:
    """The row of the first window of each recording, in the order of `crop_features`; int (R,)."""
    return np.unique(recording_rows(recordings), return_index=True)[1]


def first_windows(recordings: Recordings) -> Recordings:
    """One row a recording, its first window, in the order of `crop_features`: for labels and identities."""
    return recordings.take(first_rows(recordings))


def crop_features(
    represent: Represent,
    recordings: Recordings,
    *,
    crop_seconds: float,
    crops: int = 3,
    batch_size: int = 64,
) -> np.ndarray:
    """One vector a recording: the mean over `crops` evenly spaced crops of each of its windows.

    Crops start at 0 … length − crop. A window that is no longer than a crop gives one, padded with zeros; its
    valid length is handed to `represent`. All windows of a recording count alike.

    Args:
      represent: best under `jax.jit`, its parameters as arguments: all batches have one shape (the last is
        filled up with copies), so it compiles once.
      recordings: n windows of R recordings.

    Returns:
      float32 (R, F), recordings in the order of first appearance (`first_windows` has their labels).

    Raises:
      ValueError: when a number is not positive, or a feature is not finite.
    """
    samples = round(crop_seconds * recordings.preprocessing.sampling_rate)
    if min(samples, crops, batch_size) < 1:
        raise ValueError(
            f"crop features: expected positive crop_seconds, crops and batch_size, got {crop_seconds:g} s, "
            f"{crops} and {batch_size}"
        )
    owner = recording_rows(recordings)
    plan = list(_plan(recordings, owner, samples, crops))
    total: np.ndarray | None = None
    for first in range(0, len(plan), batch_size):
        part = plan[first : first + batch_size]
        filled = part + [part[-1]] * (batch_size - len(part))
        features = np.asarray(represent(*_arrays(recordings, filled, samples)), np.float64)[: len(part)]
        total = np.zeros((owner.max() + 1, features.shape[1])) if total is None else total
        rows = owner[[crop.row for crop in part]]
        np.add.at(total, rows, features * np.array([crop.weight for crop in part])[:, None])
    if total is None or not np.isfinite(total).all():
        raise ValueError("crop features: expected finite features of at least one recording")
    return total.astype(np.float32)


def _plan(recordings: Recordings, owner: np.ndarray, samples: int, crops: int) -> Iterator[_Crop]:
    """Every crop to be taken."""
    windows = np.bincount(owner)
    for row, length in enumerate(recordings.length.tolist()):
        starts = crop_starts(length, samples, crops)
        for start in starts:
            yield _Crop(row, start, 1.0 / (len(starts) * windows[owner[row]]))


def _arrays(
    recordings: Recordings, crops: list[_Crop], samples: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arguments of `represent`: millivolts (B, 12, T), availability (B, 12), valid samples (B,)."""
    rows = [crop.row for crop in crops]
    ecg_BLT = np.zeros((len(crops), recordings.ecg.shape[1], samples), np.float32)
    length_B = np.zeros(len(crops), np.int32)
    for number, crop in enumerate(crops):
        end = min(crop.start + samples, int(recordings.length[crop.row]))
        length_B[number] = end - crop.start
        ecg_BLT[number, :, : end - crop.start] = recordings.ecg[crop.row, :, crop.start : end]
    unit = MILLIVOLTS_PER_STORED_UNIT * recordings.preprocessing.microvolts_per_unit
    return ecg_BLT * np.float32(unit), recordings.available[rows], length_B
