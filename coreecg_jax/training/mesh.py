"""Where arrays live: one mesh over all devices, batches divided among them, the state on each or divided too.

The mesh has two named axes. Batches are divided along both. Over 'fsdp' each device of a row of the mesh
holds a part of the large parameters and of their moments (fully sharded data parallelism); with one device
a row, the default, each holds all of them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from coreecg_jax.training.array_paths import path_of

AXES = ("data", "fsdp")
# Numbers below which a kernel is not worth dividing: its parts would be sent more often than computed with.
# Of one layer: layers are sent one by one, and none knows how many it is stacked with.
_SMALLEST = 2**12


class Placement(NamedTuple):
    """Shardings over one mesh."""

    replicated: NamedSharding  # scalars, and the state where it is not divided
    divided: NamedSharding  # batches, along their first axis

    def of_state(self, state: Any) -> Any:
        """A sharding for each array of a state: the rule is `partition`."""
        mesh = self.divided.mesh
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: NamedSharding(mesh, partition(path_of(path), leaf.shape, mesh.shape["fsdp"])),
            state,
        )


def put(tree: Any, shardings: Any) -> Any:
    """Arrays that every process has whole, over all devices: each process sends its own their part."""
    return jax.tree.map(
        lambda leaf, sharding: jax.make_array_from_callback(
            leaf.shape, sharding, np.asarray(leaf).__getitem__
        ),
        tree,
        shardings,
    )


def place(*, fsdp: int = 1, devices: Sequence[jax.Device] | None = None) -> Placement:
    """All devices that jax sees, or those given, process by process.

    Args:
      fsdp: devices that share the parameters.

    Raises:
      ValueError: when it does not divide the number of devices.
    """
    devices = by_process(jax.devices() if devices is None else devices)
    if fsdp < 1 or len(devices) % fsdp:
        raise ValueError(f"run.fsdp: expected a divisor of {len(devices)}, the number of devices, got {fsdp}")
    grid = np.array(devices).reshape(-1, fsdp)
    mesh = Mesh(grid, AXES, axis_types=(AxisType.Auto,) * len(AXES))
    return Placement(NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(AXES)))


def by_process(devices: Sequence[jax.Device]) -> list[jax.Device]:
    """Those of a process side by side, in whatever order jax names them: else the rows of a batch, and with
    them the shards, that a process reads would lie in more parts than there need be."""
    return sorted(devices, key=lambda device: (device.process_index, device.id))


def partition(path: str, shape: Sequence[int], fsdp: int) -> PartitionSpec:
    """How an array of the state is divided over 'fsdp': kernels of linear layers and their moments along the
    longer of their two axes that can be, all else not.

    Args:
      path: 'parameters/network/encoder_stack/layers/qkv/kernel', or the same below 'optimizer/'.
      shape: of the array; stacked layers have one axis more in front, which is never divided.
      fsdp: devices along the axis.
    """
    *_, name = path.split("/")
    if fsdp == 1 or name != "kernel" or len(shape) < 2 or np.prod(shape[-2:]) < _SMALLEST:
        return PartitionSpec()
    can_be = [axis for axis in (len(shape) - 1, len(shape) - 2) if shape[axis] % fsdp == 0]
    if not can_be:
        return PartitionSpec()
    longest = max(can_be, key=lambda axis: shape[axis])
    return PartitionSpec(*("fsdp" if axis == longest else None for axis in range(len(shape))))


def of_kernel(shape: Sequence[int], batches: NamedSharding) -> PartitionSpec:
    """How the kernel of one linear layer is divided: as `partition` divides those of its stack."""
    return partition("kernel", shape, batches.mesh.shape["fsdp"])


def require_divisible(field: str, batch_size: int, placement: Placement) -> None:
    """Raises ValueError when a batch cannot be divided evenly among the devices."""
    devices = placement.divided.mesh.size
    if batch_size < 1 or batch_size % devices:
        raise ValueError(f"{field}: expected a positive multiple of {devices} (devices), got {batch_size}")
