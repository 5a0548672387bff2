"""The train step of the method's base setting: recordings a second, share of the matrix rate, peak memory."""

import dataclasses
import os
import resource
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import jax
import numpy as np
import optax

from benchmarks.recordings import SECONDS, microvolts
from benchmarks.table import Row, measured
from coreecg_jax.inputs.batch import Batch
from coreecg_jax.inputs.transfer import to_devices
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.objective import Objective
from coreecg_jax.records.leads import LEADS
from coreecg_jax.training.health import matrix_rate, step_flops
from coreecg_jax.training.mesh import place
from coreecg_jax.training.optimizer import make_optimizer
from coreecg_jax.training.state import TrainState, init_state
from coreecg_jax.training.step import TrainStep, make_train_step

NAME = "step"
REPEATS = 5
RATE, CROP_SAMPLES, PATCH = 250, 2250, 75  # as in configs/base.py


@dataclasses.dataclass(frozen=True)
class Size:
    """A size of the network, and the recordings of a batch: on a CPU, and on each accelerator."""

    width: int
    depth: int
    heads: int
    decoder_width: int
    decoder_depth: int
    decoder_heads: int
    cpu_batch: int
    accelerator_batch: int


SIZES = {
    "Ti": Size(192, 12, 3, 128, 2, 4, cpu_batch=16, accelerator_batch=512),
    "S": Size(384, 12, 6, 256, 4, 4, cpu_batch=8, accelerator_batch=256),
    "B": Size(768, 12, 12, 256, 4, 4, cpu_batch=4, accelerator_batch=128),
}


def objective_of(size: Size) -> Objective:
    """The objective of `configs/base.py` with a network of this size; its settings are the defaults."""
    dtype = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    return Objective(CoReECG(patch=PATCH, dtype=dtype, **shape_of(size)), CROP_SAMPLES, float(RATE))


def shape_of(size: Size) -> dict[str, Any]:
    """What a network is given of a size."""
    return {name: value for name, value in dataclasses.asdict(size).items() if not name.endswith("batch")}


def step(name: str, share: str = "1") -> Iterator[Row]:
    """The rows of one size, on its batch times `share` ('1/4')."""
    size, on_cpu = SIZES[name], jax.default_backend() == "cpu"
    whole = size.cpu_batch if on_cpu else size.accelerator_batch * jax.device_count()
    batch_size = int(whole * Fraction(share))
    objective = objective_of(size)
    if Fraction(share) > 1 and not on_cpu:  # else S and B would need more than there is (docs/running.md)
        objective = dataclasses.replace(objective, remat="dots")
    flops = step_flops(
        objective.network,
        tokens_kept=objective.stdm.tokens_kept(objective.columns),
        columns=objective.columns,
        batch_size=batch_size,
    )
    compiling, seconds, matrix_rates, peak = _timed(objective, batch_size)
    setting = (
        f"{name}, {objective.network.dtype}, batch {batch_size}, remat {objective.remat}, "
        f"{flops / batch_size / 1e9:.1f} GFLOP each"
    )
    yield measured(NAME, f"{name}, compile and first step ({_cache()})", [compiling], "s", digits=1)
    yield measured(NAME, setting, [batch_size / s for s in seconds], "recordings/s", digits=1)
    yield measured(NAME, f"{name}, matrix products", [flops / s / 1e9 for s in seconds], "GFLOP/s")
    yield measured(
        NAME, f"{name}, one large matrix product", [rate / 1e9 for rate in matrix_rates], "GFLOP/s"
    )
    # Of the highest: where others are at work some short products escape them, a long step does not, and the
    # share errs downwards.
    shares = [100 * flops / s / max(matrix_rates) for s in seconds]
    yield measured(NAME, f"{name}, share of its highest (MFU)", shares, "%")
    yield Row(NAME, f"{name}, peak memory ({'process' if on_cpu else 'device'})", f"{peak / 2**30:.2f} GiB")


def optimizer_of() -> optax.GradientTransformation:
    """The optimizer of `configs/base.py` on a short schedule."""
    return make_optimizer(
        learning_rate=1e-3,
        fda_learning_rate=1e-2,
        warmup_steps=10,
        steps=1000,
        weight_decay=0.05,
        b1=0.9,
        b2=0.95,
        clip=1.0,
    )


def first_step(objective: Objective, batch_size: int) -> tuple[TrainStep, TrainState, Batch]:
    """The step, the state before it and a batch, on all devices; nothing is compiled yet."""
    placement = place()
    optimizer = optimizer_of()
    train_step = make_train_step(objective, optimizer, seed=0, placement=placement)
    state = jax.device_put(init_state(objective, optimizer, jax.random.key(0)), placement.replicated)
    (batch,) = to_devices([batch_of(batch_size)], placement.divided)
    return train_step, state, batch


def _cache() -> str:
    """Whether what was compiled before may be found again."""
    return "with a compile cache" if os.environ.get("JAX_COMPILATION_CACHE_DIR") else "no compile cache"


def _timed(objective: Objective, batch_size: int) -> tuple[float, list[float], list[float], int]:
    """Seconds of the first step and of later ones, matrix rates between them, the peak memory in bytes."""
    train_step, state, batch = first_step(objective, batch_size)
    start = time.perf_counter()
    state, metrics = jax.block_until_ready(train_step(state, batch))
    compiling = time.perf_counter() - start
    # On an accelerator a step is short: several are timed together, as they follow one another in training.
    steps = 1 if jax.default_backend() == "cpu" else 20
    seconds, rates = [], [matrix_rate(objective.network.dtype)]
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(steps):
            state, metrics = train_step(state, batch)
        jax.block_until_ready((state, metrics))
        seconds.append((time.perf_counter() - start) / steps)
        rates.append(matrix_rate(objective.network.dtype))
    return compiling, seconds, rates, _peak_memory()


def batch_of(batch_size: int) -> Batch:
    """Synthetic windows with all leads, each of a patient of its own."""
    rng = np.random.default_rng(0)
    return Batch(
        ecg=np.stack([microvolts(rng, RATE) for _ in range(batch_size)]),
        length=np.full(batch_size, RATE * SECONDS, np.int32),
        available=np.ones((batch_size, len(LEADS)), bool),
        patient=np.arange(batch_size, dtype=np.uint32),
    )


def _peak_memory() -> int:
    """Bytes: of the fullest device where it tells, else of this process since it began."""
    told = [(device.memory_stats() or {}).get("peak_bytes_in_use", 0) for device in jax.local_devices()]
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(told) or kilobytes * (1 if sys.platform == "darwin" else 1024)
