"""Whether two windows of ECG are one signal: leads correlate, and so does what is left without the mean beat.

Two recordings of one patient with a steady rhythm correlate by 0.99: their beats are alike. What tells them
from one recording under two names is the remainder between the QRS complexes when the mean beat is taken
away, noise and all: in one recording it is the same, in two it is not.
"""

import itertools
from typing import NamedTuple

import numpy as np

from coreecg_jax.records.fingerprint import LEAST_OVERLAP, RATE

# One signal: at least these. With white noise of 50 uV on one of the two, 99 of 100 recordings correlate by
# 0.96, their remainders by 0.1 (docs/data.md).
LEAST_CORRELATION = 0.93
LEAST_REMAINDER = 0.1
_EDGE = 30  # samples at each end that the shift by a part of a sample disturbs
_QRS_HALF = 8  # samples at both sides of a beat's peak that do not belong to the remainder
_BEFORE = 25  # samples of the beat before its peak
_LEAST_BEATS = 3  # from which a mean beat is made
_LEAST_SAMPLES = 50


class Likeness(NamedTuple):
    """How two windows lie on each other."""

    correlation: float  # |r| of a lead with the lead of the other that fits it best, median over leads
    remainder: float  # r of what is left of these leads between the QRS complexes without the mean beat
    overlap: float  # share of the shorter window
    gain: float  # of the first over the second
    leads_in_order: bool  # the lead that fits best bears the same name

    @property
    def one_signal(self) -> bool:
        """Whether the two are one recording."""
        enough = self.overlap >= LEAST_OVERLAP
        return enough and self.correlation >= LEAST_CORRELATION and self.remainder >= LEAST_REMAINDER


def likeness(ecg_LT: np.ndarray, other_LT: np.ndarray, beats: np.ndarray, shift: float) -> Likeness:
    """How two windows at `RATE` lie on each other when the second is moved by `shift` seconds.

    Args:
      ecg_LT: float[L, T], any unit; a lead that is constant counts as absent.
      other_LT: float[L, T'], any unit.
      beats: seconds, of the first.
      shift: seconds; the time in the first is that in the second plus this.
    """
    shortest = min(ecg_LT.shape[1], other_LT.shape[1])
    first_LT, second_LT, start = _laid_on(ecg_LT, other_LT, shift)
    overlap = (first_LT.shape[1] + 2 * _EDGE) / shortest
    alive, other_alive = (np.ptp(some_LT, axis=1) > 0 for some_LT in (first_LT, second_LT))
    if first_LT.shape[1] < 2 * _EDGE or not alive.any() or not other_alive.any():
        return Likeness(0.0, 0.0, overlap, float("nan"), False)
    first_LT = first_LT[alive] - first_LT[alive].mean(axis=1, keepdims=True)
    second_LT = second_LT[other_alive] - second_LT[other_alive].mean(axis=1, keepdims=True)
    norm_L, other_norm_L = (np.linalg.norm(some_LT, axis=1) for some_LT in (first_LT, second_LT))
    r_LL = first_LT @ second_LT.T / np.outer(norm_L, other_norm_L)
    partner = np.abs(r_LL).argmax(axis=1)
    r_L = r_LL[np.arange(len(partner)), partner]
    partner_LT = second_LT[partner] * np.sign(r_L)[:, None]
    left = [_remainder(some_LT, beats - start / RATE) for some_LT in (first_LT, partner_LT)]
    return Likeness(
        correlation=float(np.median(np.abs(r_L))),
        remainder=_correlation(*left),
        overlap=overlap,
        gain=float(np.median(norm_L / other_norm_L[partner])),
        leads_in_order=bool((np.flatnonzero(alive) == np.flatnonzero(other_alive)[partner]).mean() > 0.5),
    )


def _laid_on(ecg_LT: np.ndarray, other_LT: np.ndarray, shift: float) -> tuple[np.ndarray, np.ndarray, int]:
    """What both hold of one time, and where in the first it begins."""
    samples, part = divmod(shift * RATE, 1)
    other_LT = _delayed(np.asarray(other_LT, np.float64), part)
    k = int(samples)
    low, high = max(0, k) + _EDGE, min(ecg_LT.shape[1], other_LT.shape[1] + k) - _EDGE
    high = max(low, high)
    return np.asarray(ecg_LT[:, low:high], np.float64), other_LT[:, low - k : high - k], low


def _delayed(ecg_LT: np.ndarray, part: float) -> np.ndarray:
    """By a part of a sample, as the spectrum says."""
    turns_F = np.exp(-2j * np.pi * part * np.fft.rfftfreq(ecg_LT.shape[1]))
    return np.fft.irfft(np.fft.rfft(ecg_LT, axis=1) * turns_F, ecg_LT.shape[1], axis=1)


def _remainder(ecg_LT: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """float64[L, S]: slopes of the signal less its mean beat, outside the QRS; S is 0 with too few beats."""
    samples = ecg_LT.shape[1]
    peaks = np.rint(beats * RATE).astype(int)
    peaks = peaks[(peaks >= 0) & (peaks < samples)]
    if len(peaks) <= _LEAST_BEATS:
        return np.zeros((len(ecg_LT), 0))
    starts = np.maximum(peaks - _BEFORE, 0)
    # Where each sample stands within its beat; -1 before the first, and after the start of the last.
    place_T = np.full(samples, -1)
    for start, stop in itertools.pairwise(starts):
        place_T[start:stop] = np.arange(stop - start)
    within = np.flatnonzero(place_T >= 0)
    count_P = np.bincount(place_T[within])
    mean_LP = np.stack([np.bincount(place_T[within], row[within]) / count_P for row in ecg_LT])
    left_LT = ecg_LT - mean_LP[:, place_T]
    kept_T = (place_T >= 0) & (count_P[place_T] >= _LEAST_BEATS)
    for peak in peaks:
        kept_T[max(0, peak - _QRS_HALF) : peak + _QRS_HALF + 1] = False
    return np.diff(left_LT, axis=1)[:, kept_T[1:] & kept_T[:-1]]


def _correlation(one_LS: np.ndarray, other_LS: np.ndarray) -> float:
    """Median over leads; 0 where there is too little to say."""
    if one_LS.shape[1] < _LEAST_SAMPLES:
        return 0.0
    norms_L = np.linalg.norm(one_LS, axis=1) * np.linalg.norm(other_LS, axis=1)
    return float(np.median((one_LS * other_LS).sum(axis=1) / np.maximum(norms_L, 1e-12)))
