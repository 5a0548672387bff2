"""One step of training, and one of validation: pure functions of (state, batch)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from coreecg_jax.inputs.batch import Batch
from coreecg_jax.method.objective import Metrics, Objective
from coreecg_jax.training.mesh import Placement
from coreecg_jax.training.state import Parameters, TrainState

TrainStep = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]


def make_train_step(
    objective: Objective, optimizer: optax.GradientTransformation, *, seed: int, placement: Placement
) -> TrainStep:
    """The jitted step `(state, batch) -> (state, metrics)`; crops, FDA and STDM are drawn inside.

    Every random number is a function of (seed, state.step), so a resumed run goes on as if it had
    not been stopped. A loss or gradient that is not finite changes neither parameters nor optimizer; it is
    counted. The given state is donated.
    """

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        gradient_of = jax.value_and_grad(objective, has_aux=True)
        (loss, metrics), gradient = gradient_of(state.parameters, key, **batch._asdict())
        updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.parameters)
        parameters: Any = optax.apply_updates(state.parameters, updates)
        metrics["gradient_norm"] = optax.tree.norm(gradient)
        finite = jnp.isfinite(loss) & jnp.isfinite(metrics["gradient_norm"])
        state = _next_state(state, finite, parameters, optimizer_state)
        metrics["parameter_norm"] = optax.tree.norm(state.parameters["network"])
        metrics["skipped"], metrics["skipped_in_a_row"] = state.skipped, state.skipped_in_a_row
        return state, metrics

    everywhere, divided = placement
    return jax.jit(train_step, in_shardings=(everywhere, divided), out_shardings=everywhere, donate_argnums=0)


def _next_state(
    state: TrainState, finite: jax.Array, parameters: Parameters, optimizer_state: optax.OptState
) -> TrainState:
    """The state with these parameters where `finite`; otherwise the same, with one more step skipped."""

    def chosen(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda new, old: jnp.where(finite, new, old), new, old)

    return TrainState(
        state.step + 1,
        chosen(parameters, state.parameters),
        chosen(optimizer_state, state.optimizer),
        state.skipped + ~finite,
        jnp.where(finite, 0, state.skipped_in_a_row + 1),
    )


class Validated(NamedTuple):
    """What a batch of validation gives."""

    metrics: Metrics
    projection_2BE: jax.Array  # of the first views, then of the second
    global_2BD: jax.Array


def make_validation_step(
    objective: Objective, *, placement: Placement
) -> Callable[[Parameters, Batch, jax.Array], Validated]:
    """The jitted validation `(parameters, batch, number) -> Validated`.

    Crops, views and masks of batch `number` are the same at every validation and in every run.
    """

    def validation_step(parameters: Parameters, batch: Batch, number: jax.Array) -> Validated:
        key = jax.random.fold_in(jax.random.key(0), number)
        forward = objective.forward(parameters, key, batch.ecg, batch.length, batch.available)
        _, metrics = objective.losses(forward, batch.patient)
        return Validated(metrics, forward.output.projection_BE, forward.output.global_BD)

    everywhere, divided = placement
    return jax.jit(validation_step, in_shardings=(everywhere, divided, None), out_shardings=everywhere)
