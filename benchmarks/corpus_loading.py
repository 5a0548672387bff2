"""Until the corpus lies in the devices' memory: from the shards, and from the one file written of them."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jax

from benchmarks.input_pipeline import NAME as DATA_SET
from benchmarks.input_pipeline import WINDOWS, write_windows
from benchmarks.table import Row, measured
from coreecg_jax.inputs.corpus import load_corpus
from coreecg_jax.inputs.training_windows import training_windows
from coreecg_jax.training.mesh import place

NAME = "corpus"
RATE, REPEATS = 250, 5


def loading() -> Iterator[Row]:
    """Synthetic windows of 10 s at 250 Hz (60 kB each), in the page cache; the two ways by turns."""
    with tempfile.TemporaryDirectory() as folder:
        root, packed = Path(folder) / "data", Path(folder) / "packed"
        write_windows(root, RATE)
        first = _seconds(lambda: _load(root, str(packed)))
        ways: dict[str, list[float]] = {"": [], str(packed): []}
        for _ in range(REPEATS):
            for way, seconds in ways.items():
                seconds.append(_seconds(lambda way=way: _load(root, way)))
    of = f"{WINDOWS:,} windows"
    yield measured(NAME, f"from the shards, {of}", ways[""], "s", 2)
    yield measured(NAME, f"from the shards, and the file written, {of}", [first], "s", 2)
    yield measured(NAME, f"from the file alone, {of}", ways[str(packed)], "s", 2)


def _load(root: Path, packed: str) -> None:
    """The order of the batches, and the rows on the devices."""
    windows = training_windows(
        root, DATA_SET, batch_size=256, seed=0, min_seconds=9.0, shuffle_buffer=1000, packed=packed
    )
    jax.block_until_ready(load_corpus(windows, place().divided, packed).rows)


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
