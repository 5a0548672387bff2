"""What a frozen encoder says of a recording: the global token, and each lead's tokens by mean and maximum."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.method.network import CoReECG, patchify, pool
from coreecg_jax.method.normalisation import as_read, normalise
from coreecg_jax.records.leads import LEADS, LIMB_LEADS, lead_indices

POOLINGS = ("lead", "recording")


def represent(
    network: CoReECG,
    parameters: dict[str, Any],
    ecg_BLT: jax.Array,
    available_BL: jax.Array,
    length_B: jax.Array,
    *,
    leads: Sequence[str] = LEADS,
    pooling: str = "lead",
) -> jax.Array:
    """The representation of unmasked crops: [global token, means, maxima] of the patch tokens.

    Args:
      network: the network.
      parameters: its parameters.
      ecg_BLT: float32 in mV, one row of each recording a lead, in the order of `leads`; T a multiple
        of the patch.
      available_BL: bool, in the order of `leads`; a lead that is not available takes part in nothing.
      length_B: int32, valid samples from the start; columns not wholly valid take part in nothing.
      leads: names of the leads, any subset in any order.
      pooling: 'lead' pools each lead's tokens over time, as ST segments and voltages matter by lead;
        'recording' pools all tokens together, where a short vector is wanted.

    Returns:
      float32[B, 25 * width], or float32[B, 3 * width] pooled over the recording: global token, then means
      (of all twelve leads in the order of `LEADS`, 0 where a lead is not available), then maxima.

    Raises:
      ValueError: when the leads are not those named, T is no multiple of the patch, or `pooling` is unknown.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling: expected one of {', '.join(POOLINGS)}, got {pooling!r}")
    ecg_BLT, available_BL = _at_their_places(ecg_BLT, available_BL, lead_indices(leads))
    samples, columns = ecg_BLT.shape[-1], ecg_BLT.shape[-1] // network.patch
    if columns * network.patch != samples or not columns:
        raise ValueError(
            f"expected a multiple of model.patch = {network.patch} samples, got {samples}: crop or pad (with "
            "`length_B`) to one"
        )
    valid_BT = jnp.arange(samples)[None] < length_B[:, None]
    normalised = normalise(ecg_BLT, available_BL, valid_BT)
    read_BLT = as_read(normalised.ecg_BLT, normalised.scale_B, millivolts=network.voltage)
    seen_BLN = normalised.available_BL[:, :, None] & valid_BT[:, None, network.patch - 1 :: network.patch]
    used = _leads_in_use(leads)
    kept_S = (np.array(used)[:, None] * columns + np.arange(columns)[None]).reshape(-1)
    kept_BS = jnp.broadcast_to(kept_S.astype(np.int32), (len(ecg_BLT), len(kept_S)))
    seen_BS = seen_BLN.reshape(len(ecg_BLT), -1)[:, kept_S]
    encoded: Any = network.apply(
        {"params": parameters}, patchify(read_BLT, network.patch), kept_BS, seen_BS, method="encode"
    )
    if pooling == "recording":
        pooled = pool(encoded.tokens_BKD, seen_BS)
    else:
        by_lead = len(ecg_BLT), len(used), columns
        pooled = _all_leads(pool(encoded.tokens_BKD.reshape(*by_lead, -1), seen_BS.reshape(by_lead)), used)
    return jnp.concatenate([encoded.global_BD, *pooled], axis=-1)


def _all_leads(pooled: Sequence[jax.Array], used: Sequence[int]) -> list[jax.Array]:
    """Each float[B, used leads, D] as float[B, 12 * D], zeros for the leads that are not used."""
    full = [jnp.zeros((len(x), len(LEADS), x.shape[-1])).at[:, np.array(used)].set(x) for x in pooled]
    return [x.reshape(len(x), -1) for x in full]


def _at_their_places(
    ecg_BLT: jax.Array, available_BL: jax.Array, places: tuple[int, ...]
) -> tuple[jax.Array, jax.Array]:
    """The named leads at their places among the twelve, the others not available."""
    if ecg_BLT.shape[1] != len(places):
        raise ValueError(f"expected {len(places)} leads as named, got a signal of shape {ecg_BLT.shape}")
    ecg = jnp.zeros((len(ecg_BLT), len(LEADS), ecg_BLT.shape[-1]), jnp.float32)
    available = jnp.zeros((len(ecg_BLT), len(LEADS)), bool)
    at = np.array(places)
    return ecg.at[:, at].set(ecg_BLT), available.at[:, at].set(available_BL)


def _leads_in_use(leads: Sequence[str]) -> list[int]:
    """Places that can be available: those named and, from two limb leads on, all limb leads."""
    places = set(lead_indices(leads))
    limbs = set(range(len(LIMB_LEADS)))
    return sorted(places | limbs if len(places & limbs) >= 2 else places)
