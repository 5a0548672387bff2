"""Recordings a second of the tf.data training stream alone."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.example_writer import describe, example
from benchmarks.recordings import microvolts
from benchmarks.table import Row, measured
from coreecg_jax.inputs.pipeline import training_batches
from coreecg_jax.records import schema
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.record_file import write_records
from coreecg_jax.records.shards import VERSION, Lengths, file_name

NAME = "pipeline"
WINDOWS, SHARDS, BATCH, SHUFFLE = 6144, 4, 256, 1000
STRETCHES, BATCHES_A_STRETCH = 5, 24  # an epoch each: opening files and filling the buffer count


def stream() -> Iterator[Row]:
    """Batches of 256 windows of 10 s, shuffled over 1,000."""
    for rate in (100, 250):
        with tempfile.TemporaryDirectory() as root:
            write_windows(Path(root), rate)
            batches = training_batches(
                root, NAME, batch_size=BATCH, seed=0, min_seconds=9.0, shuffle_buffer=SHUFFLE
            )(0)
            next(batches)  # loads TensorFlow and builds the stream
            rates = [_rate(batches) for _ in range(STRETCHES)]
            yield measured(NAME, f"tf.data, {rate} Hz, batch {BATCH}", rates, "recordings/s")


def _rate(batches: Iterator[object]) -> float:
    start = time.perf_counter()
    for _ in range(BATCHES_A_STRETCH):
        next(batches)
    return BATCHES_A_STRETCH * BATCH / (time.perf_counter() - start)


def write_windows(root: Path, rate: int, shards: int = SHARDS) -> None:
    """A data set `pipeline` of synthetic windows of 10 s."""
    preprocessing = schema.Preprocessing(sampling_rate=float(rate))
    rng = np.random.default_rng(0)
    windows = [microvolts(rng, rate) for _ in range(64)]  # again and again: the reader cannot tell
    folder, lengths = root / NAME / VERSION, []
    folder.mkdir(parents=True)
    for index in range(shards):
        numbers = range(index, WINDOWS, shards)
        records = [example(_example(number, windows[number % len(windows)])) for number in numbers]
        write_records(folder / file_name(NAME, "recordings", index, shards), records)
        lengths.append(Lengths(len(records), sum(map(len, records))))
    describe(folder, NAME, {"recordings": lengths})
    (folder / schema.PREPROCESSING_FILE).write_text(preprocessing.to_json(), encoding="utf-8")


def _example(number: int, ecg_LT: np.ndarray) -> dict[str, Any]:
    return {
        "ecg": ecg_LT,
        "length": ecg_LT.shape[1],
        "quality": np.zeros(len(LEADS), np.int64),
        "recording_id": str(number),
        "window": 0,
        "patient_id": str(number),
        "patient_key": number,
        "source": NAME,
        "fold": 0,
        "labels": ["426783006"],
        "likelihoods": [float("nan")],
        "age": 60.0,
        "sex": "F",
        "signal_hash": f"{number:016x}",
    }
