"""One step of training, and one of validation: pure functions of (state, batch)."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding

from coreecg_jax.inputs.batch import Batch
from coreecg_jax.inputs.corpus import make_draw
from coreecg_jax.method.division import dividing
from coreecg_jax.method.objective import Metrics, Objective
from coreecg_jax.training.mesh import Placement, of_kernel
from coreecg_jax.training.state import Parameters, TrainState

TrainStep = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
P = ParamSpec("P")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class Seeded:
    """A jitted function of (seed, …) and the seed it is given: runs of other seeds use the same program."""

    program: Any  # under jax.jit
    seed: int

    def __call__(self, *arguments: Any) -> Any:
        return self.program(np.uint32(self.seed), *arguments)

    def lower(self, *arguments: Any) -> Any:
        """As of `jax.jit`."""
        return self.program.lower(np.uint32(self.seed), *arguments)


def _once(make: Callable[P, R]) -> Callable[P, R]:
    """One function for the same settings: jit knows it again, a process that trains twice compiles once."""
    made: Any = functools.lru_cache(maxsize=8)(make)
    return made


def make_train_step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    *,
    seed: int,
    placement: Placement,
    of_state: Any = None,
) -> TrainStep:
    """The jitted step `(state, batch) -> (state, metrics)`; crops, FDA and STDM are drawn inside.

    Every random number is a function of (seed, state.step), so a resumed run goes on as if it had
    not been stopped. A loss or gradient that is not finite changes neither parameters nor optimizer; it is
    counted. The given state is donated.

    Args:
      of_state: `placement.of_state`; the state is on every device where None.
    """
    everywhere, divided = placement
    of_state = everywhere if of_state is None else of_state
    program = jax.jit(
        _train_step(objective, optimizer, divided),
        in_shardings=(everywhere, of_state, divided),
        out_shardings=(of_state, everywhere),
        donate_argnums=1,
    )
    return Seeded(program, seed)


# (state, corpus rows, indices, how many steps) -> (state, metrics of each step)
CorpusSteps = Callable[[TrainState, jax.Array, Any, Any], tuple[TrainState, Metrics]]


def make_corpus_steps(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    *,
    seed: int,
    placement: Placement,
    window_samples: int,
    of_state: Any = None,
) -> CorpusSteps:
    """Several of the same steps in one dispatch: `(state, rows, index_KB, count) -> (state, metrics_K)`.

    Batch k is drawn from the corpus by row k of the indices; the first `count` rows are used, and only as
    many entries of the metrics mean something. The number is no part of the compiled program, so that a run
    comes to the same bits however its steps are dealt out to dispatches: a loop of another length would be
    another program.
    """
    everywhere, divided = placement
    of_state = everywhere if of_state is None else of_state
    program = jax.jit(
        _corpus_steps(objective, optimizer, divided, window_samples),
        in_shardings=(everywhere, of_state, divided, everywhere, everywhere),
        out_shardings=(of_state, everywhere),
        donate_argnums=1,
    )
    return Seeded(program, seed)


@_once
def _corpus_steps(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    divided: NamedSharding,
    window_samples: int,
) -> Callable[..., tuple[TrainState, Metrics]]:
    train_step, draw = _train_step(objective, optimizer, divided), make_draw(divided, window_samples)

    def corpus_steps(
        seed: jax.Array, state: TrainState, rows: jax.Array, index_KB: jax.Array, count: jax.Array
    ) -> tuple[TrainState, Metrics]:
        def step(number: jax.Array, done: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
            state, metrics_K = done
            state, metrics = train_step(seed, state, draw(rows, index_KB[number]))
            return state, jax.tree.map(lambda all_K, one: all_K.at[number].set(one), metrics_K, metrics)

        _, one = jax.eval_shape(lambda: train_step(seed, state, draw(rows, index_KB[0])))
        none = jax.tree.map(lambda leaf: jnp.zeros((len(index_KB),), leaf.dtype), one)
        return jax.lax.fori_loop(0, count, step, (state, none))

    return corpus_steps


@_once
def _train_step(
    objective: Objective, optimizer: optax.GradientTransformation, divided: NamedSharding
) -> Callable[[jax.Array, TrainState, Batch], tuple[TrainState, Metrics]]:
    def train_step(seed: jax.Array, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        gradient_of = jax.value_and_grad(objective, has_aux=True)
        with dividing(divided, of_kernel):
            (loss, metrics), gradient = gradient_of(state.parameters, key, **batch._asdict())
        updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.parameters)
        parameters: Any = optax.apply_updates(state.parameters, updates)
        metrics["gradient_norm"] = _norm(gradient)
        finite = jnp.isfinite(loss) & jnp.isfinite(metrics["gradient_norm"])
        state = _next_state(state, finite, parameters, optimizer_state)
        metrics["parameter_norm"] = _norm(state.parameters["network"])
        metrics["skipped"], metrics["skipped_in_a_row"] = state.skipped, state.skipped_in_a_row
        return state, metrics

    return train_step


def _norm(tree: Any) -> jax.Array:
    """Of all numbers together. `optax.tree.norm` squares imaginary parts too, which takes time to trace."""
    return jnp.sqrt(jnp.asarray(sum((leaf**2).sum() for leaf in jax.tree.leaves(tree))))


def _next_state(
    state: TrainState, finite: jax.Array, parameters: Parameters, optimizer_state: optax.OptState
) -> TrainState:
    """The state with these parameters where `finite`; otherwise the same, with one more step skipped."""

    def chosen(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda new, old: jax.lax.select_n(finite, old, new), new, old)

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
    objective: Objective, *, placement: Placement, of_parameters: Any = None
) -> Callable[[Parameters, Batch, Any], Validated]:
    """The jitted validation `(parameters, batch, number) -> Validated`.

    Crops, views and masks of batch `number` are the same at every validation and in every run.
    """
    everywhere, divided = placement
    of_parameters = everywhere if of_parameters is None else of_parameters
    return jax.jit(
        _validation_step(objective, divided),
        in_shardings=(of_parameters, divided, everywhere),
        out_shardings=everywhere,
    )


@_once
def _validation_step(
    objective: Objective, divided: NamedSharding
) -> Callable[[Parameters, Batch, Any], Validated]:
    def validation_step(parameters: Parameters, batch: Batch, number: Any) -> Validated:
        key = jax.random.fold_in(jax.random.key(0), number)
        with dividing(divided):
            forward = objective.forward(parameters, key, batch.ecg, batch.length, batch.available)
            _, metrics = objective.losses(forward, batch.patient)
        return Validated(metrics, forward.output.projection_BE, forward.output.global_BD)

    return validation_step
