"""What feeds the steps with batches: tf.data on the host, or the corpus in the devices' memory.

Both give the same batch for the same (seed, step).
"""

from collections.abc import Callable, Generator
from typing import Any, Protocol

import jax
import numpy as np
import optax

from coreecg_jax.inputs.batch import Batch
from coreecg_jax.inputs.corpus import Corpus, load_corpus, require_room
from coreecg_jax.inputs.pipeline import Stream
from coreecg_jax.inputs.training_windows import TrainingWindows
from coreecg_jax.inputs.transfer import rows_here, to_devices
from coreecg_jax.method.objective import Metrics, Objective
from coreecg_jax.training.health import Speed
from coreecg_jax.training.mesh import Placement
from coreecg_jax.training.processes import sharing, tell
from coreecg_jax.training.state import TrainState
from coreecg_jax.training.step import CorpusSteps, TrainStep, make_corpus_steps, make_train_step

PLACEMENTS = ("host", "device")


class Feed(Protocol):
    """Takes the state some steps on."""

    most: int  # steps in one dispatch

    def __call__(self, state: TrainState, number: int, count: int) -> tuple[TrainState, Metrics]:
        """The state after `count` steps more than `number`; metrics are arrays of one entry a step."""
        ...

    def close(self) -> None:
        """Lets go of what reads for it; no step is asked for afterwards."""
        ...


class HostFeed:
    """One step a dispatch, on batches that come from the host in the order of the steps."""

    most = 1

    def __init__(self, step: TrainStep, batches: Generator[Batch]) -> None:
        self._step, self._batches = step, batches

    def __call__(self, state: TrainState, number: int, count: int) -> tuple[TrainState, Metrics]:
        """The next step."""
        del number, count
        return self._step(state, next(self._batches))

    def close(self) -> None:
        """Of the readers of an epoch to come none is left."""
        self._batches.close()


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

    def close(self) -> None:
        """Nothing reads."""


def require_feed(placement: str, steps_per_dispatch: int, packed: str) -> None:
    """Raises ValueError where the data cannot lie so, be packed so, or be asked for so many steps at once."""
    if placement not in PLACEMENTS:
        raise ValueError(f"data.placement: expected one of {', '.join(PLACEMENTS)}, got {placement!r}")
    if steps_per_dispatch < 1 or (steps_per_dispatch > 1 and placement == "host"):
        allowed = "1 with data.placement=host" if steps_per_dispatch > 1 else "more than 0"
        raise ValueError(f"run.steps_per_dispatch: expected {allowed}, got {steps_per_dispatch}")
    if packed and placement == "host":
        raise ValueError(
            f"data.packed: expected '' with data.placement=host, which streams the shards, got {packed!r}: "
            "leave it out, or set data.placement to device"
        )


FeedFrom = Callable[[int, Speed], Feed]


def make_host_feed(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    windows: TrainingWindows,
    *,
    seed: int,
    placement: Placement,
    of_state: Any,
) -> FeedFrom:
    """A function of the first step, counted from 0, and of who measures.

    A process streams the parts of a batch, and with them the shards, that its devices have rows of.
    """
    step = make_train_step(objective, optimizer, seed=seed, placement=placement, of_state=of_state)
    divided = placement.divided
    readers = {row // windows.order.part for row in rows_here(divided, windows.order.batch_size)}
    processes = jax.process_count()
    if processes > 1 and windows.order.readers < processes:
        tell(
            f"data.readers: {windows.order.readers} for {processes} processes, so shards are read by several "
            "of them; a multiple of their number gives each its own, and another order of the data"
        )

    def from_host(start: int, speed: Speed) -> Feed:
        return HostFeed(step, to_devices(speed.watched(Stream(windows)(start, readers)), divided))

    return from_host


def make_device_feed(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    windows: TrainingWindows,
    *,
    seed: int,
    placement: Placement,
    of_state: Any,
    steps_per_dispatch: int,
    packed: str = "",
) -> FeedFrom:
    """The same from the devices' memory; the corpus is read when called, by each process what it will hold.

    Args:
      packed: folder of a file of the corpus; the shards are read where empty.

    Raises:
      ValueError: when the corpus does not fit into the devices' memory.
    """
    sharing().each(lambda: require_room(windows, placement.divided))
    steps = make_corpus_steps(
        objective,
        optimizer,
        seed=seed,
        placement=placement,
        window_samples=windows.selection.preprocessing.window_samples,
        of_state=of_state,
    )

    def from_corpus(start: int, speed: Speed) -> Feed:
        del start
        corpus = load_corpus(windows, placement.divided, packed, sharing())
        return DeviceFeed(steps, corpus, windows, steps_per_dispatch, speed)

    return from_corpus


def last_of(metrics: Metrics, count: int) -> dict[str, float]:
    """The metrics of the last of `count` steps of a dispatch; they are waited for."""
    return {name: float(np.ravel(value)[count - 1]) for name, value in jax.device_get(metrics).items()}
