"""Changes of training crops that keep their labels, or mix them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from coreecg_jax.records.leads import LIMB_FROM_I_II, LIMB_LEADS

NOISE = 0.1  # mV at strength 1


class Crops(NamedTuple):
    """Crops with labels, limb leads derived."""

    ecg_BLT: jax.Array  # float32, mV
    available_BL: jax.Array  # bool
    length_B: jax.Array  # int32, valid samples
    labels_BC: jax.Array  # float32, in [0, 1]
    known_BC: jax.Array  # bool, whether a label says something


def augment(key: jax.Array, crops: Crops, strength: float) -> Crops:
    """One log-normal factor a recording, and white noise.

    The factor's logarithm has the standard deviation `strength`, the noise `strength` * 0.1 mV. Both leave
    the limb leads sums of I and II: the noise of I and II is drawn and that of the others derived, as if each
    electrode had its own. What is not available stays 0.
    """
    scale_key, noise_key = jax.random.split(key)
    factor_B = jnp.exp(strength * jax.random.normal(scale_key, crops.length_B.shape))
    noise_BLT = NOISE * strength * jax.random.normal(noise_key, crops.ecg_BLT.shape)
    limb_BLT = jnp.einsum("li,bit->blt", jnp.asarray(LIMB_FROM_I_II, jnp.float32), noise_BLT[:, :2])
    noise_BLT = jnp.concatenate([limb_BLT, noise_BLT[:, len(LIMB_LEADS) :]], axis=1)
    ecg_BLT = crops.ecg_BLT * factor_B[:, None, None] + noise_BLT
    return crops._replace(ecg_BLT=jnp.where(crops.available_BL[:, :, None], ecg_BLT, 0.0))


def mixup(key: jax.Array, crops: Crops, alpha: float) -> Crops:
    """Each crop mixed with its neighbour in the batch, and their labels alike (Zhang et al. 2018).

    The share of a crop is drawn from Beta(alpha, alpha). A mixed lead is available where both are, and valid
    where both are, and a label is known where both are. Two crops without a lead in common are not mixed.
    """
    partner = Crops(*(jnp.roll(each, 1, axis=0) for each in crops))
    both_BL = crops.available_BL & partner.available_BL
    share_B = jax.random.beta(key, alpha, alpha, crops.length_B.shape)
    mixed_B = both_BL.any(-1)
    share_B = jnp.where(mixed_B, share_B, 1.0)

    def mix(own: jax.Array, other: jax.Array) -> jax.Array:
        share = share_B.reshape(-1, *[1] * (own.ndim - 1))
        return share * own + (1.0 - share) * other

    available_BL = jnp.where(mixed_B[:, None], both_BL, crops.available_BL)
    ecg_BLT = jnp.where(available_BL[:, :, None], mix(crops.ecg_BLT, partner.ecg_BLT), 0.0)
    length_B = jnp.where(mixed_B, jnp.minimum(crops.length_B, partner.length_B), crops.length_B)
    known_BC = jnp.where(mixed_B[:, None], crops.known_BC & partner.known_BC, crops.known_BC)
    return Crops(ecg_BLT, available_BL, length_B, mix(crops.labels_BC, partner.labels_BC), known_BC)
