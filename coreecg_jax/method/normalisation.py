"""From stored windows to normalised crops, on the device.

One scale a recording and a mean a lead: both are linear across leads, so the limb-lead relations
(III = II - I, aVR = -(I+II)/2, …) survive. A scale for each lead would break them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from coreecg_jax.records.leads import LIMB_FROM_I_II, LIMB_LEADS

MILLIVOLTS_PER_STORED_UNIT = 1e-3  # shards hold microvolts
# Below one microvolt a lead carries nothing: dividing by less only makes noise of rounding.
SMALLEST_SCALE = 1e-3  # mV
# Standard deviation over leads and time of a typical filtered recording: millivolts are divided by it.
TYPICAL_SCALE = 0.2  # mV
# What is done here, for a run to be gone on with as it began: another rule needs other words.
RULE = (
    "missing limb leads derived; minus the mean of each lead; over one standard deviation of all leads, at "
    f"least {SMALLEST_SCALE:g} mV; where millivolts are read, over {TYPICAL_SCALE:g} mV"
)
# Accelerators multiply matrices in fewer bits unless asked: a derived lead would be off by a thousandth.
_FLOAT32 = jax.lax.Precision.HIGHEST


class Normalised(NamedTuple):
    """Crops on the recording's own scale."""

    ecg_BLT: jax.Array  # float32, mean 0 a lead and standard deviation 1 a recording; 0 where not valid
    available_BL: jax.Array  # bool, after derivable limb leads were derived
    scale_B: jax.Array  # float32, mV


def random_starts(key: jax.Array, length_B: jax.Array, samples: int) -> jax.Array:
    """Where a crop of `samples` samples starts, int32[B]: each start in [0, length - samples] alike."""
    return jax.random.randint(key, length_B.shape, 0, jnp.maximum(length_B - samples, 0) + 1)


def crop(window_BLW: jax.Array, start_B: jax.Array, samples: int) -> jax.Array:
    """`samples` samples of each window from its start on, [B, L, T]."""

    def one(window_LW: jax.Array, start: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice_in_dim(window_LW, start, samples, axis=1)

    return jax.vmap(one)(window_BLW, start_B)


def derive_limb_leads(ecg_BLT: jax.Array, available_BL: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Fills missing limb leads wherever two or more others are available (least squares in I and II).

    Available leads are returned untouched, what stays missing is 0 whatever it held (NaN included).
    Expects all twelve leads in the order of `LEADS`.
    """
    ecg_BLT = jnp.where(available_BL[:, :, None], ecg_BLT, 0.0)
    limbs = len(LIMB_LEADS)
    mix = jnp.asarray(LIMB_FROM_I_II, jnp.float32)
    weight_BL = available_BL[:, :limbs].astype(jnp.float32)
    gram = jnp.einsum("bl,li,lj->bij", weight_BL, mix, mix)
    determinant_B = gram[:, 0, 0] * gram[:, 1, 1] - gram[:, 0, 1] ** 2
    known_B = weight_BL.sum(-1) >= 2  # any two limb leads span all six
    adjugate = jnp.stack(
        [
            jnp.stack([gram[:, 1, 1], -gram[:, 0, 1]], -1),
            jnp.stack([-gram[:, 0, 1], gram[:, 0, 0]], -1),
        ],
        -2,
    )
    inverse = adjugate / jnp.where(known_B, determinant_B, 1.0)[:, None, None]
    seen = jnp.einsum("bl,li,blt->bit", weight_BL, mix, ecg_BLT[:, :limbs], precision=_FLOAT32)
    derived = jnp.einsum("li,bij,bjt->blt", mix, inverse, seen, precision=_FLOAT32)
    fill_BL = known_B[:, None] & ~available_BL[:, :limbs]
    limb_BLT = jnp.where(fill_BL[:, :, None], derived, ecg_BLT[:, :limbs])
    completed = jnp.concatenate([limb_BLT, ecg_BLT[:, limbs:]], axis=1)
    available = jnp.concatenate([available_BL[:, :limbs] | fill_BL, available_BL[:, limbs:]], axis=1)
    return completed, available


def normalise(ecg_BLT: jax.Array, available_BL: jax.Array, valid_BT: jax.Array | None = None) -> Normalised:
    """Normalises crops: derive limb leads, subtract each lead's mean, divide by one scale a recording.

    Args:
      ecg_BLT: float[B, 12, T] in mV (any unit: the result does not depend on it above 1 µV).
      available_BL: bool[B, 12]; a lead that is not available is 0 in the result and enters no scale.
      valid_BT: bool[B, T]; samples that are not valid (padding) are 0 and enter no mean and no scale.
    """
    valid_BT = jnp.ones((ecg_BLT.shape[0], ecg_BLT.shape[-1]), bool) if valid_BT is None else valid_BT
    ecg_BLT = jnp.where(valid_BT[:, None, :], ecg_BLT.astype(jnp.float32), 0.0)
    ecg_BLT, available_BL = derive_limb_leads(ecg_BLT, available_BL)
    weight_B1T = valid_BT[:, None, :].astype(jnp.float32)
    samples_B1 = jnp.maximum(weight_B1T.sum(-1), 1.0)
    mean_BL = (ecg_BLT * weight_B1T).sum(-1) / samples_B1
    centred = (ecg_BLT - mean_BL[:, :, None]) * weight_B1T * available_BL[:, :, None]
    leads_B = jnp.maximum(available_BL.sum(-1), 1)
    scale_B = jnp.sqrt((centred**2).sum((1, 2)) / (samples_B1[:, 0] * leads_B))
    divisor_B = jnp.maximum(scale_B, SMALLEST_SCALE)
    return Normalised(centred / divisor_B[:, None, None], available_BL, scale_B)


def as_read(ecg_BLT: jax.Array, scale_B: jax.Array, *, millivolts: bool) -> jax.Array:
    """What the encoder is given of a normalised crop: itself, or millivolts over `TYPICAL_SCALE`.

    Voltage is a finding (hypertrophy, low voltage), which the recording's own scale divides away. Millivolts
    also do not depend on which leads there are, as that scale does.
    """
    factor_B = jnp.maximum(scale_B, SMALLEST_SCALE) / TYPICAL_SCALE
    return ecg_BLT * factor_B[:, None, None] if millivolts else ecg_BLT
