"""Embedding from a bundle: recordings a second by JAX, ONNX Runtime and PyTorch, and until the first one."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.recordings import microvolts
from benchmarks.table import Row, measured
from benchmarks.train_step import CROP_SAMPLES, PATCH, RATE, SIZES, objective_of
from coreecg_jax.downstream.methods import frozen_crops
from coreecg_jax.export import folder
from coreecg_jax.export.description import Description, Normalisation, Representation, Training
from coreecg_jax.export.loading import load
from coreecg_jax.export.recordings import Windows
from coreecg_jax.export.writing import write_bundle
from coreecg_jax.method.representation import POOLINGS
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.state import init_parameters

NAME = "embed"
REPEATS = 5
BATCH = 4  # recordings that a runtime is handed; the bundle divides them as it does a user's
# What a user's script does, in a process of its own: bundle, file of millivolts [12, T], their rate. The
# clock is the machine's, so it can be compared with that of the benchmark.
FIRST = """
import sys
import time
import numpy
import coreecg_jax
bundle = coreecg_jax.load(sys.argv[1])
bundle.embed(numpy.load(sys.argv[2]), fs=float(sys.argv[3]))
print(time.clock_gettime(time.CLOCK_MONOTONIC))
"""


def formats(name: str) -> Iterator[Row]:
    """A row a runtime, their repeats interleaved; ImportError where one of them is not installed."""
    import onnxruntime
    import torch

    from coreecg_jax.export.pytorch import load as load_pytorch

    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as temporary:
        where = Path(temporary) / "bundle"
        write_bundle(where, *_described(name), formats=("onnx",))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores
        session = onnxruntime.InferenceSession(
            where / folder.ONNX, options, providers=["CPUExecutionProvider"]
        )
        torch.set_num_threads(cores)
        encoder, bundle = load_pytorch(where).eval(), load(where)

    @torch.no_grad()
    def by_pytorch(ecg: np.ndarray, available: np.ndarray) -> Any:
        return encoder(torch.from_numpy(ecg), torch.from_numpy(available))

    runs: dict[str, Callable[..., Any]] = {
        "JAX": lambda ecg, there: bundle.embed_windows([_windows(*one) for one in zip(ecg, there)]),
        "ONNX Runtime": lambda ecg, there: session.run(None, {"ecg": ecg, "available": there}),
        "PyTorch": by_pytorch,
    }
    seconds = _timed(runs)
    about = f"{name}, {bundle.description.representation.pooling}, {BATCH} recordings, {cores} cores"
    for runtime, times in seconds.items():
        yield measured(NAME, f"{runtime}, {about}", [BATCH / s for s in times], "recordings/s", digits=2)


def until_first(name: str) -> Iterator[Row]:
    """Seconds from the start of Python to the first embedding: nothing compiled yet, then all of it."""
    with tempfile.TemporaryDirectory() as temporary:
        where, signal = Path(temporary) / "bundle", Path(temporary) / "recording.npy"
        write_bundle(where, *_described(name), formats=())
        np.save(signal, microvolts(np.random.default_rng(0), RATE) / 1000)
        command = (sys.executable, "-c", FIRST, str(where), str(signal), str(RATE))
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(Path(temporary) / "cache")}
        seconds, until_end = [], []
        for _ in range(1 + REPEATS):
            start = time.clock_gettime(time.CLOCK_MONOTONIC)
            embedded = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
            until_end.append(time.clock_gettime(time.CLOCK_MONOTONIC) - start)
            seconds.append(float(embedded) - start)
    about = f"{name}, import, load and first embedding"
    yield measured(NAME, f"{about}, nothing compiled yet", seconds[:1], "s", digits=1)
    yield measured(NAME, f"{about}, compile cache warm", seconds[1:], "s", digits=1)
    yield measured(NAME, f"{name}, the same until the process has ended", until_end[1:], "s", digits=1)


def _described(name: str) -> tuple[Description, dict[str, Any]]:
    """A bundle of random parameters, pooled as the evaluation does."""
    objective, preprocessing = objective_of(SIZES[name]), Preprocessing(sampling_rate=float(RATE))
    network = objective.network.clone(dtype="float32")
    seconds, crops = frozen_crops(POOLINGS[0], PATCH, preprocessing, CROP_SAMPLES / RATE, 3)
    training = Training("coreecg", "none", {}, 0, 0, CROP_SAMPLES, "float32", "learned", 0.1, 10)
    representation = Representation(POOLINGS[0], round(seconds * RATE), crops)
    description = Description(network, preprocessing, Normalisation(), representation, training)
    fda = objective.fda.init(CROP_SAMPLES, RATE)
    return description, {"network": init_parameters(network, jax.random.key(0)), "fda": fda}


def _windows(ecg_LW: np.ndarray, available_L: np.ndarray) -> Windows:
    """One recording of one window, as the bundle cuts it."""
    return Windows(ecg_LW[None], np.array([ecg_LW.shape[1]], np.int32), available_L, np.zeros(12, np.int64))


def _timed(runs: dict[str, Callable[..., Any]]) -> dict[str, list[float]]:
    """Seconds of each repeat after one that is not counted."""
    rng = np.random.default_rng(0)
    ecg = np.stack([microvolts(rng, RATE) for _ in range(BATCH)]).astype(np.float32) / 1000
    available = np.ones((BATCH, len(LEADS)), bool)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(1 + REPEATS):
        for name, run in runs.items():
            start = time.perf_counter()
            run(ecg, available)
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds
