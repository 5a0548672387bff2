"""The whole training corpus in the devices' memory, each batch drawn there by index: no input pipeline."""

import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.inputs.batch import Batch
from coreecg_jax.inputs.packing import AFTER_SAMPLES, Rows, packed, padded_words_of, rows_of_shards, words_of
from coreecg_jax.inputs.together import ALONE, Processes
from coreecg_jax.inputs.training_windows import TrainingWindows
from coreecg_jax.records.leads import LEADS

_MEMINFO = Path("/proc/meminfo")
_CHUNK_BYTES = 2**25  # on the host at once, twice; the corpus itself is on the devices only


class Corpus(NamedTuple):
    """Rows on the devices, and where each record is among them."""

    rows: jax.Array  # int32[rows, padded words], divided along its first axis; filled up with zeros
    row_of: np.ndarray  # int32, of each record; of those that are too short it means nothing


def load_corpus(
    windows: TrainingWindows,
    sharding: jax.sharding.NamedSharding,
    folder: Path | str = "",
    processes: Processes = ALONE,
) -> Corpus:
    """Reads the corpus, each process what its devices hold, one device's part at a time and of that a chunk.

    Args:
      windows: of training.
      sharding: of the first axis over the devices.
      folder: for a file of the rows (`packing.packed`); the shards are read at each start where it is empty.
      processes: that call this together.

    Raises:
      OSError, ValueError: when a shard is damaged, or as `packing.packed`; in all processes.
    """
    read = packed(folder, windows, processes) if folder else rows_of_shards(windows)
    shape = shape_of_rows(windows, sharding)
    parts = sharding.addressable_devices_indices_map(shape)
    on_devices = processes.each(
        lambda: [_part(read, part, windows.usable, shape, device) for device, part in parts.items()]
    )
    rows = jax.make_array_from_single_device_arrays(shape, sharding, on_devices)
    return Corpus(rows, (np.cumsum(windows.order.long_enough) - 1).astype(np.int32))


def require_room(windows: TrainingWindows, sharding: jax.sharding.NamedSharding) -> None:
    """Raises ValueError when the corpus does not fit, before it is read or the step compiled."""
    needed = bytes_on_each(windows, sharding)
    for device in sharding.addressable_devices:
        free = free_bytes(device)
        if free is not None and needed > free:
            raise ValueError(
                f"data.placement: expected a corpus that fits, got {windows.usable:,} windows of "
                f"{needed / 1e9:.2f} GB on each of {sharding.mesh.size} devices, where {free / 1e9:.2f} GB "
                "are free; use more devices, fewer windows or data.placement=host (with "
                "run.steps_per_dispatch=1 and without data.packed), which streams the shards"
            )


def shape_of_rows(windows: TrainingWindows, sharding: jax.sharding.NamedSharding) -> tuple[int, int]:
    """Of the corpus on all devices: rows, as many on each, and words."""
    devices, window = sharding.mesh.size, windows.selection.preprocessing.window_samples
    return -(-windows.usable // devices) * devices, padded_words_of(window)


def bytes_on_each(windows: TrainingWindows, sharding: jax.sharding.NamedSharding) -> int:
    """What the corpus takes on each device."""
    rows, words = shape_of_rows(windows, sharding)
    return 4 * rows * words // sharding.mesh.size


def free_bytes(device: jax.Device) -> int | None:
    """Memory of a device that is not used yet; None where it cannot be told. The CPU's share the host's."""
    told = device.memory_stats()
    if told and "bytes_limit" in told:
        return told["bytes_limit"] - told.get("bytes_in_use", 0)
    if device.platform != "cpu" or not _MEMINFO.is_file():
        return None
    fields = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="utf-8").splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024
    return available // len(jax.local_devices())


def make_draw(
    sharding: jax.sharding.NamedSharding, window_samples: int
) -> Callable[[jax.Array, jax.Array], Batch]:
    """A function of (corpus rows, indices of a batch) that gives the batch, divided as batches are.

    Each device looks up what it holds and sends every other its part of the batch: what travels is one batch.
    """
    axes = sharding.spec[0]

    def local(rows_RW: jax.Array, index_B: jax.Array) -> jax.Array:
        place_B = index_B - jax.lax.axis_index(axes) * len(rows_RW)
        here_B = (place_B >= 0) & (place_B < len(rows_RW))
        found_BW = rows_RW[jnp.clip(place_B, 0, len(rows_RW) - 1)]
        # One device has each row, the others add zero.
        return jax.lax.psum_scatter(jnp.where(here_B[:, None], found_BW, 0), axes, tiled=True)

    everywhere, divided = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec(axes)
    look_up = jax.shard_map(local, mesh=sharding.mesh, in_specs=(divided, everywhere), out_specs=divided)

    def draw(rows: jax.Array, index_B: jax.Array) -> Batch:
        return _unpacked(look_up(rows, index_B), window_samples)

    return draw


def _unpacked(rows_BW: jax.Array, window_samples: int) -> Batch:
    samples = words_of(window_samples) - AFTER_SAMPLES
    ecg = jax.lax.bitcast_convert_type(rows_BW[:, :samples], jnp.int16)
    length_B, patient_B, bits_B = rows_BW[:, samples : words_of(window_samples)].T
    lead_L = jnp.arange(len(LEADS), dtype=jnp.int32)
    return Batch(
        ecg=ecg.reshape(len(rows_BW), len(LEADS), window_samples),
        length=length_B,
        available=(bits_B[:, None] >> lead_L[None] & 1).astype(bool),
        patient=jax.lax.bitcast_convert_type(patient_B, jnp.uint32),
    )


def _part(read: Rows, part: Any, usable: int, shape: tuple[int, int], device: jax.Device) -> jax.Array:
    """A device's rows, put there chunk by chunk: a host has less memory than the devices that it feeds."""
    first, stop, _ = part[0].indices(shape[0])
    rows_RW = jnp.zeros((stop - first, shape[1]), jnp.int32, device=device)
    of_part, number = read(first, min(stop, usable)), 0
    while chunk := list(itertools.islice(of_part, max(1, _CHUNK_BYTES // (4 * shape[1])))):
        # Waited for: else chunks that were read would pile up before those that are on their way.
        rows_RW = jax.block_until_ready(_written(rows_RW, np.stack(chunk), np.int32(number)))
        number += len(chunk)
    return rows_RW


@functools.partial(jax.jit, donate_argnums=0)
def _written(rows_RW: jax.Array, chunk_CW: np.ndarray, number: np.int32) -> jax.Array:
    """The rows with those of a chunk from `number` on, in the same memory; what is padded stays 0."""
    return jax.lax.dynamic_update_slice(rows_RW, chunk_CW, (number, np.int32(0)))
