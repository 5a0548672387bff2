"""WFDB records for the tests, written byte by byte: nothing of the code under test, nor of wfdb, is used."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def made_ecg(seconds: float = 10.0, rate: float = 500.0, seed: int = 0) -> np.ndarray:
    """float64[12, T], mV: a beat every 0.8 s, a T wave, a slow drift and noise; every lead its own size."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    phase = times % 0.8
    beat = np.exp(-(((phase - 0.3) / 0.015) ** 2)) + 0.25 * np.exp(-(((phase - 0.55) / 0.05) ** 2))
    drift = 0.1 * np.sin(2 * np.pi * 0.2 * times)
    sizes = rng.uniform(0.4, 1.5, (12, 1)) * rng.choice([-1, 1], (12, 1))
    return sizes * (beat + drift) + rng.normal(0, 0.01, (12, times.size))


def write_record(
    folder: Path,
    name: str = "rec",
    ecg: np.ndarray | None = None,
    rate: float | str = 500,
    *,
    names: Sequence[str] = LEADS,
    gains: Sequence[float] | float = 1000.0,
    baselines: Sequence[int] | int = 0,
    units: str = "mV",
    suffix: str = "dat",
    comments: Sequence[str] = (),
) -> Path:
    """Writes `<name>.hea` and its 16-bit signal file; returns the header. NaN is WFDB's invalid sample."""
    ecg = made_ecg() if ecg is None else ecg
    gains = np.broadcast_to(np.asarray(gains, float), len(ecg))
    baselines = np.broadcast_to(np.asarray(baselines, int), len(ecg))
    digital = np.rint(ecg * gains[:, None] + baselines[:, None])
    digital = np.where(np.isnan(digital), -32768, digital).astype("<i2")
    offset = {"dat": 0, "mat": 24}[suffix]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.{suffix}").write_bytes(bytes(offset) + digital.T.tobytes())
    lines = [f"{name} {len(ecg)} {rate} {ecg.shape[1]}"]
    for lead, gain, baseline in zip(names, gains, baselines):
        fmt = f"16+{offset}" if offset else "16"
        lines.append(f"{name}.{suffix} {fmt} {gain:g}({baseline})/{units} 16 0 0 0 0 {lead}")
    header = folder / f"{name}.hea"
    header.write_text("\n".join([*lines, *(f"#{comment}" for comment in comments)]) + "\n", encoding="utf-8")
    return header


def change(header: Path, old: str, new: str) -> Path:
    """Replaces text in a header, everywhere; the text must be there."""
    text = header.read_text(encoding="utf-8")
    assert old in text
    header.write_text(text.replace(old, new), encoding="utf-8")
    return header


def kill_the_process(file: str) -> NoReturn:
    """A reader as one has it that takes more memory than there is."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(f"{file} was read by a dead process")
