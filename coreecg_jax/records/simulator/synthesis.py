"""Synthesis: the waves of every beat, added up at the electrodes."""

from collections.abc import Mapping

import numpy as np

from coreecg_jax.records.simulator.anatomy import rotation
from coreecg_jax.records.simulator.electrodes import ELECTRODES
from coreecg_jax.records.simulator.rhythm import Beats, Respiration
from coreecg_jax.records.simulator.waves import Waves

# The part of time around R in which a beat is made, s: from before P to after the longest T.
_BEFORE, _AFTER = 0.34, 0.80
# With each breath the heart turns and the chest's resistance changes.
_BREATH_DEGREES = 3.0
_BREATH_GAIN = 0.04
_BEAT_GAIN = 0.015  # from beat to beat besides
# Repolarisation answers a change of RR within minutes; only part of it follows the last interval.
_MEMORY = 0.75


def heartbeats(
    beats: Beats,
    waves_by_kind: Mapping[str, Waves],
    field_E3: np.ndarray,
    breath: Respiration,
    rate: float,
    seconds: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """float64[E, T] in mV: potentials of the ventricles and of P, at `rate` Hz."""
    front, back = round(2.2 * rate), round(1.6 * rate)  # room for beats that are only partly inside
    samples = round(seconds * rate)
    potential_ET = np.zeros((len(ELECTRODES), front + samples + back))
    gain_H = 1.0 + rng.normal(0.0, _BEAT_GAIN, len(beats.times_H)) - _BREATH_GAIN * breath(beats.times_H)
    turn_H33 = np.stack([_breath_turn(b) for b in breath(beats.times_H)])
    rr_H = _MEMORY * beats.mean_rr + (1.0 - _MEMORY) * np.minimum(beats.before_H, 2.0)
    stretch_H = np.clip(np.cbrt(rr_H), 0.72, 1.15)  # Fridericia 1920: QT is proportional to RR^(1/3)
    for kind, waves in waves_by_kind.items():
        chosen = np.flatnonzero(np.array(beats.kinds) == kind)
        if not chosen.size:
            continue
        first_H = np.floor((beats.times_H[chosen] - _BEFORE) * rate).astype(int)
        window = np.arange(round((_BEFORE + _AFTER) * rate))
        times_HW = (first_H[:, None] + window) / rate - beats.times_H[chosen, None]
        shape_HKW = _gaussians(waves, times_HW, stretch_H[chosen])
        dipole_HK3 = np.einsum("hij,kj->hki", turn_H33[chosen], waves.vector_K3)
        amplitude_HEK = np.einsum("ei,hki->hek", field_E3, dipole_HK3) + waves.local_KE.T
        made_HEW = (gain_H[chosen, None, None] * amplitude_HEK) @ shape_HKW
        for first, made_EW in zip(first_H + front, made_HEW):
            begin = max(first, 0)
            end = min(first + len(window), potential_ET.shape[1])
            if end > begin:
                potential_ET[:, begin:end] += made_EW[:, begin - first : end - first]
    return potential_ET[:, front : front + samples]


def _gaussians(waves: Waves, times_HW: np.ndarray, stretch_H: np.ndarray) -> np.ndarray:
    """float64[H, K, W]: waves at height 1. ST and T stretch with QT from the end of QRS; P and QRS do not."""
    slow_K = np.isin(waves.names, ("ST", "T"))
    onset = waves.named("QRS").span()[0]
    stretch_HK = np.where(slow_K, stretch_H[:, None], 1.0)
    centre_HK = onset + (waves.centre_K - onset) * stretch_HK
    centre_HK = np.where(slow_K, centre_HK, waves.centre_K)
    out_HKW = np.zeros((len(times_HW), len(waves), times_HW.shape[1]))
    for k in range(len(waves)):
        # Beyond five standard deviations a Gaussian is below 4e-6 of its height.
        first = centre_HK[:, k].min() - 5.0 * (waves.left_K[k] * stretch_HK[:, k]).max()
        last = centre_HK[:, k].max() + 5.0 * (waves.right_K[k] * stretch_HK[:, k]).max()
        inside = slice(*np.searchsorted(times_HW[0], [first, last + times_HW[0, 1] - times_HW[0, 0]]))
        away_HW = times_HW[:, inside] - centre_HK[:, k, None]
        width_HW = np.where(away_HW < 0.0, waves.left_K[k], waves.right_K[k]) * stretch_HK[:, k, None]
        out_HKW[:, k, inside] = np.exp(-0.5 * (away_HW / width_HW) ** 2)
    return out_HKW


def _breath_turn(breath: float) -> np.ndarray:
    """float64[3, 3]: inspiration turns the heart downwards and back."""
    return rotation(_BREATH_DEGREES * breath, 0.5 * _BREATH_DEGREES * breath, 0.0)
