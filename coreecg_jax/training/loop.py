"""Pretraining, told in order. Here the config ends: all that is called below takes keywords."""

from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import ml_collections

from coreecg_jax.inputs.pipeline import training_batches
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.inputs.selection import select
from coreecg_jax.inputs.transfer import to_devices
from coreecg_jax.method.objective import Objective
from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.experiment import build, resolved
from coreecg_jax.training.health import Speed, require_finite
from coreecg_jax.training.interruption import Interruption
from coreecg_jax.training.journal import Journal
from coreecg_jax.training.mesh import Placement, data_parallel, require_divisible
from coreecg_jax.training.progress import Progress
from coreecg_jax.training.state import Parameters, TrainState, init_state
from coreecg_jax.training.step import make_train_step
from coreecg_jax.training.validation import Evaluator, make_validator

LOSSES = ("loss", "reconstruction", "contrastive")  # shown on the progress line, those that there are


Draw = Callable[[Parameters], bytes]  # a picture (PNG) of what the parameters do


def train(
    config: ml_collections.ConfigDict,
    workdir: Path | str,
    evaluators: Mapping[str, Evaluator] | None = None,
    pictures: Mapping[str, Draw] | None = None,
) -> TrainState:
    """Pretrains, or goes on where the run in `workdir` stopped, to the byte as if it had not.

    Order of a start: check the config against the data, build, restore the last checkpoint, cut the
    journal back to it, start the batches at its step. Ctrl-C saves before it stops.

    Args:
      config: as in `configs/`.
      workdir: of the run.
      evaluators: further functions of the parameters, called at each validation; their figures are
        journalled under the mapping's name.
      pictures: drawn at each validation, for TensorBoard.

    Raises:
      ValueError: when config, data and workdir do not go together.
      FloatingPointError: when the loss is no longer finite; the last checkpoint before that is kept.
    """
    config = resolved(config)
    data, run = config.data, config.run
    preprocessing = select(data.root, data.train).preprocessing
    experiment = build(config, preprocessing)
    placement = data_parallel()
    require_divisible("data.batch_size", data.batch_size, placement)
    require_divisible("data.validation_batch_size", data.validation_batch_size, placement)
    batches_from = training_batches(
        data.root,
        data.train,
        batch_size=data.batch_size,
        seed=config.seed,
        min_seconds=experiment.objective.window_seconds,
        shuffle_buffer=data.shuffle_buffer,
    )
    evaluators = {"validation": _validator(data, experiment.objective, placement), **(evaluators or {})}
    step = make_train_step(experiment.objective, experiment.optimizer, seed=config.seed, placement=placement)
    fresh = init_state(experiment.objective, experiment.optimizer, jax.random.key(config.seed))
    with Checkpoints(workdir, config, preprocessing) as checkpoints:
        state = checkpoints.restore_last(jax.device_put(fresh, placement.replicated))
        start = int(state.step)
        if start == run.steps:
            print(f"nothing to do: all {run.steps} steps of {workdir} are done")
            return state
        speed = Speed(experiment.objective, batch_size=data.batch_size)
        batches = to_devices(speed.watched(batches_from(start)), placement.divided)
        with (
            Journal(workdir, resume_step=start) as journal,
            Progress(run.steps, start_step=start, batch_size=data.batch_size) as progress,
            Interruption() as interruption,
        ):
            for number in range(start + 1, run.steps + 1):
                state, metrics = step(state, next(batches))
                # Read once: a signal that comes later in this step is answered after the next.
                stopping = interruption.asked
                last = number == run.steps
                logs = number % run.log_every == 0
                validates = last or number % run.validate_every == 0
                saves = last or stopping or number % run.checkpoint_every == 0
                if logs or validates or saves:
                    require_finite(number, metrics)
                if logs:
                    figures = jax.device_get(metrics)
                    journal.write(number, figures | speed.since_last(number))
                    progress.update(number, {name: figures[name] for name in LOSSES if name in figures})
                if validates:
                    with speed.paused():
                        _evaluate(number, state, evaluators, journal, checkpoints)
                        for name, draw in (pictures or {}).items():
                            journal.draw(number, name, draw(state.parameters))
                if saves:
                    checkpoints.save_last(state)
                if stopping and not last:
                    raise InterruptedError(
                        f"stopped at step {number} of {run.steps}; the same command goes on from there"
                    )
    return state


def _validator(data: ml_collections.ConfigDict, objective: Objective, placement: Placement) -> Evaluator:
    recordings = read_recordings(data.root, data.validation, min_seconds=objective.window_seconds)
    return make_validator(objective, recordings, batch_size=data.validation_batch_size, placement=placement)


def _evaluate(
    number: int,
    state: TrainState,
    evaluators: Mapping[str, Evaluator],
    journal: Journal,
    checkpoints: Checkpoints,
) -> None:
    """Journals what each evaluator says; a checkpoint is the best by validation loss."""
    for name, evaluator in evaluators.items():
        figures = evaluator(state.parameters)
        journal.write(number, figures, prefix=name)
        if name == "validation":
            checkpoints.save_if_best(state, figures["loss"])
