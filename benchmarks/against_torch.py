"""The step of the masked autoencoder here and in plain PyTorch, in turn, in one process.

Pinned to one core, seconds are those of the process on it, not of the clock: others on that core slow both
down, and not alike.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import torch

from benchmarks.table import Row, failed, first_line, measured, out_of_memory, skipped
from benchmarks.torch_peer import Peer, make_step
from benchmarks.train_step import CROP_SAMPLES, PATCH, RATE, SIZES, Size, batch_of, first_step, shape_of
from coreecg_jax.baselines.masked_autoencoder import MaskedAutoencoder
from coreecg_jax.method.masking import STDM
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.views import FDA

NAME = "peer"
REPEATS = 5
CPU_BATCHES = {"S": 4, "B": 2}  # of minutes; an accelerator would have little to do but start programs


def objective_of(size: Size, attention: str = "plain") -> MaskedAutoencoder:
    """Ours with the peer's network: a linear embedding, no time bias."""
    dtype = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    network = CoReECG(
        patch=PATCH, dtype=dtype, decoder="lead_wise", kernels=0, time_bias=False, **shape_of(size)
    )
    return MaskedAutoencoder(
        network,
        CROP_SAMPLES,
        float(RATE),
        fda=FDA(mode="off"),
        stdm=STDM(mode="random", random_count="fixed"),
        lambda_c=0.0,
        attention=attention,
    )


def recordings_of(name: str, backend: str) -> int:
    """Of a batch of one size."""
    return CPU_BATCHES[name] if backend == "cpu" else SIZES[name].accelerator_batch


def steps(name: str, batch: str = "") -> Iterator[Row]:
    """A row each for ours, PyTorch as it is and compiled, on `batch` recordings or as many as suit the
    device. On a GPU ours attends both ways."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # both live on one accelerator
    size, batch_size = SIZES[name], int(batch or recordings_of(name, jax.default_backend()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    ours = {"JAX": "plain"} | ({"JAX, cuDNN's attention": "cudnn"} if jax.default_backend() == "gpu" else {})
    made = {
        **{runtime: _ours(size, batch_size, attention) for runtime, attention in ours.items()},
        "PyTorch": _theirs(size, batch_size, device, compiled=False),
        "PyTorch compiled": _theirs(size, batch_size, device, compiled=True),
    }
    times, missing = _in_turn(made)
    dtype = "float32" if device.type == "cpu" else "bfloat16"
    unit = f"recordings/s{' of CPU time' if _clock() is time.process_time else ''}"
    for runtime in made:
        setting = f"{runtime}, {name}, {dtype}, batch {batch_size}"
        if runtime in missing:
            yield _without_number(setting, missing[runtime])
        else:
            rates = [batch_size * _steps_together() / s for s in times[runtime]]
            yield measured(NAME, setting, rates, unit, digits=2)


def _without_number(setting: str, error: RuntimeError) -> Row:
    if out_of_memory(error):
        return failed(NAME, setting, error)
    return skipped(NAME, setting, first_line(error))  # torch.compile needs a C++ compiler


def _in_turn(
    made: dict[str, Callable[[], None]],
) -> tuple[dict[str, list[float]], dict[str, RuntimeError]]:
    """Seconds of the repeats of each, taken in turn, so that all meet the same neighbours, and why some have
    none."""
    missing: dict[str, RuntimeError] = {}
    for runtime, run in made.items():
        try:
            run()  # compiles
        except RuntimeError as error:
            missing[runtime] = error.with_traceback(None)  # which would hold what fills the memory
    times: dict[str, list[float]] = {runtime: [] for runtime in made if runtime not in missing}
    for _ in range(REPEATS):
        for runtime, seconds in times.items():
            start = _clock()()
            made[runtime]()
            seconds.append(_clock()() - start)
    return times, missing


def _clock() -> Callable[[], float]:
    one_core = jax.default_backend() == "cpu" and len(os.sched_getaffinity(0)) == 1
    return time.process_time if one_core else time.perf_counter


def _ours(size: Size, batch_size: int, attention: str) -> Callable[[], None]:
    train_step, state, batch = first_step(objective_of(size, attention), batch_size)
    held = [state]

    def run() -> None:
        for _ in range(_steps_together()):
            held[0], metrics = train_step(held[0], batch)
        jax.block_until_ready((held[0], metrics))

    return run


def _theirs(size: Size, batch_size: int, device: torch.device, *, compiled: bool) -> Callable[[], None]:
    peer = Peer(columns=CROP_SAMPLES // PATCH, patch=PATCH, **shape_of(size)).to(device)
    module: Any = torch.compile(peer) if compiled else peer
    step = make_step(module, samples=CROP_SAMPLES, patch=PATCH)
    ecg = torch.from_numpy(np.asarray(batch_of(batch_size).ecg)).to(device)

    def run() -> None:
        for _ in range(_steps_together()):
            loss = step(ecg)
        float(loss)  # waits

    return run


def _steps_together() -> int:
    """On an accelerator a step is short: several are timed as one."""
    return 1 if jax.default_backend() == "cpu" else 20
