"""A raw recording, wherever it came from: a file, or the simulator."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Recording:
    """A raw 12-lead recording."""

    ecg_LT: np.ndarray  # float64[12, T], mV, in the order of LEADS; a lead that is not there is NaN
    present_L: np.ndarray  # bool[12], whether the file holds the lead
    sampling_rate: float  # Hz
    ignored_signals: tuple[str, ...]  # names that are none of the twelve
    comments: tuple[str, ...]
