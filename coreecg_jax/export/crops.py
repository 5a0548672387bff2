"""From windows to embeddings: the mean over evenly spaced crops, as the evaluation has it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.export.description import Representation
from coreecg_jax.export.recordings import Windows
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.representation import represent
from coreecg_jax.records.conditioning import crop_starts
from coreecg_jax.records.leads import LEADS

# Crops that are computed at once; a few sizes, so that few programs are compiled.
BATCHES = (4, 16, 64)


class _Crop(NamedTuple):
    recording: int
    window: int
    start: int  # sample
    weight: float  # share in the mean of its recording


def embed_full_windows(
    network: CoReECG,
    parameters: dict[str, Any],
    ecg_BLW: jax.Array,
    available_BL: jax.Array,
    representation: Representation,
) -> jax.Array:
    """Embeddings float32[B, F] of windows that are valid to their end; what the portable formats compute.

    Args:
      network, parameters: the network and its parameters.
      ecg_BLW: float32 mV, conditioned.
      available_BL: bool; a lead that is not available takes part in nothing, whatever it holds.
      representation: how crops are made and pooled.
    """
    samples = representation.crop_samples
    starts = crop_starts(ecg_BLW.shape[-1], samples, representation.crops)
    crops_XLT = jnp.concatenate([ecg_BLW[:, :, start : start + samples] for start in starts])
    available_XL = jnp.concatenate([available_BL] * len(starts))
    length_X = jnp.full(len(crops_XLT), samples, jnp.int32)
    pooling = representation.pooling
    embedding_XF = represent(network, parameters, crops_XLT, available_XL, length_X, pooling=pooling)
    return embedding_XF.reshape(len(starts), len(ecg_BLW), -1).mean(0)


def mean_over_crops(
    embed: Callable[[np.ndarray, np.ndarray, np.ndarray], Any],
    recordings: Sequence[Windows],
    representation: Representation,
    places: Sequence[int] = tuple(range(len(LEADS))),
) -> np.ndarray:
    """One embedding a recording, float32[n, F]: the mean over its crops, all its windows alike.

    Args:
      embed: (ecg_BLT mV, available_BL, length_B) -> (B, F), of the leads at `places`.
      recordings: at least one.
      representation: how long crops are and how many a window has.
      places: of the leads that `embed` is given.

    Raises:
      ValueError: when an embedding is not finite.
    """
    samples, rows = representation.crop_samples, list(places)
    plan = [
        _Crop(number, window, start, 1.0 / (len(starts) * len(windows.length_X)))
        for number, windows in enumerate(recordings)
        for window, length in enumerate(windows.length_X.tolist())
        for starts in [crop_starts(length, samples, representation.crops)]
        for start in starts
    ]
    total = np.zeros(0)
    size = next((size for size in BATCHES if size >= len(plan)), BATCHES[-1])
    for first in range(0, len(plan), size):
        part = plan[first : first + size]
        filled = part + [part[-1]] * (size - len(part))
        features = np.asarray(embed(*_arrays(recordings, filled, samples, rows)), np.float64)[: len(part)]
        total = total if total.size else np.zeros((len(recordings), features.shape[1]))
        weights = np.array([crop.weight for crop in part])
        np.add.at(total, [crop.recording for crop in part], features * weights[:, None])
    if not np.isfinite(total).all():
        raise ValueError("embedding: expected finite numbers: the parameters of this bundle are of no use")
    return total.astype(np.float32)


def _arrays(
    recordings: Sequence[Windows], crops: Sequence[_Crop], samples: int, rows: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arguments of `embed`."""
    ecg_BLT = np.zeros((len(crops), len(rows), samples), np.float32)
    length_B = np.zeros(len(crops), np.int32)
    for number, crop in enumerate(crops):
        windows = recordings[crop.recording]
        length_B[number] = min(samples, int(windows.length_X[crop.window]) - crop.start)
        end = crop.start + length_B[number]
        ecg_BLT[number, :, : length_B[number]] = windows.ecg_XLW[crop.window, rows, crop.start : end]
    available_BL = np.stack([recordings[crop.recording].available_L[rows] for crop in crops])
    return ecg_BLT, available_BL, length_B
