"""Synthetic recordings for the benchmarks, and a small writer of WFDB files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coreecg_jax.records.leads import LEADS

RATE, SECONDS = 500, 10


def microvolts(rng: np.random.Generator, rate: int = RATE) -> np.ndarray:
    """int16[12, T]: beats of a random rate and size with some noise; every check of quality passes."""
    times_T = np.arange(rate * SECONDS) / rate
    phase_T = times_T % rng.uniform(0.6, 1.1)
    beat_T = 1000 * np.exp(-(((phase_T - 0.2) / 0.015) ** 2)) + 250 * np.exp(
        -(((phase_T - 0.45) / 0.05) ** 2)
    )
    size_L1 = rng.uniform(0.4, 1.5, (len(LEADS), 1)) * rng.choice([-1, 1], (len(LEADS), 1))
    return np.rint(size_L1 * beat_T + rng.normal(0, 10, (len(LEADS), times_T.size))).astype("<i2")


def write_folder(folder: Path, count: int) -> None:
    """Writes `count` records of format 16, 500 Hz, 10 s and 12 leads."""
    rng = np.random.default_rng(0)
    for number in range(count):
        write_record(folder, f"r{number:05}", microvolts(rng))


def write_record(folder: Path, name: str, microvolts_LT: np.ndarray, comments: Sequence[str] = ()) -> None:
    """Writes one record of int16 microvolts at 500 Hz, in format 16."""
    (folder / f"{name}.dat").write_bytes(microvolts_LT.T.astype("<i2").tobytes())
    lines = [f"{name} {len(LEADS)} {RATE} {microvolts_LT.shape[1]}"]
    lines += [f"{name}.dat 16 1000(0)/mV 16 0 {x_T[0]} 0 0 {lead}" for lead, x_T in zip(LEADS, microvolts_LT)]
    lines += [f"#{comment}" for comment in comments]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n", encoding="utf-8")
