"""What feeds the steps with batches: tf.data on the host, or the corpus in the devices' memory.

Both give the same batch for the same (seed, step).
"""

import sys
from collections.abc import Callable, Iterator
from typing import Protocol

import jax
import ml_collections
import numpy as np

from coreecg_jax.inputs.batch import Batch
from coreecg_jax.inputs.corpus import Corpus, load_corpus, require_room
from coreecg_jax.inputs.pipeline import Stream
from coreecg_jax.inputs.training_windows import TrainingWindows, training_windows
from coreecg_jax.inputs.transfer import rows_here, to_devices
from coreecg_jax.method.objective import Metrics
from coreecg_jax.training.experiment import Experiment
from coreecg_jax.training.health import Speed
from coreecg_jax.training.mesh import Placement
from coreecg_jax.training.state import TrainState
from coreecg_jax.training.step import CorpusSteps, TrainStep, make_corpus_steps, make_train_step

PLACEMENTS = ("host", "device")


class Feed(Protocol):
    """Takes the state some steps on."""

    most: int  # steps in one dispatch

    def __call__(self, state: TrainState, number: int, count: int) -> tuple[TrainState, Metrics]:
        """The state after `count` steps more than `number`; metrics are arrays of one entry a step."""
        ...


class HostFeed:
    """One step a dispatch, on batches that come from the host in the order of the steps."""

    most = 1

    def __init__(self, step: TrainStep, batches: Iterator[Batch]) -> None:
        self._step, self._batches = step, batches

    def __call__(self, state: TrainState, number: int, count: int) -> tuple[TrainState, Metrics]:
        """The next step."""
        del number, count
        return self._step(state, next(self._batches))


class DeviceFeed:
    """Several steps a dispatch; what leaves the host is the numbers of rows."""

    def __init__(
        self, steps: CorpusSteps, corpus: Corpus, windows: TrainingWindows, most: int, speed: Speed
    ) -> None:
        self.most = most
        self._steps, self._corpus, self._order, self._speed = steps, corpus, windows.order, speed

    def __call__(self, state: TrainState, number: int, count: int) -> tuple[TrainState, Metrics]:
        """`count` steps."""
        with self._speed.waiting():
            index_KB = np.zeros((self.most, self._order.batch_size), np.int32)
            for step in range(count):
                index_KB[step] = self._corpus.row_of[self._order.batch(number + step)]
        return self._steps(state, self._corpus.rows, index_KB, np.int32(count))


def windows_of(config: ml_collections.ConfigDict, min_seconds: float) -> TrainingWindows:
    """The windows of training; damaged records that are left out are told.

    Raises:
      FileNotFoundError, ValueError: as `training_windows.training_windows`; for a placement that is none.
    """
    data, most = config.data, config.run.steps_per_dispatch
    if data.placement not in PLACEMENTS:
        raise ValueError(f"data.placement: expected one of {', '.join(PLACEMENTS)}, got {data.placement!r}")
    if most < 1 or (most > 1 and data.placement == "host"):
        allowed = "1 with data.placement=host" if most > 1 else "more than 0"
        raise ValueError(f"run.steps_per_dispatch: expected {allowed}, got {most}")
    windows = training_windows(
        data.root,
        data.train,
        batch_size=data.batch_size,
        seed=config.seed,
        min_seconds=min_seconds,
        shuffle_buffer=data.shuffle_buffer,
        on_corrupt=data.on_corrupt,
        readers=data.readers,
    )
    for reason in windows.salvaged.reasons:
        sys.stderr.write(f"warning: {reason}; it is left out\n")
    return windows


def make_feed(
    config: ml_collections.ConfigDict,
    experiment: Experiment,
    windows: TrainingWindows,
    placement: Placement,
    of_state: object,
) -> Callable[[int, Speed], Feed]:
    """A function of the first step, counted from 0, and of who measures; the corpus is read when called.

    Raises:
      ValueError: when the corpus does not fit into the devices' memory.
    """
    objective, optimizer, divided = experiment.objective, experiment.optimizer, placement.divided
    settings = {"seed": config.seed, "placement": placement, "of_state": of_state}
    if config.data.placement == "device":
        require_room(windows, divided)
        steps = make_corpus_steps(objective, optimizer, **settings)
        most = config.run.steps_per_dispatch

        def from_corpus(start: int, speed: Speed) -> Feed:
            del start
            return DeviceFeed(steps, load_corpus(windows, divided, config.data.packed), windows, most, speed)

        return from_corpus
    step = make_train_step(objective, optimizer, **settings)
    readers = {row // windows.order.part for row in rows_here(divided, windows.order.batch_size)}

    def from_host(start: int, speed: Speed) -> Feed:
        return HostFeed(step, to_devices(speed.watched(Stream(windows)(start, readers)), divided))

    return from_host


def last_of(metrics: Metrics, count: int) -> dict[str, float]:
    """The metrics of the last of `count` steps of a dispatch; they are waited for."""
    return {name: float(np.ravel(value)[count - 1]) for name, value in jax.device_get(metrics).items()}
