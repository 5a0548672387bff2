"""From recordings to one feature vector each, by any frozen representation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.normalisation import MILLIVOLTS_PER_STORED_UNIT
from coreecg_jax.records.crops import Crops, cut_crops, mean_over_crops, plan_crops

# (ecg_BLT float32 mV, available_BL bool, length_B int32) -> float32 (B, F); a pure function of its arguments.
Represent = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
# Recordings -> float32 (R, F), one row a recording in the order of first appearance.
Extract = Callable[[Recordings], np.ndarray]
# (recordings that were reached, recordings in all), when a batch is done; from any thread.
Watch = Callable[[int, int], object]


def unwatched(done: int, count: int) -> None:
    """Nobody looks."""
    del done, count


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
    watch: Watch = unwatched,
) -> np.ndarray:
    """One vector a recording: the mean over `crops` evenly spaced crops of each of its windows.

    Crops start at 0 … length − crop. A window that is no longer than a crop gives one, padded with zeros; its
    valid length is handed to `represent`. All windows of a recording count alike.

    Args:
      represent: best under `jax.jit`, its parameters as arguments: all batches have one shape (the last is
        filled up with copies), so it compiles once.
      recordings: n windows of R recordings.
      watch: is told how far it is.

    Returns:
      float32 (R, F), recordings in the order of first appearance (`first_windows` has their labels).

    Raises:
      ValueError: when a number is not positive, there is no recording, or a feature is not finite.
    """
    samples = round(crop_seconds * recordings.preprocessing.sampling_rate)
    if min(samples, crops, batch_size) < 1:
        raise ValueError(
            f"crop features: expected positive crop_seconds, crops and batch_size, got {crop_seconds:g} s, "
            f"{crops} and {batch_size}"
        )
    if not len(recordings.length):
        raise ValueError("crop features: expected at least one recording, got none")
    plan = plan_crops(recordings.length, recording_rows(recordings), samples=samples, crops=crops)
    unit = np.float32(MILLIVOLTS_PER_STORED_UNIT * recordings.preprocessing.microvolts_per_unit)

    count = int(plan.owner.max()) + 1

    def represent_crops(part: Crops) -> Any:
        ecg_BLT = cut_crops(recordings.ecg, part, samples).astype(np.float32) * unit
        features = np.asarray(represent(ecg_BLT, recordings.available[part.row], part.length))
        watch(int(part.owner.max()) + 1, count)
        return features

    features = mean_over_crops(represent_crops, plan, batch_size=batch_size)
    if not np.isfinite(features).all():
        raise ValueError("crop features: expected finite features, got some that are not")
    return features
