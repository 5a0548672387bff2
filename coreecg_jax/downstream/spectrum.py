"""Where the energy of recordings lies: what FDA's importance curve is read against."""

import numpy as np

from coreecg_jax.inputs.reader import Recordings


def mean_power(recordings: Recordings, frequency_hz: np.ndarray) -> np.ndarray:
    """Mean power of a recording near each frequency, as a share of its energy a bin; float64.

    Near is within half of the smallest distance between two frequencies, the upper end not included. Each
    recording counts alike, whatever its voltage; the valid samples of available leads count.

    Raises:
      ValueError: when no recording carries signal.
    """
    half_width = np.diff(frequency_hz).min() / 2
    shares = []
    for ecg_LT, length, available in zip(recordings.ecg, recordings.length, recordings.available):
        signal_LT = ecg_LT[available, :length].astype(np.float64)
        power_F = (np.abs(np.fft.rfft(signal_LT - signal_LT.mean(-1, keepdims=True))) ** 2).sum(0)
        hertz_F = np.fft.rfftfreq(length, 1 / recordings.preprocessing.sampling_rate)
        distance_MF = hertz_F[None] - frequency_hz[:, None]
        near_MF = (-half_width <= distance_MF) & (distance_MF < half_width)
        if power_F.sum() > 0:
            shares.append(near_MF @ power_F / power_F.sum() / np.maximum(near_MF.sum(-1), 1))
    if not shares:
        raise ValueError("spectrum: expected at least one recording that carries signal")
    return np.mean(shares, axis=0)
