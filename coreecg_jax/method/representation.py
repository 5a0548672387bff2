"""What a frozen encoder says of a recording: the global token, tokens pooled by lead, and their rhythm."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.method.network import CoReECG, pool
from coreecg_jax.method.rhythm import LAG_COLUMNS, SHIFTS, autocorrelation, encode_shifted
from coreecg_jax.method.unmasked import Tokens, encode_unmasked, read
from coreecg_jax.records.leads import LEADS, LIMB_LEADS, lead_indices

POOLINGS = ("rhythm", "lead", "recording")


def represent(
    network: CoReECG,
    parameters: dict[str, Any],
    ecg_BLT: jax.Array,
    available_BL: jax.Array,
    length_B: jax.Array,
    *,
    leads: Sequence[str] = LEADS,
    pooling: str = "rhythm",
) -> jax.Array:
    """The representation of unmasked crops: [global token, means, maxima, autocorrelation] of patch tokens.

    Args:
      network: the network.
      parameters: its parameters.
      ecg_BLT: float32 in mV, one row of each recording a lead, in the order of `leads`; T a multiple
        of the patch.
      available_BL: bool, in the order of `leads`; a lead that is not available takes part in nothing.
      length_B: int32, valid samples from the start; columns not wholly valid take part in nothing.
      leads: names of the leads, any subset in any order.
      pooling: 'lead' pools each lead's tokens over time, as ST segments and voltages matter by lead;
        'rhythm' does so from `SHIFTS` starts within a patch (one column less), adds the tokens before the
        first layer, pooled alike, and the autocorrelation of the last, which says what means and maxima
        cannot: rate and regularity; 'recording' pools all tokens together, for a short vector.

    Returns:
      float32[B, F], by pooling:
      'lead', 25 widths: global token, then means (of all twelve leads in the order of `LEADS`, 0 where a
        lead is not available), then maxima;
      'rhythm', 49 widths + `SHIFTS * LAG_COLUMNS`: the same, then means and maxima of the tokens before the
        first layer, then the autocorrelation at lags of 1, 2, … shifts;
      'recording', 3 widths: global token, mean, maximum.

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
    used, crops = _leads_in_use(leads), read(network, ecg_BLT, available_BL, length_B)
    encode = functools.partial(encode_unmasked, network, parameters, places=used)
    if pooling == "recording":
        return _pooled_together(encode(crops))
    if pooling == "lead":
        tokens = encode(crops)
        return jnp.concatenate([tokens.global_BD, *_by_lead(tokens.tokens_BUND, tokens, used)], axis=-1)
    tokens = encode_shifted(encode, crops, network.patch)
    last, embedded = (_by_lead(x, tokens, used) for x in (tokens.tokens_BUND, tokens.embedded_BUND))
    rhythm_BK = autocorrelation(tokens.tokens_BUND, tokens.seen_BUN, SHIFTS * LAG_COLUMNS)
    return jnp.concatenate([tokens.global_BD, *last, *embedded, rhythm_BK], axis=-1)


def compiled_represent(
    network: CoReECG, *, leads: Sequence[str] = LEADS, pooling: str = "rhythm"
) -> Callable[..., jax.Array]:
    """`represent` of this network under `jax.jit`, traced once a process for each shape, whoever asks."""
    hashable: Any = network  # a flax module is, though its type does not say so
    return _compiled(hashable, tuple(leads), pooling)


@functools.lru_cache(maxsize=64)
def _compiled(network: CoReECG, leads: tuple[str, ...], pooling: str) -> Callable[..., jax.Array]:
    return jax.jit(functools.partial(represent, network, leads=leads, pooling=pooling))


def _pooled_together(tokens: Tokens) -> jax.Array:
    batch, width = tokens.global_BD.shape
    pooled = pool(tokens.tokens_BUND.reshape(batch, -1, width), tokens.seen_BUN.reshape(batch, -1))
    return jnp.concatenate([tokens.global_BD, *pooled], axis=-1)


def _by_lead(x_BUND: jax.Array, tokens: Tokens, used: Sequence[int]) -> list[jax.Array]:
    """Mean and maximum over time, each float[B, 12 * D], zeros for the leads that are not used."""
    pooled = pool(x_BUND, tokens.seen_BUN)
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
