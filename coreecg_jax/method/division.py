"""How a batch is divided among devices while a program is traced for several; without that, nothing is done.

jit divides a program by itself, but where it may choose it chooses badly: it divides hidden widths as the
parameters are divided and gathers activations, and it gathers what it cannot take apart (FFTs, the joining of
two divided batches). What is said here keeps each recording on one device and sends parameters instead.
"""

import contextlib
import contextvars
from collections.abc import Callable, Generator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

# How the kernel of a linear layer, of shape [K, N], is divided where batches are so: along one axis, or not.
OfKernel = Callable[[Sequence[int], NamedSharding], PartitionSpec]

_DIVIDED: contextvars.ContextVar[NamedSharding | None] = contextvars.ContextVar("divided", default=None)
_OF_KERNEL: contextvars.ContextVar[OfKernel | None] = contextvars.ContextVar("of_kernel", default=None)


@contextlib.contextmanager
def dividing(batches: NamedSharding, of_kernel: OfKernel | None = None) -> Generator[None]:
    """What is traced inside has its batches divided so, along their first axis.

    Args:
      of_kernel: how kernels are divided, and with them their gradients; None: they are not.
    """
    divided = _DIVIDED.set(batches if batches.mesh.size > 1 else None)
    kernels = _OF_KERNEL.set(of_kernel)
    try:
        yield
    finally:
        _OF_KERNEL.reset(kernels)
        _DIVIDED.reset(divided)


def by_rows(x: jax.Array) -> jax.Array:
    """The same array, divided along its first axis alone; so is its gradient."""
    divided = _DIVIDED.get()
    return x if divided is None else jax.lax.with_sharding_constraint(x, divided)


def whole(x: jax.Array) -> jax.Array:
    """The same array on every device: a part of the parameters where it is used; so is its gradient."""
    divided = _DIVIDED.get()
    if divided is None:
        return x
    return jax.lax.with_sharding_constraint(x, NamedSharding(divided.mesh, PartitionSpec()))


def summed_over_rows(
    products: Callable[[jax.Array, jax.Array], jax.Array], x_MK: jax.Array, y_MN: jax.Array
) -> jax.Array:
    """`products(x, y)`, [K, N], which is a sum over rows; divided as the kernel of that shape is.

    Of a divided kernel each device is sent the sum of its part alone. That is written out: where jit is only
    told how the result is divided it sums all of it and cuts then. XLA mends that for a TPU, not for a CPU.
    """
    divided, of_kernel = _DIVIDED.get(), _OF_KERNEL.get()
    # Rows that do not go up in the devices are not of a batch, and few.
    if divided is None or of_kernel is None or len(x_MK) % divided.mesh.size:
        return whole(products(x_MK, y_MN))
    kept, rows = of_kernel((x_MK.shape[1], y_MN.shape[1]), divided), divided.spec
    if not any(kept):
        return whole(products(x_MK, y_MN))
    ((axis, parts),) = [(axis, name) for axis, name in enumerate(kept) if name is not None]
    others = tuple(name for name in divided.mesh.axis_names if name != parts)

    def local(x_MK: jax.Array, y_MN: jax.Array) -> jax.Array:
        part = jax.lax.psum_scatter(products(x_MK, y_MN), parts, scatter_dimension=axis, tiled=True)
        return jax.lax.psum(part, others)  # last, as a part is less to send than the whole

    return jax.shard_map(local, mesh=divided.mesh, in_specs=(rows, rows), out_specs=kept)(x_MK, y_MN)


def each_its_own(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """A function that treats every row of its arguments alike and alone: each device calls it on its rows.

    An argument of one row is there for all rows of the others.
    """
    divided = _DIVIDED.get()
    if divided is None:
        return function

    def divided_call(*arguments: jax.Array) -> jax.Array:
        rows = divided.spec
        specs = tuple(PartitionSpec() if x.shape[0] == 1 else rows for x in arguments)
        return jax.shard_map(function, mesh=divided.mesh, in_specs=specs, out_specs=rows)(*arguments)

    return divided_call


def joined(first: jax.Array, second: jax.Array) -> jax.Array:
    """Both along the first axis, one after the other. Each device sends its rows where they belong then."""
    divided = _DIVIDED.get()
    if divided is None:
        return jnp.concatenate([first, second])
    devices, (axes, *_) = divided.mesh.size, divided.spec

    def local(*parts: jax.Array) -> jax.Array:
        # Of 2 * devices parts, those of `first` before those of `second`, device d holds 2 d and 2 d + 1.
        place, halves = 2 * jax.lax.axis_index(axes), []
        for half in range(2):
            sent = [_sent(part, axes, devices, number * devices, half) for number, part in enumerate(parts)]
            halves.append(jnp.where(place + half < devices, *sent))
        return jnp.concatenate(halves)

    spec = divided.spec
    return jax.shard_map(local, mesh=divided.mesh, in_specs=(spec, spec), out_specs=spec)(first, second)


def _sent(part: jax.Array, axes: Any, devices: int, before: int, half: int) -> jax.Array:
    """What a device is sent as its first or second half, of parts with `before` others before them."""
    numbers = [(device, before + device) for device in range(devices)]
    pairs = [(device, number // 2) for device, number in numbers if number % 2 == half]
    return jax.lax.ppermute(part, axes, pairs)
