"""Signal conditioning: rate, band, windows, int16. All in numpy and scipy, before anything is learned.

The whole recording is resampled and filtered first and cut afterwards: a filter that starts anew in every
window would bend each window's edges.
"""

import functools
import importlib
import math
import sys
from fractions import Fraction

import numpy as np
import scipy  # its parts are imported when first used; scipy.signal takes more than a second

from coreecg_jax.records.formats.limits import check_values
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.schema import Preprocessing

MIN_WINDOW_SECONDS = 7.0  # the shortest recording of a public 12-lead database (CODE-15%) is 7.3 s
EDGE_SECONDS = 4.0  # odd extension at both ends; the 0.67 Hz high-pass rings for about that long
# Ratios of rates are exact up to this denominator. Others, as of a measured rate, are taken for the nearest:
# 499.975 Hz for 500, off by 500 us in 10 s, a quarter of a sample; hardly any by more.
MAX_DENOMINATOR = 10_000


def filters_are_imported() -> bool:
    """Whether this process can resample and filter at once."""
    return "scipy.signal" in sys.modules


def import_filters() -> None:
    """Imports what resamples and filters: a second, during which another thread gets on with other work."""
    importlib.import_module("scipy.signal")


def check_preprocessing(preprocessing: Preprocessing) -> None:
    """Refuses settings that no signal can meet.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    p = preprocessing
    if not p.sampling_rate > 0:
        raise ValueError(f"sampling_rate: expected more than 0 Hz, got {p.sampling_rate:g}")
    if not 0 < p.high_pass < p.low_pass:
        raise ValueError(
            f"high_pass: expected 0 < high_pass < low_pass = {p.low_pass:g} Hz, got {p.high_pass:g}"
        )
    if not p.low_pass < p.sampling_rate / 2:
        raise ValueError(
            f"low_pass: expected less than sampling_rate / 2 = {p.sampling_rate / 2:g} Hz, got {p.low_pass:g}"
        )
    if p.filter_order < 1:
        raise ValueError(f"filter_order: expected at least 1, got {p.filter_order}")
    if p.window_seconds < MIN_WINDOW_SECONDS:
        raise ValueError(
            f"window_seconds: expected at least {MIN_WINDOW_SECONDS:g} s, got {p.window_seconds:g}"
        )


def resample(ecg_LT: np.ndarray, rate: float, new_rate: float) -> np.ndarray:
    """Anti-aliased polyphase resampling; ceil(T * new_rate / rate) samples.

    Beyond the ends the signal is taken to be the straight line through its first and last sample.

    Raises:
      RecordingRefused: with reason UNREADABLE, when it would grow beyond what memory should hold.
    """
    ratio = _ratio(rate, new_rate)
    if ratio == 1:
        return ecg_LT
    if ratio > 1:  # what is there was bounded when it was read, or is in the memory of who hands it in
        leads, samples = ecg_LT.shape
        check_values(f"at {new_rate:g} Hz", leads, math.ceil(samples * ratio))
    filter_J = _anti_aliasing(max(ratio.numerator, ratio.denominator))
    up, down = ratio.numerator, ratio.denominator
    return scipy.signal.resample_poly(ecg_LT, up, down, axis=-1, window=filter_J, padtype="line")


@functools.lru_cache
def _anti_aliasing(factor: int) -> np.ndarray:
    """The low-pass filter that `resample_poly` designs by default, anew for each recording."""
    return scipy.signal.firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0))


def band_pass(ecg_LT: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Zero-phase Butterworth high-pass, then low-pass, forwards and backwards over the whole recording."""
    p = preprocessing
    pad = min(ecg_LT.shape[-1] - 1, round(EDGE_SECONDS * p.sampling_rate))
    for kind, cutoff in (("highpass", p.high_pass), ("lowpass", p.low_pass)):
        sos, settled = _butterworth(p.filter_order, cutoff, kind, p.sampling_rate)
        ecg_LT = _forwards_and_backwards(sos, settled, ecg_LT, pad)
    return ecg_LT


def _forwards_and_backwards(sos: np.ndarray, settled: np.ndarray, ecg_LT: np.ndarray, pad: int) -> np.ndarray:
    """`scipy.signal.sosfiltfilt`, to the bit, with the settled state given: finding it takes as long."""
    first_LT = 2 * ecg_LT[:, :1] - ecg_LT[:, pad:0:-1]
    last_LT = 2 * ecg_LT[:, -1:] - ecg_LT[:, -2 : -(pad + 2) : -1]
    extended_LT = np.concatenate([first_LT, ecg_LT, last_LT], axis=1)
    for _ in range(2):  # forwards, then backwards
        state = settled[:, None, :] * extended_LT[None, :, :1]
        filtered_LT, _ = scipy.signal.sosfilt(sos, extended_LT, axis=-1, zi=state)
        extended_LT = filtered_LT[:, ::-1]
    return extended_LT[:, pad : extended_LT.shape[1] - pad]


@functools.lru_cache
def _butterworth(order: int, cutoff: float, kind: str, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Second-order sections, and their state under a constant 1; designing them takes as long as running."""
    sos = scipy.signal.butter(order, cutoff, kind, fs=rate, output="sos")
    return sos, scipy.signal.sosfilt_zi(sos)


def conditioned_samples(samples: int, rate: float, new_rate: float) -> int:
    """How many samples `condition` makes of so many."""
    return math.ceil(samples * _ratio(rate, new_rate))


def _ratio(rate: float, new_rate: float) -> Fraction:
    return Fraction(new_rate / rate).limit_denominator(MAX_DENOMINATOR)


def condition(ecg_LT: np.ndarray, rate: float, preprocessing: Preprocessing) -> np.ndarray:
    """float64[12, T'] in mV at the new rate and band, from float64[12, T] in mV at `rate` Hz."""
    return band_pass(resample(ecg_LT, rate, preprocessing.sampling_rate), preprocessing)


def to_int16(ecg_LT: np.ndarray, microvolts_per_unit: float) -> np.ndarray:
    """int16 of the same shape, rounded to the nearest unit, from mV.

    Raises:
      RecordingRefused: when a sample does not fit.
    """
    units = np.rint(ecg_LT * (1000.0 / microvolts_per_unit))
    largest = np.abs(units).max()
    if largest > np.iinfo(np.int16).max:
        raise RecordingRefused(
            Reason.INT16_OVERFLOW,
            f"expected at most {np.iinfo(np.int16).max} units of {microvolts_per_unit:g} uV, "
            f"got {largest:.0f}",
        )
    return units.astype("<i2")


def window_spans(
    n_samples: int, preprocessing: Preprocessing, max_windows: int
) -> list[tuple[int, int, int]]:
    """(window number, first sample, length) of each kept window.

    Windows lie end to end from the start; a remainder of at least `MIN_WINDOW_SECONDS` is a window too. Of
    more than `max_windows`, that many are kept, evenly spread over the recording.
    """
    size = preprocessing.window_samples
    shortest = round(MIN_WINDOW_SECONDS * preprocessing.sampling_rate)
    count = n_samples // size + (n_samples % size >= shortest)
    kept = range(count)
    if count > max_windows:
        kept = [int(k) for k in np.linspace(0, count - 1, max_windows).round()]
    return [(k, k * size, min(size, n_samples - k * size)) for k in kept]


def cut(units_LT: np.ndarray, start: int, length: int, window_samples: int) -> np.ndarray:
    """int16[12, window_samples]: the window, and zeros after its `length` samples."""
    window = np.zeros((units_LT.shape[0], window_samples), units_LT.dtype)
    window[:, :length] = units_LT[:, start : start + length]
    return window
