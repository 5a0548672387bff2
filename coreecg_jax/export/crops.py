"""From windows to embeddings: the mean over evenly spaced crops, as the evaluation has it."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.export.description import Representation
from coreecg_jax.export.recordings import Windows
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.representation import represent
from coreecg_jax.records.crops import Crops, crop_starts, cut_crops, mean_over_crops, plan_crops
from coreecg_jax.records.leads import LEADS

# Windows whose crops are computed at once: one alone is not padded, and few programs are compiled. On a CPU
# few are faster than many: what a layer makes of them stays in its cache (docs/performance.md).
BATCHES, BATCHES_ON_CPU = (1, 4, 16), (1, 2)
# There one batch alone also leaves the second core waiting at the end of each product; accelerators queue.
SIDE_BY_SIDE_ON_CPU = 2


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

    A row without a lead, or with NaN or infinity in an available one, is NaN: a program cannot refuse it.
    """
    known_BLW = jnp.where(available_BL[:, :, None], ecg_BLW, 0.0)
    usable_B = available_BL.any(-1) & jnp.isfinite(known_BLW).all((1, 2))
    samples = representation.crop_samples
    starts = crop_starts(ecg_BLW.shape[-1], samples, representation.crops)
    crops_XLT = jnp.concatenate([ecg_BLW[:, :, start : start + samples] for start in starts])
    available_XL = jnp.concatenate([available_BL] * len(starts))
    length_X = jnp.full(len(crops_XLT), samples, jnp.int32)
    pooling = representation.pooling
    embedding_XF = represent(network, parameters, crops_XLT, available_XL, length_X, pooling=pooling)
    embedding_BF = embedding_XF.reshape(len(starts), len(ecg_BLW), -1).mean(0)
    return jnp.where(usable_B[:, None], embedding_BF, jnp.nan)


def embed_recordings(
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
    windows_R = [len(windows.length_X) for windows in recordings]
    owner_X = np.repeat(np.arange(len(recordings)), windows_R)
    length_X = np.concatenate([windows.length_X for windows in recordings])
    ecg_XLW = np.concatenate([windows.ecg_XLW[:, rows] for windows in recordings])
    available_RL = np.stack([windows.available_L[rows] for windows in recordings])
    plan = plan_crops(length_X, owner_X, samples=samples, crops=representation.crops)

    def embed_crops(part: Crops) -> Any:
        return embed(cut_crops(ecg_XLW, part, samples), available_RL[part.owner], part.length)

    size = _at_once(len(plan.row), representation)
    side_by_side = SIDE_BY_SIDE_ON_CPU if _on_cpu() else 1
    embeddings = mean_over_crops(embed_crops, plan, batch_size=size, side_by_side=side_by_side)
    if not np.isfinite(embeddings).all():
        raise ValueError("embedding: expected finite numbers: the parameters of this bundle are of no use")
    return embeddings


def arguments(
    lengths: Sequence[int], leads: int, representation: Representation
) -> tuple[jax.ShapeDtypeStruct, ...]:
    """What `embed_recordings` gives to `embed` for windows of these lengths, at least one."""
    samples = representation.crop_samples
    count = sum(len(crop_starts(length, samples, representation.crops)) for length in lengths)
    size = _at_once(count, representation)
    shapes = ((size, leads, samples), np.float32), ((size, leads), bool), ((size,), np.int32)
    return tuple(jax.ShapeDtypeStruct(*shape) for shape in shapes)


def _at_once(count: int, representation: Representation) -> int:
    """How many of so many crops are computed at once."""
    sizes = [windows * representation.crops for windows in (BATCHES_ON_CPU if _on_cpu() else BATCHES)]
    return next((size for size in sizes if size >= count), sizes[-1])


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"
