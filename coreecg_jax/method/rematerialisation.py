"""What a layer keeps of its forward pass for its gradient, and what it computes again: memory against time.

Kept whole, a layer of S leaves 34 numbers for each token and width (bfloat16, 155 tokens, attention counted);
the batches that InfoNCE wants do not fit into an accelerator so (docs/running.md).
"""

import contextlib
import contextvars
from collections.abc import Generator
from typing import Any

import jax
from flax import linen as nn

# The name of each choice, and what jax.checkpoint is told to keep; without one nothing is computed again.
# 'dots' keeps what products with weights gave: the rest, attention included, is a small part of the work.
CHOICES: dict[str, Any] = {
    "none": None,
    "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    "all": jax.checkpoint_policies.nothing_saveable,
}
_CHOICE = contextvars.ContextVar("rematerialised", default="none")


def require_choice(remat: str) -> None:
    """Raises ValueError, naming the field, for what is none of `CHOICES`."""
    if remat not in CHOICES:
        raise ValueError(f"run.remat: expected one of {', '.join(CHOICES)}, got {remat!r}")


@contextlib.contextmanager
def rematerialising(remat: str) -> Generator[None]:
    """What is traced inside computes that much of its layers again."""
    token = _CHOICE.set(remat)
    try:
        yield
    finally:
        _CHOICE.reset(token)


def recomputes() -> bool:
    """Whether what is being traced computes anything again."""
    return _CHOICE.get() != "none"


def rematerialised(block: type[nn.Module]) -> Any:
    """The same layer as a scan runs it, which keeps what it was told to."""
    if not recomputes():
        return block
    # Forward and backward pass are loops of their own: nothing could take what is computed again for common.
    return nn.remat(block, policy=CHOICES[_CHOICE.get()], prevent_cse=False)
