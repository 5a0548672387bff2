"""A crop as the encoder's tokens, for heads that are trained by gradients."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.network import CoReECG, patchify
from coreecg_jax.method.normalisation import as_read, normalise
from coreecg_jax.records.leads import LIMB_LEADS

# What of the network's parameters the encoder is; the others make predictions and projections of it.
ENCODER = ("patch_norm", "embed", "lead_embedding", "free_tokens", "encoder_stack")


class Tokens(NamedTuple):
    """What the encoder makes of a crop, U leads in use; float32."""

    global_BD: jax.Array
    tokens_BUND: jax.Array  # by lead and column
    seen_BUN: jax.Array  # bool; tokens that are not seen mean nothing


def leads_in_use(recordings: Recordings) -> tuple[int, ...]:
    """Places of the leads that some recording has, or can derive: any two limb leads give all six.

    The encoder is given these alone, so that recordings of one lead cost a twelfth of the tokens.

    Raises:
      ValueError: when no recording has any lead.
    """
    available, limbs = recordings.available, len(LIMB_LEADS)
    used = set(np.flatnonzero(available.any(axis=0)).tolist())
    if not used:
        raise ValueError(f"expected recordings with leads, got {len(recordings)} windows without any")
    if (available[:, :limbs].sum(axis=1) >= 2).any():
        used |= set(range(limbs))
    return tuple(sorted(used))


def crop_tokens(
    network: CoReECG,
    parameters: dict[str, Any],
    ecg_BLT: jax.Array,
    available_BL: jax.Array,
    length_B: jax.Array,
    *,
    places: tuple[int, ...],
    keep_XB: jax.Array | None = None,
) -> Tokens:
    """The tokens of unmasked crops, read as `representation.represent` reads them.

    Args:
      network: the network.
      parameters: its parameters.
      ecg_BLT: float32[B, 12, T] in mV; T a multiple of the patch.
      available_BL: bool; a lead that is not available takes part in nothing.
      length_B: int32, valid samples from the start; columns not wholly valid take part in nothing.
      places: of the leads that are given to the encoder (`leads_in_use`).
      keep_XB: multipliers of what each layer adds (`layers.drop_path`).
    """
    batch, _, samples = ecg_BLT.shape
    columns = samples // network.patch
    valid_BT = jnp.arange(samples)[None] < length_B[:, None]
    normalised = normalise(ecg_BLT, available_BL, valid_BT)
    read_BLT = as_read(normalised.ecg_BLT, normalised.scale_B, millivolts=network.voltage)
    seen_BLN = normalised.available_BL[:, :, None] & valid_BT[:, None, network.patch - 1 :: network.patch]
    seen_BUN = seen_BLN[:, np.array(places)]
    kept_K = (np.array(places)[:, None] * columns + np.arange(columns)[None]).reshape(-1)
    kept_BK = jnp.broadcast_to(kept_K.astype(np.int32), (batch, len(kept_K)))
    patches_BSP = patchify(read_BLT, network.patch)
    seen_BK = seen_BUN.reshape(batch, -1)
    encoded: Any = network.apply(
        {"params": parameters}, patches_BSP, kept_BK, seen_BK, keep_XB, method="encode"
    )
    return Tokens(encoded.global_BD, encoded.tokens_BKD.reshape(batch, len(places), columns, -1), seen_BUN)
