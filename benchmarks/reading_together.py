"""From shards to the first batch, in one of several processes that share the reading."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from benchmarks import input_pipeline
from benchmarks.table import Row, measured
from coreecg_jax.inputs.pipeline import Stream
from coreecg_jax.inputs.together import Processes
from coreecg_jax.inputs.training_windows import TrainingWindows, training_windows
from coreecg_jax.inputs.validation_windows import validation_windows

NAME = "shares"
RATE, SHARDS, COUNTS, REPEATS = 250, 64, (1, 2, 4), 5

Result = TypeVar("Result")


def shares() -> Iterator[Row]:
    """One process does its share, and hears from the others what it says itself: each has as many shards."""
    seconds: dict[tuple[int, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as root:
        input_pipeline.write_windows(Path(root), RATE, SHARDS)
        next(Stream(_training(root, Processes()))(0))  # loads TensorFlow
        for _ in range(REPEATS):  # by turns, as the machine is faster and slower
            for count in COUNTS:
                for what, taken in _start(root, count):
                    seconds.setdefault((count, what), []).append(taken)
    for (count, what), taken in sorted(seconds.items(), key=lambda item: item[0][1]):
        yield measured(NAME, f"{what}, 1 of {count}", taken, "s", digits=2)


def _start(root: str, count: int) -> Iterator[tuple[str, float]]:
    processes = Processes(0, count, lambda text: [text] * count)
    counting, windows = _timed(lambda: _training(root, processes))
    yield f"lengths of {input_pipeline.WINDOWS:,} windows", counting
    readers = range(windows.order.readers // count)
    first, _ = _timed(lambda: next(Stream(windows)(0, readers)))
    yield "lengths and first batch", counting + first
    yield (
        f"validation set of {input_pipeline.WINDOWS:,} windows",
        _timed(lambda: _validate(root, processes))[0],
    )


def _training(root: str, processes: Processes) -> TrainingWindows:
    return training_windows(
        root,
        input_pipeline.NAME,
        batch_size=input_pipeline.BATCH,
        seed=0,
        min_seconds=9.0,
        shuffle_buffer=input_pipeline.SHUFFLE,
        readers=max(COUNTS),
        processes=processes,
    )


def _validate(root: str, processes: Processes) -> None:
    windows = validation_windows(root, input_pipeline.NAME, min_seconds=9.0, processes=processes)
    for _ in windows.batches(input_pipeline.BATCH, range(input_pipeline.BATCH // processes.count)):
        pass


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
