"""What a raw recording measures, and what that makes one suspect; nothing is refused or changed by it.

Thresholds stand on the distributions over 693 recordings of seven public databases (docs/data.md).
"""

import enum
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d

from coreecg_jax.records.leads import LEADS, LIMB_FROM_I_II, LIMB_LEADS
from coreecg_jax.records.recording import Recording

_SMOOTH_SECONDS = 0.025  # noise is what a moving mean over one period of 40 Hz leaves
_EVERY = 5  # of the samples: enough for a median, and a fifth of the time
# Slopes of I against V6, of II and aVR against V6, where a limb electrode stands in another's place.
_INVERTED, _UPRIGHT = -0.5, 0.3
_I, _II, _AVR, _V6 = (LEADS.index(name) for name in ("I", "II", "aVR", "V6"))


class Suspicion(enum.StrEnum):
    """What is odd about a recording as a whole."""

    BASELINE = "baseline_wander"
    NOISE = "noise"
    RELATION = "limb_lead_relation"
    LEFT_RIGHT_ARM = "arms_reversed"
    ARM_LEG = "right_arm_and_leg_reversed"


LARGEST = {Suspicion.BASELINE: 3000.0, Suspicion.NOISE: 60.0, Suspicion.RELATION: 100.0}  # microvolts


def measured(raw: Recording) -> dict[str, Any]:
    """Of the leads that are there and have no NaN, in microvolts; None where nothing can be said.

    Of the worst lead each: `baseline_uv`, the range of the means over a second; `noise_uv`, the robust
    standard deviation of what is faster than 40 Hz; `relation_uv`, the 99th percentile of |limb lead - what I
    and II make of it|, medians removed. `nan`: samples, first and last second by lead.
    """
    ecg_LT = raw.ecg_LT
    whole_L = raw.present_L & ~np.isnan(ecg_LT).any(axis=1)
    usable_LT = ecg_LT[whole_L]
    numbers = {
        "baseline_uv": _worst(_baseline(usable_LT, raw.sampling_rate)),
        "noise_uv": _worst(_noise(usable_LT, raw.sampling_rate)),
        "relation_uv": _worst(_relation(ecg_LT[: len(LIMB_LEADS)], whole_L[: len(LIMB_LEADS)])),
    }
    return {
        **numbers,
        "nan": _nan(raw),
        "suspected": [str(one) for one in _suspected(numbers, ecg_LT, whole_L)],
    }


def _worst(millivolts_L: np.ndarray) -> float | None:
    return round(float(millivolts_L.max()) * 1000, 1) if len(millivolts_L) else None


def _baseline(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """float64[L]: the range of the means of whole seconds."""
    second = round(rate)
    seconds = ecg_LT.shape[1] // second
    means_LS = ecg_LT[:, : seconds * second].reshape(len(ecg_LT), seconds, second).mean(axis=2)
    return np.ptp(means_LS, axis=1) if seconds else np.zeros(0)


def _noise(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """float64[L]: 1.4826 times the median of |signal - its moving mean|, which QRS complexes hardly move."""
    size = max(2, round(_SMOOTH_SECONDS * rate))
    fast_LT = ecg_LT - uniform_filter1d(ecg_LT, size, axis=1)
    return 1.4826 * np.median(np.abs(fast_LT[:, ::_EVERY]), axis=1)


def _relation(limb_LT: np.ndarray, whole_L: np.ndarray) -> np.ndarray:
    """float64[leads that I and II make]: how far they are from it."""
    if not whole_L[:2].all():
        return np.zeros(0)
    residual_LT = (limb_LT - LIMB_FROM_I_II @ limb_LT[:2])[2:][whole_L[2:]][:, ::_EVERY]
    centred_LT = residual_LT - np.median(residual_LT, axis=1, keepdims=True)
    return np.percentile(np.abs(centred_LT), 99, axis=1)


def _nan(raw: Recording) -> dict[str, Any]:
    found = {}
    for lead, samples_T, present in zip(LEADS, raw.ecg_LT, raw.present_L):
        places = np.flatnonzero(np.isnan(samples_T)) if present else []
        if len(places):
            first, last = (round(float(place) / raw.sampling_rate, 3) for place in (places[0], places[-1]))
            found[lead] = {"samples": len(places), "first_second": first, "last_second": last}
    return found


def _suspected(numbers: dict[str, float | None], ecg_LT: np.ndarray, whole_L: np.ndarray) -> list[Suspicion]:
    values = dict(zip(LARGEST, numbers.values()))
    found = [
        one for one, largest in LARGEST.items() if (value := values[one]) is not None and value > largest
    ]
    if whole_L[[_I, _II, _AVR, _V6]].all():
        slope_LT = np.diff(ecg_LT[[_I, _II, _AVR, _V6]][:, ::_EVERY], axis=1)
        i, ii, avr = _correlations(slope_LT[:3], slope_LT[3])
        leg = avr > _UPRIGHT and ii < -_UPRIGHT
        if i < _INVERTED and not (leg and ii < i):  # of two inverted leads the more inverted one tells
            found.append(Suspicion.LEFT_RIGHT_ARM)
        elif leg:
            found.append(Suspicion.ARM_LEG)
    return found


def _correlations(some_LT: np.ndarray, other_T: np.ndarray) -> np.ndarray:
    """float64[L]; 0 for a lead that does not vary."""
    some_LT = some_LT - some_LT.mean(axis=1, keepdims=True)
    other_T = other_T - other_T.mean()
    norms_L = np.linalg.norm(some_LT, axis=1) * np.linalg.norm(other_T)
    return np.divide(some_LT @ other_T, norms_L, out=np.zeros(len(some_LT)), where=norms_L > 0)
