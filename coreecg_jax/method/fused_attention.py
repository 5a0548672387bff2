"""Attention by cuDNN's fused kernels on NVIDIA GPUs, which store neither logits nor their softmax.

The bias does, read for each recording, and in the backward pass its gradient, which nobody asked for, is
written: jax 0.10 asks cuDNN for it always.
Of `jax.nn.dot_product_attention`. Its demands are met here: tokens before heads, 16-bit numbers, a bias of
the same type, an even number of tokens. **It was never run**: no such device was at hand
(docs/performance.md).
"""

import contextlib
import contextvars
from collections.abc import Generator, Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from coreecg_jax.method.division import each_its_own

CHOICES = ("plain", "cudnn")
HIDDEN_KEY = -1e9  # added to the logit of a key that must not be attended to; finite, so no NaN
_HEAD_WIDTHS = range(8, 129, 8)  # that cuDNN has on every GPU with bfloat16
_CHOICE = contextvars.ContextVar("attention", default="plain")


def require_choice(attention: str, dtype: str, head_widths: Sequence[int]) -> None:
    """Raises ValueError, naming the fields, for what is none of `CHOICES` or what cuDNN has not.

    Args:
      attention: the choice.
      dtype: of the network.
      head_widths: of encoder and decoder.
    """
    if attention not in CHOICES:
        raise ValueError(f"run.attention: expected one of {', '.join(CHOICES)}, got {attention!r}")
    if attention == "cudnn" and dtype != "bfloat16":
        raise ValueError(
            f"run.attention: 'cudnn' computes in bfloat16, model.dtype is {dtype}: set model.dtype to "
            "bfloat16, or run.attention to plain"
        )
    odd = [width for width in head_widths if width not in _HEAD_WIDTHS]
    if attention == "cudnn" and odd:
        raise ValueError(
            f"run.attention: 'cudnn' has heads of 8 to 128 numbers, a multiple of 8, got {odd[0]}: change "
            "model.heads or model.decoder_heads, or set run.attention to plain"
        )


def require_gpu(attention: str) -> None:
    """Raises ValueError for 'cudnn' where there is no GPU."""
    if attention == "cudnn" and jax.default_backend() != "gpu":
        raise ValueError(
            f"run.attention: 'cudnn' needs an NVIDIA GPU, jax computes on {jax.default_backend()}: set "
            "run.attention to plain"
        )


@contextlib.contextmanager
def attending_by(attention: str) -> Generator[None]:
    """What is traced inside attends so.

    Raises:
      ValueError: for 'cudnn' where there is no GPU.
    """
    require_gpu(attention)
    token = _CHOICE.set(attention)
    try:
        yield
    finally:
        _CHOICE.reset(token)


def is_fused() -> bool:
    """Whether what is being traced attends by cuDNN."""
    return _CHOICE.get() == "cudnn"


def attend_fused(
    q_BHKd: jax.Array,
    k_BHKd: jax.Array,
    v_BHKd: jax.Array,
    bias_BHKK: jax.Array,
    implementation: Literal["xla", "cudnn"] = "cudnn",
) -> jax.Array:
    """As `attention.attend`; nothing flows back to the bias.

    The bias is rounded to the type of q, in which what `attention_bias` makes is exact up to 128 columns.
    """
    tokens = q_BHKd.shape[-2]
    fill = tokens % 2  # with a bias the kernels of the gradient take even numbers only
    q_BKHd, k_BKHd, v_BKHd = (
        jnp.pad(jnp.swapaxes(x, 1, 2), ((0, 0), (0, fill), (0, 0), (0, 0))) for x in (q_BHKd, k_BHKd, v_BHKd)
    )
    shut_out = ((0, 0), (0, 0), (0, 0), (0, fill))
    bias_BHKK = jnp.pad(bias_BHKK, shut_out, constant_values=HIDDEN_KEY)
    bias_BHKK = jnp.pad(bias_BHKK, ((0, 0), (0, 0), (0, fill), (0, 0)))
    bias_BHKK = jax.lax.stop_gradient(bias_BHKK.astype(q_BHKd.dtype))

    def attend(q: jax.Array, k: jax.Array, v: jax.Array, bias: jax.Array) -> jax.Array:
        return jax.nn.dot_product_attention(q, k, v, bias, implementation=implementation)

    h_BKHd = each_its_own(attend)(q_BKHd, k_BKHd, v_BKHd, bias_BHKK)
    return jnp.swapaxes(h_BKHd[:, :tokens], 1, 2)
