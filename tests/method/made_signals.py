"""Signals made for the tests of the method."""

import numpy as np

from coreecg_jax.records.leads import LEADS, LIMB_FROM_I_II


def made_ecg(recordings=3, samples=300, *, seed=0):
    """float32[B, 12, T] in mV: smooth noise of another spectrum in each lead; the limb relations hold."""
    rng = np.random.default_rng(seed)
    independent = rng.normal(0, 1, (recordings, 8, samples + 20))
    kernel = np.hanning(9) / np.hanning(9).sum()
    smooth = np.apply_along_axis(lambda x: np.convolve(x, kernel, "same"), -1, independent)[..., 10:-10]
    smooth *= rng.uniform(0.3, 1.5, (recordings, 8, 1))
    limbs = np.einsum("li,bit->blt", LIMB_FROM_I_II, smooth[:, :2])
    return np.concatenate([limbs, smooth[:, 2:]], axis=1).astype(np.float32)


def lead_residual(ecg_BLT):
    """float64[B, 4, T]: by how much III, aVR, aVL and aVF miss what I and II make of them."""
    I, II, III, aVR, aVL, aVF = np.moveaxis(np.asarray(ecg_BLT, np.float64)[:, :6], 1, 0)  # noqa: E741
    return np.stack([III - (II - I), aVR + (I + II) / 2, aVL - (I - II / 2), aVF - (II - I / 2)], axis=1)


def one_beat(rate, *, seconds=9.0, at=4.5):
    """float32[1, 12, T]: a QRS complex 0.1 s wide with zero area, the limb relations hold."""
    time = np.arange(round(seconds * rate)) / rate - at
    u = (time / 0.018) ** 2
    qrs = (1 - u) * np.exp(-u / 2)
    height = np.concatenate([LIMB_FROM_I_II @ [0.8, 1.2], [-0.6, 0.9, 1.5, 2.0, 1.4, 0.8]])
    return (height[:, None] * qrs)[None].astype(np.float32)


def all_available(ecg_BLT):
    """bool[B, 12], all True."""
    return np.ones((len(ecg_BLT), len(LEADS)), bool)
