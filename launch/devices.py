"""What a run computes on: asked for before anything else, and told."""

import jax
import ml_collections

from coreecg_jax.training.experiment import resolved
from launch.device_mistakes import no_device


def described(config: ml_collections.ConfigDict) -> str:
    """'devices: 16 x NVIDIA H200 (gpu), 2 processes, bfloat16'.

    Raises:
      ValueError: where jax cannot start what JAX_PLATFORMS or an installed package asks for.
    """
    try:
        devices = jax.devices()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(no_device(error)) from error
    processes = jax.process_count()
    return (
        f"devices: {len(devices)} x {devices[0].device_kind} ({devices[0].platform}), "
        f"{processes} {'process' if processes == 1 else 'processes'}, {resolved(config).model.dtype}"
    )
