"""Batches on their way from the host to the devices."""

import collections
from collections.abc import Generator, Iterable

import jax
import numpy as np

from coreecg_jax.inputs.batch import Batch


def to_devices(
    batches: Iterable[Batch], sharding: jax.sharding.Sharding, *, ahead: int = 2
) -> Generator[Batch]:
    """The batches as jax arrays, each put on its way `ahead` batches before it is asked for.

    Transfers are asynchronous, and what reads does so in threads of its own, so no thread is needed here:
    one that stops asking leaves nothing behind. An error of `batches` is raised as soon as it is met, up to
    `ahead` batches early.

    With several processes each sends its own devices their part of the global batch; other rows of its
    batches are not looked at.

    Args:
      batches: numpy batches; the leading axis of every array is divided as `sharding` says.
      sharding: of the leading axis over the devices, which must divide the batch evenly.
      ahead: batches on the devices beside the one in use.
    """

    def put(array: np.ndarray) -> jax.Array:
        parts = sharding.addressable_devices_indices_map(array.shape)
        on_devices = [jax.device_put(array[part], device) for device, part in parts.items()]
        return jax.make_array_from_single_device_arrays(array.shape, sharding, on_devices)

    on_their_way: collections.deque[Batch] = collections.deque()
    for batch in batches:
        on_their_way.append(Batch(*map(put, batch)))
        if len(on_their_way) > ahead:
            yield on_their_way.popleft()
    yield from on_their_way


def rows_here(sharding: jax.sharding.Sharding, batch_size: int) -> list[int]:
    """The rows of a batch that the devices of this process are sent."""
    rows = np.arange(batch_size)
    parts = sharding.addressable_devices_indices_map((batch_size,)).values()
    return sorted({row for part in parts for row in rows[part].tolist()})
