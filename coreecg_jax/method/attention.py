"""Attention and what is added to its logits: time bias, and keys that are shut out."""

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.method.division import each_its_own
from coreecg_jax.method.fused_attention import HIDDEN_KEY, attend_fused, is_fused
from coreecg_jax.method.machine import traced_for_cpu

TIME_SLOPES = (2.0, 0.5, 0.0)  # of the attention bias, a column; heads take them in turn
# Tokens from which on a CPU attends one head of one recording at a time: fewer logits fit into its cache as
# they are (docs/performance.md).
MANY_TOKENS = 256


def attention_bias(
    column_BK: jax.Array, seen_BK: jax.Array, *, heads: int, free_tokens: int, time_bias: bool
) -> jax.Array:
    """What is added to the attention logits, float32[B, H, K', K'] with K' = free_tokens + K.

    -slope * |difference of columns| between patch tokens (ALiBi, Press et al. 2022, made symmetric);
    nothing to or from the leading `free_tokens` (global token, registers); unseen keys shut out.
    """
    distance_BKK = jnp.abs(column_BK[:, :, None] - column_BK[:, None, :]).astype(jnp.float32)
    slopes_H = np.resize(np.asarray(TIME_SLOPES, np.float32), heads) * time_bias
    time_BHKK = -slopes_H[None, :, None, None] * distance_BKK[:, None]
    time_BHKK = jnp.pad(time_BHKK, ((0, 0), (0, 0), (free_tokens, 0), (free_tokens, 0)))
    shut_BK = jnp.pad(jnp.where(seen_BK, 0.0, HIDDEN_KEY), ((0, 0), (free_tokens, 0)))
    return time_BHKK + shut_BK[:, None, None, :]


def attend(q_BHKd: jax.Array, k_BHKd: jax.Array, v_BHKd: jax.Array, bias_BHKK: jax.Array) -> jax.Array:
    """softmax(q k' / sqrt(d) + bias) v, softmax in float32; recordings or heads of `bias` may be 1.

    Heads stand before tokens: on a CPU the batched products run 2.5 times faster so than through
    `jax.nn.dot_product_attention` (docs/performance.md).
    """
    if is_fused():
        return attend_fused(q_BHKd, k_BHKd, v_BHKd, bias_BHKK)
    if traced_for_cpu() and q_BHKd.shape[-2] >= MANY_TOKENS:
        return each_its_own(_one_by_one)(q_BHKd, k_BHKd, v_BHKd, bias_BHKK)
    return _attend(q_BHKd, k_BHKd, v_BHKd, bias_BHKK)


def _attend(q_XKd: jax.Array, k_XKd: jax.Array, v_XKd: jax.Array, bias_XKK: jax.Array) -> jax.Array:
    weights_XKK = jax.nn.softmax(_logits(q_XKd * q_XKd.shape[-1] ** -0.5, k_XKd) + bias_XKK)
    return jnp.einsum("...qk,...kd->...qd", weights_XKK.astype(v_XKd.dtype), v_XKd)


@jax.custom_vjp
def _logits(q_XKd: jax.Array, k_XKd: jax.Array) -> jax.Array:
    """q k', float32[..., K, K] whatever the type of q: rounded to bfloat16, a logit of 20 is off by 6 %.

    Their gradient is cast to the type of q instead: jax would multiply it as float32, where an accelerator
    is slow.
    """
    return jnp.einsum("...qd,...kd->...qk", q_XKd, k_XKd, preferred_element_type=jnp.float32)


def _logits_and_factors(q_XKd: jax.Array, k_XKd: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _logits(q_XKd, k_XKd), (q_XKd, k_XKd)


def _to_factors(factors: tuple[jax.Array, jax.Array], gradient_XKK: jax.Array) -> tuple[jax.Array, jax.Array]:
    q_XKd, k_XKd = factors
    gradient_XKK = gradient_XKK.astype(q_XKd.dtype)
    return (
        jnp.einsum("...qk,...kd->...qd", gradient_XKK, k_XKd),
        jnp.einsum("...qk,...qd->...kd", gradient_XKK, q_XKd),
    )


_logits.defvjp(_logits_and_factors, _to_factors)


def _one_by_one(q_BHKd: jax.Array, k_BHKd: jax.Array, v_BHKd: jax.Array, bias_BHKK: jax.Array) -> jax.Array:
    """The same, each head of each recording by itself; its logits are computed again for the gradient."""
    batch, heads = q_BHKd.shape[:2]
    index_XI = np.indices((batch, heads)).reshape(2, -1).T
    index_XI = index_XI * (np.array(bias_BHKK.shape[:2]) > 1)  # what is one is for all
    bias_BHKK = jnp.asarray(bias_BHKK)

    @jax.checkpoint
    def attend_once(of_one: tuple[jax.Array, ...]) -> jax.Array:
        *qkv, index_I = of_one
        return _attend(*qkv, bias_BHKK[index_I[0], index_I[1]])

    flat = (x.reshape(batch * heads, *x.shape[2:]) for x in (q_BHKd, k_BHKd, v_BHKd))
    return jax.lax.map(attend_once, (*flat, jnp.asarray(index_XI))).reshape(q_BHKd.shape)
