"""Rate and regularity from the encoder's tokens: what means and maxima over time cannot say."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.method.network import pool
from coreecg_jax.method.unmasked import Read, Tokens

# A fast heart beats every other patch of 0.3 s: too coarse to tell its rate. Encoded from as many starts
# within a patch, tokens follow each other at a third of it (0.1 s).
SHIFTS = 3
LAG_COLUMNS = 10  # of the autocorrelation: 3 s at 0.3 s a column, two beats of a slow heart


def encode_shifted(encode: Callable[[Read], Tokens], crops: Read, patch: int) -> Tokens:
    """Tokens from `SHIFTS` starts within a patch, in the order of time: N = SHIFTS * (T / patch − 1).

    The global token is the mean over the starts.

    Args:
      encode: of crops that are one patch shorter.
      crops: float32[B, 12, T], T a multiple of the patch.
      patch: samples.

    Raises:
      ValueError: when the crops are a single patch.
    """
    samples = crops.read_BLT.shape[-1] - patch
    if not samples:
        raise ValueError(
            f"pooling 'rhythm': expected crops of two patches or more, got {patch} samples; use 'lead'"
        )

    def shifted(start: jax.Array) -> Tokens:
        return encode(Read(*(jax.lax.dynamic_slice_in_dim(x, start, samples, axis=2) for x in crops)))

    # One after the other: memory is that of one.
    tokens = jax.lax.map(shifted, np.arange(SHIFTS) * patch // SHIFTS)
    return Tokens(tokens.global_BD.mean(0), *(_in_time(x) for x in tokens[1:]))


def _in_time(x_IBUN: jax.Array) -> jax.Array:
    """[SHIFTS, B, U, N, …] as [B, U, N * SHIFTS, …]."""
    x_BUNI = jnp.moveaxis(x_IBUN, 0, 3)
    return x_BUNI.reshape(*x_BUNI.shape[:2], -1, *x_BUNI.shape[4:])


def autocorrelation(tokens_BUND: jax.Array, seen_BUN: jax.Array, lags: int) -> jax.Array:
    """How alike tokens are that lie 1 … `lags` places apart, float32[B, lags].

    Mean product of tokens of one lead, less that lead's mean token, over dimensions, leads and all pairs of
    seen tokens; divided by that at lag 0. 0 where there is no pair, or no token varies.
    """
    centred_BUND = (tokens_BUND - pool(tokens_BUND, seen_BUN)[0][:, :, None]) * seen_BUN[..., None]
    seen_BUN = seen_BUN.astype(jnp.float32)
    # Every pair of columns in one matrix product: a sum for each lag takes a CPU far longer
    # (docs/performance.md).
    sum_BNN = jnp.einsum("bund,bumd->bnm", centred_BUND, centred_BUND, precision=jax.lax.Precision.HIGHEST)
    pairs_BNN = jnp.einsum("bun,bum->bnm", seen_BUN, seen_BUN)
    products_BK = _by_lag(sum_BNN, lags) / jnp.maximum(_by_lag(pairs_BNN, lags), 1.0)
    return products_BK[:, 1:] / jnp.maximum(products_BK[:, :1], 1e-6)


def _by_lag(x_BNN: jax.Array, lags: int) -> jax.Array:
    """Sums over the columns that lie 0, 1, … `lags` places apart, float32[B, 1 + lags]."""
    return jnp.stack([jnp.trace(x_BNN, lag, axis1=1, axis2=2) for lag in range(lags + 1)], axis=-1)
