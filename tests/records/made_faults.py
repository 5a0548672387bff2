"""Recordings as something that went wrong would have left them: of a sound one, another that is not."""

from collections.abc import Callable

import numpy as np
from made_recordings import LEADS

ARMS = {"I": ("I", -1), "II": ("III", 1), "III": ("II", 1), "aVR": ("aVL", 1), "aVL": ("aVR", 1)}
ARM_AND_LEG = {"I": ("III", -1), "II": ("II", -1), "III": ("I", -1), "aVR": ("aVF", 1), "aVF": ("aVR", 1)}
V2, V5, III = (LEADS.index(name) for name in ("V2", "V5", "III"))
Fault = Callable[[np.ndarray, float], np.ndarray]


def moved(places: dict[str, tuple[str, int]]) -> Fault:
    """What the twelve leads show when two limb electrodes change places (Einthoven, Goldberger)."""

    def fault(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
        swapped = ecg_LT.copy()
        for lead, (source, sign) in places.items():
            swapped[LEADS.index(lead)] = sign * ecg_LT[LEADS.index(source)]
        return swapped

    return fault


def scaled(factor: float, *leads: int) -> Fault:
    """All leads, or those named, in another unit."""

    def fault(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
        ecg_LT = ecg_LT.copy()
        ecg_LT[list(leads) or slice(None)] *= factor
        return ecg_LT

    return fault


def invalid(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """One sample of V5 is missing."""
    return _in_one(ecg_LT, V5, np.where(np.arange(ecg_LT.shape[1]) == 100, np.nan, ecg_LT[V5]))


def dead(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """V5 falls off for 4 s."""
    times = np.arange(ecg_LT.shape[1]) / rate
    return _in_one(ecg_LT, V5, np.where((times > 2) & (times < 6), 0.0, ecg_LT[V5]))


def clipped(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """The amplifier of V2 is at its end, 2 mV: a baseline that moves by 4 mV."""
    times = np.arange(ecg_LT.shape[1]) / rate
    return _in_one(ecg_LT, V2, np.clip(ecg_LT[V2] + 4 * np.sin(2 * np.pi * 0.2 * times), -2.0, 2.0))


def wandering(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """V2's baseline moves by 4 mV, up and down in 5 s."""
    times = np.arange(ecg_LT.shape[1]) / rate
    return _in_one(ecg_LT, V2, ecg_LT[V2] + 2 * np.sin(2 * np.pi * 0.2 * times))


def noisy(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """V5 with white noise of 100 uV."""
    noise_T = np.random.default_rng(0).normal(0, 0.1, ecg_LT.shape[1])
    return _in_one(ecg_LT, V5, ecg_LT[V5] + noise_T)


def mislabelled(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """III and aVF have each other's names."""
    order = list(range(12))
    order[2], order[5] = 5, 2
    return ecg_LT[order]


def delayed(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """II comes 20 ms late."""
    return _in_one(ecg_LT, 1, np.roll(ecg_LT[1], round(0.02 * rate)))


def _in_one(ecg_LT: np.ndarray, lead: int, samples_T: np.ndarray) -> np.ndarray:
    ecg_LT = ecg_LT.copy()
    ecg_LT[lead] = samples_T
    return ecg_LT
