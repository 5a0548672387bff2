"""Pretraining, told in order. Here the config ends: all that is called below takes keywords."""

import contextlib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import jax
import ml_collections

from coreecg_jax.inputs.data_digests import digests_of
from coreecg_jax.inputs.selection import select
from coreecg_jax.inputs.training_windows import TrainingWindows, selected
from coreecg_jax.inputs.validation_windows import validation_windows
from coreecg_jax.method.objective import Objective
from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.experiment import Experiment, build, resolved, windows_of
from coreecg_jax.training.feeds import FeedFrom, last_of, make_device_feed, make_host_feed
from coreecg_jax.training.health import Speed
from coreecg_jax.training.identity import program, require_same_everywhere
from coreecg_jax.training.interruption import Interruption, Stopped
from coreecg_jax.training.journal import Journal, Unwritten
from coreecg_jax.training.mesh import Placement, place, put, require_divisible
from coreecg_jax.training.only_run import only_run
from coreecg_jax.training.processes import alone, as_first, is_first, sharing
from coreecg_jax.training.progress import Progress
from coreecg_jax.training.room import fullness_told
from coreecg_jax.training.skipping import Patience
from coreecg_jax.training.state import TrainState, init_state
from coreecg_jax.training.validation import Evaluator, Validator, make_validator
from coreecg_jax.training.watching import Draw, Watch, was_watched

LOSSES = ("loss", "reconstruction", "contrastive")  # shown on the progress line, those that there are


@fullness_told()
def train(
    config: ml_collections.ConfigDict,
    workdir: Path | str,
    evaluators: Mapping[str, Evaluator] | None = None,
    pictures: Mapping[str, Draw] | None = None,
) -> TrainState:
    """Pretrains, or goes on where the run in `workdir` stopped, on a CPU to the byte as if it had not.

    Order of a start: lock the folder, check the config against the data, build, restore the last whole
    checkpoint, cut the journal back to it, make up for a validation of its step that was stopped, start the
    batches there.

    Args:
      config: as in `configs/`.
      workdir: of the run.
      evaluators: further functions of the parameters, called at each validation; their figures are
        journalled under the mapping's name.
      pictures: drawn at each validation, for TensorBoard.

    Raises:
      ValueError: when config, data and workdir do not go together.
      OSError: when another run goes on in `workdir`.
      Stopped: when it was asked to stop (Ctrl-C, SIGTERM, a preemption notice); the state is saved.
      DeviceFull: when the memory of a device does not hold the run.
      NotFinite: when `run.max_skipped_in_a_row` losses or gradients in a row were not finite.
      OSError and others: when a checkpoint cannot be written, and the one before is kept; or data cannot be
        read any more, and of one process the steps before are saved.
    """
    config = resolved(config)
    require_same_everywhere(program(config))
    with only_run(workdir):
        return _train(config, workdir, evaluators or {}, pictures or {})


def _train(
    config: ml_collections.ConfigDict,
    workdir: Path | str,
    evaluators: Mapping[str, Evaluator],
    pictures: Mapping[str, Draw],
) -> TrainState:
    data, run = config.data, config.run
    training = selected(data.root, data.train, data.packed, sharing())
    validation = select(data.root, data.validation, sharing())
    experiment, placement = build(config, training.preprocessing), place(fsdp=run.fsdp)
    require_divisible("data.batch_size", data.batch_size, placement)
    require_divisible("data.validation_batch_size", data.validation_batch_size, placement)
    windows = windows_of(config, experiment.objective.window_seconds)
    patience = Patience(run.max_skipped_in_a_row, workdir, windows.recordings, sharing())
    fresh = init_state(experiment.objective, experiment.optimizer, jax.random.key(config.seed))
    of_state = placement.of_state(fresh)
    validator = _validator(data, experiment.objective, placement, of_state.parameters)
    others = {name: alone(evaluator) for name, evaluator in evaluators.items()}
    pictures = {name: alone(draw) for name, draw in pictures.items()}
    feed_from = _feed_from(config, experiment, windows, placement, of_state)
    digests = sharing().each(lambda: digests_of(train=training, validation=validation))
    with Checkpoints(workdir, config, training.preprocessing, **digests) as checkpoints:
        fresh = put(fresh, of_state)
        state = checkpoints.restore_last(fresh)
        del fresh  # else its memory on the devices is held to the end of the run
        number = int(state.step)
        owed = number > 0 and _validates(number, run) and not as_first(was_watched(number, workdir))
        if number == run.steps and not owed:
            _say(f"nothing to do: all {run.steps} steps of {workdir} are done")
            return state
        speed = Speed(experiment.objective, batch_size=data.batch_size)
        with (
            contextlib.closing(feed_from(number, speed)) as feed,
            Journal(workdir, resume_step=number) if is_first() else Unwritten() as journal,
            _progress(number, config) as progress,
            Interruption() as interruption,
            checkpoints.all_written(),  # before a signal acts again as it would have
        ):
            watch = Watch(validator, others, pictures, journal, checkpoints, interruption)
            if owed:
                watch(number, state)
                # Before any step: what is owed to this one could not be made up for after another.
                if interruption.asked:
                    raise Stopped(_goes_on(number, run.steps), interruption.signal)
            while number < run.steps:
                count = _steps_to_go(number, run, feed.most)
                with _kept(state, checkpoints, patience):
                    state, metrics = feed(state, number, count)
                number += count
                patience.look(range(number - count + 1, number + 1), metrics)
                interruption.look()
                if number % run.log_every == 0:
                    checkpoints.require_written()
                    figures = last_of(metrics, count) | windows.figures
                    journal.write(number, figures | speed.since_last(number))
                    progress.update(number, {name: figures[name] for name in LOSSES if name in figures})
                if _validates(number, run):
                    with speed.paused():
                        watch(number, state)
                # Read once: a signal that comes later in this dispatch is answered after the next.
                stopping = interruption.asked
                if stopping or number == run.steps or number % run.checkpoint_every == 0:
                    patience.finish()
                    checkpoints.save_last(state)
                if stopping:
                    raise Stopped(_goes_on(number, run.steps), interruption.signal)
    return state


def _feed_from(
    config: ml_collections.ConfigDict,
    experiment: Experiment,
    windows: TrainingWindows,
    placement: Placement,
    of_state: Any,
) -> FeedFrom:
    """From where `data.placement` says."""
    built = (experiment.objective, experiment.optimizer, windows)
    common = {"seed": config.seed, "placement": placement, "of_state": of_state}
    if config.data.placement == "host":
        return make_host_feed(*built, **common)
    return make_device_feed(
        *built, **common, steps_per_dispatch=config.run.steps_per_dispatch, packed=config.data.packed
    )


@contextlib.contextmanager
def _kept(state: TrainState, checkpoints: Checkpoints, patience: Patience) -> Generator[None]:
    """Around what takes the state on: where no batch comes, as a shard is damaged since, the steps before are
    not lost. Of several processes one alone meets that, and would wait in the save for the others."""
    try:
        yield
    except Exception:
        if jax.process_count() == 1:
            with contextlib.suppress(Exception):  # NotFinite above all: such a state is never saved
                patience.finish()
                checkpoints.save_before_error(state)
        raise


def _progress(number: int, config: ml_collections.ConfigDict) -> Progress:
    """The line on the terminal, of the first process."""
    batch_size, disable = config.data.batch_size, None if is_first() else True
    return Progress(config.run.steps, start_step=number, batch_size=batch_size, disable=disable)


def _say(message: str) -> None:
    if is_first():
        print(message)


def _steps_to_go(number: int, run: ml_collections.ConfigDict, most: int) -> int:
    """Until something is due: a dispatch ends there."""
    due = [every - number % every for every in (run.log_every, run.validate_every, run.checkpoint_every)]
    return min(most, run.steps - number, *due)


def _validator(
    data: ml_collections.ConfigDict, objective: Objective, placement: Placement, of_parameters: Any
) -> Validator:
    processes = sharing()
    windows = validation_windows(
        data.root, data.validation, min_seconds=objective.window_seconds, processes=processes
    )
    return make_validator(
        objective,
        windows,
        batch_size=data.validation_batch_size,
        placement=placement,
        of_parameters=of_parameters,
        processes=processes,
    )


def _validates(number: int, run: ml_collections.ConfigDict) -> bool:
    return number == run.steps or number % run.validate_every == 0


def _goes_on(number: int, steps: int) -> str:
    return f"stopped at step {number} of {steps}; the same command goes on from there"
