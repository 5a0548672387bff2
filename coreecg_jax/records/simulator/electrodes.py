"""Electrodes: what they see of the heart's dipole, and how the twelve leads come from their potentials."""

import numpy as np

from coreecg_jax.records.leads import LIMB_FROM_I_II

ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6")
CHEST = slice(3, 9)

# Leads I, II, V1 ... V6 from the Frank leads X, Y, Z (Dower et al. 1980).
_DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)


# Brings the median size of QRS in each lead to that of PTB-XL.
_GAIN = np.array([1.28, 1.22, 0.83, 1.20, 1.14, 1.16, 1.10, 1.10])


def _standard_field() -> np.ndarray:
    """float64[E, 3]: potentials against Wilson's terminal, so those of the three limbs add up to zero."""
    fitted = _GAIN[:, None] * _DOWER
    i_3, ii_3 = fitted[:2]
    right_arm_3 = -(i_3 + ii_3) / 3.0
    return np.vstack([right_arm_3, right_arm_3 + i_3, right_arm_3 + ii_3, fitted[2:]])


STANDARD_FIELD = _standard_field()

# How much electrodes differ between patients, as a share of the length of a lead vector.
_LIMB_SPREAD = 0.06
_CHEST_SPREAD = 0.10
# Electrodes are put on anew for every recording: shares of the way to the neighbour along the chest, and
# of a lead vector's length towards head or feet (an intercostal space is about 0.15).
_ALONG_SHIFT = 0.12
_UPWARD_SHIFT = 0.06


def patient_field(rng: np.random.Generator) -> np.ndarray:
    """float64[E, 3]: what each electrode of one patient sees of the dipole (a gain without unit)."""
    length_E1 = np.linalg.norm(STANDARD_FIELD, axis=1, keepdims=True)
    spread_E1 = np.where(np.arange(len(ELECTRODES)) < CHEST.start, _LIMB_SPREAD, _CHEST_SPREAD)[:, None]
    return STANDARD_FIELD + rng.standard_normal(STANDARD_FIELD.shape) * spread_E1 * length_E1


def placed_field(field_E3: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float64[E, 3]: the same patient after the chest electrodes were put on once more."""
    chest_C3 = field_E3[CHEST]
    shift_C = np.clip(rng.normal(0.0, _ALONG_SHIFT, len(chest_C3)), -0.4, 0.4)
    upward = rng.normal(0.0, _UPWARD_SHIFT)
    last = len(chest_C3) - 1
    neighbour_C = np.clip(np.arange(last + 1) + np.where(shift_C < 0, -1, 1), 0, last)
    placed_C3 = chest_C3 + np.abs(shift_C)[:, None] * (chest_C3[neighbour_C] - chest_C3)
    placed_C3[:, 1] += upward * np.linalg.norm(chest_C3, axis=1)
    return np.vstack([field_E3[: CHEST.start], placed_C3])


def leads_from_electrodes(potential_ET: np.ndarray) -> np.ndarray:
    """float64[12, ...]: the leads, in the order of `LEADS`, from electrode potentials [E, ...] in one unit.

    Einthoven 1912 (I, II, III), Goldberger 1942 (aVR, aVL, aVF), Wilson 1934 (V1 ... V6 against the mean of
    the three limbs).
    """
    right_arm, left_arm, left_leg = potential_ET[:3]
    i_ii = np.stack([left_arm - right_arm, left_leg - right_arm])
    terminal = (right_arm + left_arm + left_leg) / 3.0
    return np.concatenate([np.tensordot(LIMB_FROM_I_II, i_ii, axes=1), potential_ET[CHEST] - terminal])
