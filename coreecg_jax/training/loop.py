"""Pretraining, told in order. Here the config ends: all that is called below takes keywords."""

import sys
from collections.abc import Mapping
from pathlib import Path

import jax
import ml_collections

from coreecg_jax.inputs.pipeline import Stream, training_batches
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.inputs.selection import select
from coreecg_jax.inputs.transfer import to_devices
from coreecg_jax.method.objective import Objective
from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.experiment import build, resolved
from coreecg_jax.training.health import Speed
from coreecg_jax.training.interruption import Interruption, Stopped
from coreecg_jax.training.journal import Journal
from coreecg_jax.training.mesh import Placement, data_parallel, require_divisible
from coreecg_jax.training.progress import Progress
from coreecg_jax.training.skipping import Patience
from coreecg_jax.training.state import TrainState, init_state
from coreecg_jax.training.step import make_train_step
from coreecg_jax.training.validation import Evaluator, make_validator
from coreecg_jax.training.watching import Draw, Watch, was_watched

LOSSES = ("loss", "reconstruction", "contrastive")  # shown on the progress line, those that there are


def train(
    config: ml_collections.ConfigDict,
    workdir: Path | str,
    evaluators: Mapping[str, Evaluator] | None = None,
    pictures: Mapping[str, Draw] | None = None,
) -> TrainState:
    """Pretrains, or goes on where the run in `workdir` stopped, to the byte as if it had not.

    Order of a start: check the config against the data, build, restore the last whole checkpoint, cut the
    journal back to it, make up for a validation of its step that was stopped, start the batches there.

    Args:
      config: as in `configs/`.
      workdir: of the run.
      evaluators: further functions of the parameters, called at each validation; their figures are
        journalled under the mapping's name.
      pictures: drawn at each validation, for TensorBoard.

    Raises:
      ValueError: when config, data and workdir do not go together.
      Stopped: when it was asked to stop (Ctrl-C, SIGTERM, a preemption notice); the state is saved.
      NotFinite: when `run.max_skipped_in_a_row` losses or gradients in a row were not finite.
      OSError and others: when a checkpoint cannot be written; the one before is kept.
    """
    config = resolved(config)
    data, run = config.data, config.run
    training, validation = (select(data.root, spec) for spec in (data.train, data.validation))
    experiment = build(config, training.preprocessing)
    placement = data_parallel()
    require_divisible("data.batch_size", data.batch_size, placement)
    require_divisible("data.validation_batch_size", data.validation_batch_size, placement)
    stream = _stream(config, experiment.objective)
    patience = Patience(run.max_skipped_in_a_row, workdir, stream.recordings)
    evaluators = {"validation": _validator(data, experiment.objective, placement), **(evaluators or {})}
    step = make_train_step(experiment.objective, experiment.optimizer, seed=config.seed, placement=placement)
    fresh = init_state(experiment.objective, experiment.optimizer, jax.random.key(config.seed))
    manifests = {"train": training.manifest_digests(), "validation": validation.manifest_digests()}
    with Checkpoints(workdir, config, training.preprocessing, manifests) as checkpoints:
        state = checkpoints.restore_last(jax.device_put(fresh, placement.replicated))
        start = int(state.step)
        owed = start > 0 and _validates(start, run) and not was_watched(start, workdir)
        if start == run.steps and not owed:
            print(f"nothing to do: all {run.steps} steps of {workdir} are done")
            return state
        speed = Speed(experiment.objective, batch_size=data.batch_size)
        batches = to_devices(speed.watched(stream(start)), placement.divided)
        with (
            Journal(workdir, resume_step=start) as journal,
            Progress(run.steps, start_step=start, batch_size=data.batch_size) as progress,
            Interruption() as interruption,
        ):
            watch = Watch(evaluators, pictures or {}, journal, checkpoints, interruption)
            if owed:
                watch(start, state)
            for number in range(start + 1, run.steps + 1):
                state, metrics = step(state, next(batches))
                patience.look(number, metrics)
                interruption.look(number)
                if number % run.log_every == 0:
                    checkpoints.require_written()
                    figures = jax.device_get(metrics) | stream.figures
                    journal.write(number, figures | speed.since_last(number))
                    progress.update(number, {name: figures[name] for name in LOSSES if name in figures})
                if _validates(number, run):
                    with speed.paused():
                        watch(number, state)
                # Read once: a signal that comes later in this step is answered after the next.
                stopping = interruption.asked
                if stopping or number == run.steps or number % run.checkpoint_every == 0:
                    patience.finish()
                    checkpoints.save_last(state)
                if stopping:
                    raise Stopped(_goes_on(number, run.steps), interruption.signal)
    return state


def _stream(config: ml_collections.ConfigDict, objective: Objective) -> Stream:
    """The batches of training; damaged records that are left out are told."""
    data = config.data
    stream = training_batches(
        data.root,
        data.train,
        batch_size=data.batch_size,
        seed=config.seed,
        min_seconds=objective.window_seconds,
        shuffle_buffer=data.shuffle_buffer,
        on_corrupt=data.on_corrupt,
    )
    for reason in stream.salvaged.reasons:
        sys.stderr.write(f"warning: {reason}; it is left out\n")
    return stream


def _validator(data: ml_collections.ConfigDict, objective: Objective, placement: Placement) -> Evaluator:
    recordings = read_recordings(data.root, data.validation, min_seconds=objective.window_seconds)
    return make_validator(objective, recordings, batch_size=data.validation_batch_size, placement=placement)


def _validates(number: int, run: ml_collections.ConfigDict) -> bool:
    return number == run.steps or number % run.validate_every == 0


def _goes_on(number: int, steps: int) -> str:
    return f"stopped at step {number} of {steps}; the same command goes on from there"
