"""Training fed from the host and from the devices' memory: until the first step, and how fast after it."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from benchmarks.input_pipeline import NAME as WINDOWS
from benchmarks.input_pipeline import write_windows
from benchmarks.table import Row, measured
from benchmarks.train_step import optimizer_of
from coreecg_jax.inputs.training_windows import TrainingWindows, training_windows
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.objective import Objective
from coreecg_jax.training.feeds import FeedFrom, make_device_feed, make_host_feed
from coreecg_jax.training.health import Speed
from coreecg_jax.training.mesh import place
from coreecg_jax.training.state import TrainState, init_state

NAME = "placement"
RATE = 100
CPU_BATCH, ACCELERATOR_BATCH = 32, 2048  # with 32 an accelerator would have little to do but start programs
REPEATS, STEPS = 5, 8  # steps of a repeat; with placement device one dispatch


def recordings_of(backend: str, devices: int) -> int:
    """Of a batch: divided among all devices."""
    return CPU_BATCH if backend == "cpu" else ACCELERATOR_BATCH // devices * devices


def runs(placement: str) -> Iterator[Row]:
    """The network of `configs/real_2core.py` on 6,144 synthetic windows."""
    dtype = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    network = CoReECG(30, 64, 4, 2, 64, 1, 2, projection=64, kernel_length=9, dtype=dtype)
    batch_size = recordings_of(jax.default_backend(), jax.device_count())
    objective = Objective(network, crop_samples=450, sampling_rate=float(RATE))
    with tempfile.TemporaryDirectory() as root:
        write_windows(Path(root), RATE)
        speed = Speed(objective, batch_size=batch_size)
        start = time.perf_counter()
        windows = training_windows(
            root, WINDOWS, batch_size=batch_size, seed=0, min_seconds=9.0, shuffle_buffer=1000
        )
        feed, state = _feed_from(placement, objective, windows)(0, speed), _fresh(objective)
        state, metrics = feed(state, 0, 1)
        jax.block_until_ready(metrics)
        yield measured(NAME, f"{placement}, until the first step", [time.perf_counter() - start], "s", 1)
        rates, waits, number = [], [], 1
        speed.since_last(number)
        for _ in range(REPEATS):
            for _ in range(STEPS // min(STEPS, feed.most)):
                state, metrics = feed(state, number, min(STEPS, feed.most))
                number += min(STEPS, feed.most)
            jax.block_until_ready(metrics)
            figures = speed.since_last(number)
            rates.append(figures["recordings_per_second"])
            waits.append(100 * figures["input_wait"])
        feed.close()
    yield measured(NAME, f"{placement}, batch {batch_size}", rates, "recordings/s", digits=1)
    yield measured(NAME, f"{placement}, waiting for input", waits, "%", digits=2)


def _feed_from(placement: str, objective: Objective, windows: TrainingWindows) -> FeedFrom:
    over = place()
    of_state = over.of_state(_shapes(objective))
    common: dict[str, Any] = {"seed": 0, "placement": over, "of_state": of_state}
    if placement == "host":
        return make_host_feed(objective, optimizer_of(), windows, **common)
    return make_device_feed(objective, optimizer_of(), windows, **common, steps_per_dispatch=STEPS)


def _shapes(objective: Objective) -> Any:
    return jax.eval_shape(lambda: init_state(objective, optimizer_of(), jax.random.key(0)))


def _fresh(objective: Objective) -> TrainState:
    return jax.device_put(init_state(objective, optimizer_of(), jax.random.key(0)), place().replicated)
