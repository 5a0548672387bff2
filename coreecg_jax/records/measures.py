"""What a raw recording measures, lead by lead; nothing is judged or changed here.

`suspicions` says what makes one suspect; docs/data.md has the distributions over real recordings.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d

from coreecg_jax.records.leads import LEADS, LIMB_FROM_I_II, LIMB_LEADS
from coreecg_jax.records.recording import Recording

_SMOOTH_SECONDS = 0.025  # noise is what a moving mean over one period of 40 Hz leaves
_MOST_SPANS = 10  # of invalid samples that are told one by one, for each lead
_EVERY = 5  # of the samples: enough for a median, and a fifth of the time
_SLOPES_OF = tuple(LEADS.index(name) for name in ("I", "II", "aVR"))
_SLOPES_BESIDE = LEADS.index("V6")


@dataclasses.dataclass(frozen=True)
class Measures:
    """Of each lead, float64[12] in microvolts; NaN where a lead is not whole, or nothing can be said of it.

    `baseline_L`: the range of the means over a second. `noise_L`: the robust standard deviation of what is
    faster than 40 Hz. `relation_L`: of III, aVR, aVL and aVF, the 99th percentile of |lead - what I and II
    make of it|, medians removed (Einthoven, Goldberger). `amplitude_L`: the 99th percentile of |lead - its
    median|; a constant lead has none.
    """

    baseline_L: np.ndarray
    noise_L: np.ndarray
    relation_L: np.ndarray
    amplitude_L: np.ndarray
    slopes: tuple[float, float, float] | None  # correlations of the slopes of I, II and aVR with those of V6
    nan: dict[str, dict[str, Any]]  # lead -> how many samples, and where

    def line(self) -> dict[str, Any]:
        """For the manifest: the worst lead of each, the median lead's amplitude; None where there is none."""
        return {
            "baseline_uv": _rounded(self.baseline_L, np.nanmax),
            "noise_uv": _rounded(self.noise_L, np.nanmax),
            "relation_uv": _rounded(self.relation_L, np.nanmax),
            "amplitude_uv": _rounded(self.amplitude_L, np.nanmedian),
            "nan": self.nan,
        }


def measured(raw: Recording) -> Measures:
    """What is measured of a recording of at least a second."""
    ecg_LT = raw.ecg_LT
    whole_L = raw.present_L & ~np.isnan(ecg_LT).any(axis=1)
    usable_LT = ecg_LT[whole_L]
    relation_L = np.full(len(LEADS), np.nan)
    relation_L[2 : len(LIMB_LEADS)] = 1000 * _relation(ecg_LT[: len(LIMB_LEADS)], whole_L[: len(LIMB_LEADS)])
    return Measures(
        baseline_L=_placed(whole_L, _baseline(usable_LT, raw.sampling_rate)),
        noise_L=_placed(whole_L, _noise(usable_LT, raw.sampling_rate)),
        relation_L=relation_L,
        amplitude_L=_placed(whole_L, _amplitude(usable_LT)),
        slopes=_slopes(ecg_LT, whole_L),
        nan=_nan(raw),
    )


def _placed(whole_L: np.ndarray, millivolts: np.ndarray) -> np.ndarray:
    """float64[12] in microvolts, the values of whole leads at their places."""
    microvolts_L = np.full(len(LEADS), np.nan)
    microvolts_L[whole_L] = 1000 * millivolts
    return microvolts_L


def _rounded(values_L: np.ndarray, over: Callable[[np.ndarray], Any]) -> float | None:
    return None if np.isnan(values_L).all() else round(float(over(values_L)), 1)


def _baseline(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """float64[L]: the range of the means of whole seconds."""
    second = max(1, round(rate))
    seconds = ecg_LT.shape[1] // second
    means_LS = ecg_LT[:, : seconds * second].reshape(len(ecg_LT), seconds, second).mean(axis=2)
    return np.ptp(means_LS, axis=1)


def _noise(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """float64[L]: 1.4826 times the median of |signal - its moving mean|, which QRS complexes hardly move."""
    size = max(2, round(_SMOOTH_SECONDS * rate))
    fast_LT = ecg_LT - uniform_filter1d(ecg_LT, size, axis=1)
    return 1.4826 * np.median(np.abs(fast_LT[:, ::_EVERY]), axis=1)


def _relation(limb_LT: np.ndarray, whole_L: np.ndarray) -> np.ndarray:
    """float64[4]: how far III, aVR, aVL and aVF are from what I and II make; NaN where one is not whole."""
    far = np.full(4, np.nan)
    if whole_L[:2].all():
        there = whole_L[2:]
        residual_LT = (limb_LT - LIMB_FROM_I_II @ limb_LT[:2])[2:][there][:, ::_EVERY]
        centred_LT = residual_LT - np.median(residual_LT, axis=1, keepdims=True)
        far[there] = np.percentile(np.abs(centred_LT), 99, axis=1)
    return far


def _amplitude(ecg_LT: np.ndarray) -> np.ndarray:
    """float64[L]; a constant lead has none."""
    some_LT = ecg_LT[:, ::_EVERY]
    deviation_LT = np.abs(some_LT - np.median(some_LT, axis=1, keepdims=True))
    return np.where(np.ptp(ecg_LT, axis=1) > 0, np.percentile(deviation_LT, 99, axis=1), np.nan)


def _nan(raw: Recording) -> dict[str, dict[str, Any]]:
    """Of each lead with invalid samples: how many, from when to when, and the spans without a valid one."""
    found = {}
    for lead, samples_T, present in zip(LEADS, raw.ecg_LT, raw.present_L):
        places = np.flatnonzero(np.isnan(samples_T)) if present else np.zeros(0, int)
        if not places.size:
            continue
        breaks = np.flatnonzero(np.diff(places) > 1)
        ends = np.stack([places[np.append(0, breaks + 1)], places[np.append(breaks, -1)]], axis=1)
        seconds = (ends / raw.sampling_rate).round(3)
        found[lead] = {
            "samples": places.size,
            "first_second": float(seconds[0, 0]),
            "last_second": float(seconds[-1, 1]),
            "spans": seconds[:_MOST_SPANS].tolist(),  # first and last sample of each
            "further_spans": max(0, len(ends) - _MOST_SPANS),
        }
    return found


def invalid_in_words(nan: Mapping[str, Mapping[str, Any]]) -> str:
    """'aVL 101 samples (1 to 1.198 s, 2 s)', for people; '' where there is nothing.

    Args:
      nan: of `Measures.line()`; of manifests of before, which tell no spans, all from first to last is one.
    """
    return "; ".join(
        f"{lead} {_counted(one['samples'], 'sample')} ({_where(one)})" for lead, one in nan.items()
    )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _where(one: Mapping[str, Any]) -> str:
    spans = one.get("spans", [(one["first_second"], one["last_second"])])
    words = [f"{first:.7g} s" if first == last else f"{first:.7g} to {last:.7g} s" for first, last in spans]
    further = one.get("further_spans", 0)
    return ", ".join(words) + (
        f" and {_counted(further, 'span')} more, up to {one['last_second']:.7g} s" if further else ""
    )


def _slopes(ecg_LT: np.ndarray, whole_L: np.ndarray) -> tuple[float, float, float] | None:
    places = [*_SLOPES_OF, _SLOPES_BESIDE]
    if not whole_L[places].all():
        return None
    slope_LT = np.diff(ecg_LT[places][:, ::_EVERY], axis=1)
    i, ii, avr = _correlations(slope_LT[:3], slope_LT[3]).tolist()
    return i, ii, avr


def _correlations(some_LT: np.ndarray, other_T: np.ndarray) -> np.ndarray:
    """float64[L]; 0 for a lead that does not vary."""
    some_LT = some_LT - some_LT.mean(axis=1, keepdims=True)
    other_T = other_T - other_T.mean()
    norms_L = np.linalg.norm(some_LT, axis=1) * np.linalg.norm(other_T)
    return np.divide(some_LT @ other_T, norms_L, out=np.zeros(len(some_LT)), where=norms_L > 0)
