"""What a run computes on: asked for before anything else, and told."""

import jax
import ml_collections

from coreecg_jax.training.experiment import resolved


def described(config: ml_collections.ConfigDict) -> str:
    """'devices: 16 x NVIDIA H200 (gpu), 2 processes, bfloat16'.

    Raises:
      ValueError: where jax cannot start what JAX_PLATFORMS or an installed package asks for.
    """
    try:
        devices = jax.devices()
    # AssertionError: `cuda` where there is no NVIDIA device at all, which jax passes over without a word.
    except (RuntimeError, AssertionError) as error:
        reason, asked = str(error).partition("\n")[0] or "there is none", jax.config.values["jax_platforms"]
        raise ValueError(
            f"no device to compute on with JAX_PLATFORMS={asked or ''} ({reason}): "
            "look at the driver and the installed extra (docs/running.md), or set JAX_PLATFORMS=cpu"
        ) from error
    processes = jax.process_count()
    return (
        f"devices: {len(devices)} x {devices[0].device_kind} ({devices[0].platform}), "
        f"{processes} {'process' if processes == 1 else 'processes'}, {resolved(config).model.dtype}"
    )
