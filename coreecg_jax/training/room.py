"""A device without room for the run, told in one sentence: what jax raises then fills pages."""

import contextlib
from collections.abc import Generator

import jax


class DeviceFull(ValueError):
    """The memory of a device does not hold what the config asks for."""


def is_device_full(error: BaseException) -> bool:
    """Whether jax found no room on a device, when it compiled or when it ran."""
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


@contextlib.contextmanager
def fullness_told() -> Generator[None]:
    """Around what trains, or compiles to train: raises DeviceFull in place of jax's error."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if not is_device_full(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise DeviceFull(
            f"expected the run to fit into the memory of its devices, got {reason!r}; lower data.batch_size "
            "or data.validation_batch_size, take more devices or raise run.fsdp, or set run.remat to "
            "'dots' or 'all', which keeps less for the gradient; with data.placement=device the windows of "
            "training lie there too: data.placement=host (with run.steps_per_dispatch=1 and without "
            "data.packed) streams them"
        ) from error
