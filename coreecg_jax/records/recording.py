"""A raw recording, wherever it came from: a file, or the simulator."""

import dataclasses

import numpy as np

# 1 kV: beyond it a sample, or the gain by which it was divided, is damaged. Microvolts or counts read
# as millivolts stay below, and are told as a wrong unit (`quality.check_unit`).
LARGEST_MILLIVOLTS = 1e6


@dataclasses.dataclass(frozen=True)
class Recording:
    """A raw 12-lead recording."""

    ecg_LT: np.ndarray  # float64[12, T], mV, in the order of LEADS; a lead that is not there is NaN
    present_L: np.ndarray  # bool[12], whether the file holds the lead
    sampling_rate: float  # Hz
    ignored_signals: tuple[str, ...]  # names that are none of the twelve
    comments: tuple[str, ...]


def invalid_as_nan(ecg_mV: np.ndarray) -> np.ndarray:
    """Samples in mV; NaN, as invalid ones are, where infinite or beyond `LARGEST_MILLIVOLTS`."""
    return np.where(np.abs(ecg_mV) <= LARGEST_MILLIVOLTS, ecg_mV, np.nan)
