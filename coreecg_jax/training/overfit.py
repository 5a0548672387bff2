"""The first gate: one batch, seen again and again under the same masks, must be recoverable."""

from typing import Any

import jax
import optax

from coreecg_jax.inputs.batch import Batch
from coreecg_jax.method.objective import Metrics, Objective
from coreecg_jax.training.state import init_state


def overfit(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    batch: Batch,
    *,
    seed: int,
    steps: int,
    every: int,
) -> list[tuple[int, dict[str, float]]]:
    """Trains on one batch with one key, so crops, views and masks are those of the first step throughout.

    Returns:
      (step, metrics) at step 0 and at each `every` steps.
    """
    key = jax.random.key(seed)
    state = init_state(objective, optimizer, key)

    @jax.jit
    def step(parameters: Any, optimizer_state: optax.OptState) -> tuple[Any, optax.OptState, Metrics]:
        (_, metrics), gradient = jax.value_and_grad(objective, has_aux=True)(
            parameters, key, **batch._asdict()
        )
        updates, optimizer_state = optimizer.update(gradient, optimizer_state, parameters)
        return optax.apply_updates(parameters, updates), optimizer_state, metrics

    parameters, optimizer_state = state.parameters, state.optimizer
    curve: list[tuple[int, dict[str, float]]] = []
    for number in range(steps + 1):
        parameters, optimizer_state, metrics = step(parameters, optimizer_state)
        if number % every == 0:
            curve.append((number, {name: float(value) for name, value in metrics.items()}))
    return curve
