"""`test_vectors.npz`: simulated windows, and what the encoder makes of them; every format must agree."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coreecg_jax.export.refusal import BundleRefused
from coreecg_jax.records.conditioning import condition
from coreecg_jax.records.leads import LEADS, lead_indices
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.records.simulator.simulate import simulate

TOLERANCE = 1e-4  # the largest difference of an embedding that an export may have
# All leads; the independent ones, from which the others follow; without one chest lead; one lead.
LEAD_SETS = (LEADS, ("I", "II", *LEADS[6:]), tuple(lead for lead in LEADS if lead != "V3"), ("I",))
_RATE = 500.0  # Hz, of the simulated electrodes


class Vectors(NamedTuple):
    """Inputs of the portable formats, and the expected output."""

    ecg: np.ndarray  # float32[B, 12, W] mV, conditioned; leads that are not available hold signal too
    available: np.ndarray  # bool[B, 12]
    embedding: np.ndarray  # float32[B, F]


def made_inputs(preprocessing: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """`ecg` and `available`: one simulated patient for each of `LEAD_SETS`."""
    p = preprocessing
    seconds = p.window_samples / p.sampling_rate + 1.0
    made = [simulate(0, n, 0, sampling_rate=_RATE, seconds=seconds).ecg_LT for n in range(len(LEAD_SETS))]
    ecg_BLW = np.stack([condition(ecg_LT, _RATE, p)[:, : p.window_samples] for ecg_LT in made])
    available_BL = np.zeros((len(LEAD_SETS), len(LEADS)), bool)
    for row, leads in zip(available_BL, LEAD_SETS):
        row[list(lead_indices(leads))] = True
    return ecg_BLW.astype(np.float32), available_BL


def write_vectors(path: Path, vectors: Vectors) -> None:
    """Writes them, not compressed."""
    np.savez(path, **vectors._asdict())


def read_vectors(path: Path) -> Vectors:
    """What `write_vectors` wrote.

    Raises:
      BundleRefused: when it is anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        expected = {f"{name}.npy" for name in Vectors._fields}
        held = sum(member.file_size for member in members)
        if {member.filename for member in members} != expected or held > path.stat().st_size:
            raise ValueError(f"expected {sorted(expected)}, not compressed")
        with np.load(path, allow_pickle=False) as arrays:
            vectors = Vectors(**{name: arrays[name] for name in Vectors._fields})
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise BundleRefused(f"{path.name}: {type(error).__name__}: {error}") from error
    kinds = [array.dtype for array in vectors]
    if kinds != [np.float32, bool, np.float32] or len({len(array) for array in vectors}) != 1:
        raise BundleRefused(f"{path.name}: expected float32, bool and float32 of as many rows, got {kinds}")
    return vectors


def require_same(embedding_BF: np.ndarray, vectors: Vectors, what: str) -> float:
    """The largest difference from the expected embedding.

    Raises:
      ValueError: when it is larger than `TOLERANCE`, or not a number, or the shape differs.
    """
    expected_BF = vectors.embedding
    if embedding_BF.shape != expected_BF.shape:
        raise ValueError(
            f"{what}: expected embeddings of shape {expected_BF.shape}, got {embedding_BF.shape}"
        )
    difference = float(np.abs(embedding_BF.astype(np.float64) - expected_BF).max())
    if not difference <= TOLERANCE:
        raise ValueError(f"{what}: expected the test vectors within {TOLERANCE:g}, got {difference:.2e} off")
    return difference
