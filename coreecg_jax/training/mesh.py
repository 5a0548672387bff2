"""Data parallelism: one axis over all devices, state everywhere, batches divided."""

from typing import NamedTuple

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec


class Placement(NamedTuple):
    """Where arrays live."""

    replicated: NamedSharding  # the state, and scalars
    divided: NamedSharding  # batches, along their first axis


def data_parallel() -> Placement:
    """All devices that jax sees, on one axis named 'data'."""
    mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))
    return Placement(NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data")))


def require_divisible(field: str, batch_size: int, placement: Placement) -> None:
    """Raises ValueError when a batch cannot be divided evenly among the devices."""
    devices = placement.divided.mesh.size
    if batch_size < 1 or batch_size % devices:
        raise ValueError(f"{field}: expected a positive multiple of {devices} (devices), got {batch_size}")
