"""AdamW with warm-up and cosine; FDA's importance by a rate of its own and without decay."""

import functools
from collections.abc import Hashable

import jax
import optax


def schedule(peak: float, *, warmup_steps: int, steps: int) -> optax.Schedule:
    """Learning rate: linear from 0 to `peak`, then a cosine to 0 at `steps`."""
    return optax.warmup_cosine_decay_schedule(0.0, peak, warmup_steps, steps, 0.0)


@functools.lru_cache(maxsize=8)  # one object for the same settings, by which jit knows what it has compiled
def make_optimizer(
    *,
    learning_rate: float,
    fda_learning_rate: float,
    warmup_steps: int,
    steps: int,
    weight_decay: float,
    b1: float,
    b2: float,
    clip: float,
) -> optax.GradientTransformation:
    """AdamW after clipping by the global norm.

    Weight decay falls on matrices only (the kernels of linear layers): neither on norms, biases,
    embeddings, the taps of the patch embedding's convolutions nor on FDA's importance, which it would pull to
    indifference.

    Raises:
      ValueError: when a number is out of its range.
    """
    if not 0 <= warmup_steps < steps:
        raise ValueError(
            f"optimizer.warmup_steps: expected 0 <= warmup_steps < run.steps = {steps}, got {warmup_steps}"
        )
    if learning_rate <= 0 or fda_learning_rate < 0 or weight_decay < 0 or clip <= 0:
        raise ValueError(
            "optimizer: expected learning_rate > 0, fda_learning_rate >= 0, weight_decay >= 0, clip > 0, got "
            f"{learning_rate}, {fda_learning_rate}, {weight_decay}, {clip}"
        )

    if not (0 <= b1 < 1 and 0 <= b2 < 1):
        raise ValueError(f"optimizer: expected 0 <= b1 < 1 and 0 <= b2 < 1, got {b1}, {b2}")

    def adamw(peak: float, decay: float) -> optax.GradientTransformation:
        rate = schedule(peak, warmup_steps=warmup_steps, steps=steps)
        return optax.adamw(rate, b1=b1, b2=b2, weight_decay=decay, mask=is_matrix)

    parts: dict[Hashable, optax.GradientTransformation] = {
        "network": adamw(learning_rate, weight_decay),
        "fda": adamw(fda_learning_rate, 0.0),
    }
    by_part = optax.multi_transform(parts, lambda parameters: {name: name for name in parameters})
    return optax.chain(optax.clip_by_global_norm(clip), by_part)


def is_matrix(parameters: optax.Params) -> optax.Params:
    """True for the kernels of linear layers. By name: stacked layers give even a bias two axes."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jax.tree_util.keystr(path[-1:], simple=True) == "kernel", parameters
    )
