"""The encoder on whole crops: every token of the leads at hand, nothing hidden."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.method.network import CoReECG, patchify
from coreecg_jax.method.normalisation import as_read, normalise


class Read(NamedTuple):
    """Crops as the encoder reads them."""

    read_BLT: jax.Array  # float32
    seen_BLT: jax.Array  # bool: of a lead that is available, or derived, and within the valid length


class Tokens(NamedTuple):
    """What the encoder makes of a crop, U leads in use; float32."""

    global_BD: jax.Array
    tokens_BUND: jax.Array  # by lead and column
    seen_BUN: jax.Array  # bool; tokens that are not seen mean nothing
    embedded_BUND: jax.Array  # before the first layer, place and lead not yet added


def read(network: CoReECG, ecg_BLT: jax.Array, available_BL: jax.Array, length_B: jax.Array) -> Read:
    """Centres and scales crops as training does.

    Args:
      network: the network.
      ecg_BLT: float32[B, 12, T] in mV.
      available_BL: bool; a lead that is not available takes part in nothing.
      length_B: int32, valid samples from the start.
    """
    valid_BT = jnp.arange(ecg_BLT.shape[-1])[None] < length_B[:, None]
    normalised = normalise(ecg_BLT, available_BL, valid_BT)
    read_BLT = as_read(normalised.ecg_BLT, normalised.scale_B, millivolts=network.voltage)
    return Read(read_BLT, normalised.available_BL[:, :, None] & valid_BT[:, None])


def encode_unmasked(
    network: CoReECG,
    parameters: dict[str, Any],
    crops: Read,
    places: Sequence[int],
    keep_XB: jax.Array | None = None,
) -> Tokens:
    """All tokens of the leads in use; a column that is not wholly valid is not seen.

    Args:
      network: the network.
      parameters: its parameters.
      crops: float32[B, 12, T], T a multiple of the patch.
      places: of the U leads that are given to the encoder.
      keep_XB: multipliers of what each layer adds (`layers.drop_path`).
    """
    batch, _, samples = crops.read_BLT.shape
    columns, used = samples // network.patch, np.array(places)
    seen_BUN = crops.seen_BLT[:, used, network.patch - 1 :: network.patch]
    kept_K = (used[:, None] * columns + np.arange(columns)[None]).reshape(-1)
    kept_BK = jnp.broadcast_to(kept_K.astype(np.int32), (batch, len(kept_K)))
    patches_BSP = patchify(crops.read_BLT, network.patch)
    encoded: Any = network.apply(
        {"params": parameters}, patches_BSP, kept_BK, seen_BUN.reshape(batch, -1), keep_XB, method="encode"
    )
    by_lead = batch, len(used), columns, network.width
    tokens_BUND, embedded_BUND = (x.reshape(by_lead) for x in (encoded.tokens_BKD, encoded.embedded_BKD))
    return Tokens(encoded.global_BD, tokens_BUND, seen_BUN, embedded_BUND)
