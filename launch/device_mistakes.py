"""What jax raises about devices, in one sentence. jax is not loaded for it."""

import sys


def no_device(error: BaseException) -> str:
    """For what `jax.devices` raised."""
    reason = str(error).partition("\n")[0] or "there is none"
    asked = sys.modules["jax"].config.values["jax_platforms"]
    return (
        f"no device to compute on with JAX_PLATFORMS={asked or ''} ({reason}): "
        "look at the driver and the installed extra (docs/running.md), or set JAX_PLATFORMS=cpu"
    )


def device_mistake(error: BaseException) -> str | None:
    """The sentence where a launcher met no device, or one whose memory is full; else None."""
    jax = sys.modules.get("jax")
    # AssertionError: `cuda` where there is no NVIDIA device at all, which jax passes over without a word.
    if jax is None or not isinstance(error, (RuntimeError, AssertionError)):
        return None
    from coreecg_jax.training.room import is_device_full  # here, as it loads jax

    if is_device_full(error):
        reason = str(error).strip().partition("\n")[0]
        other = "" if jax.default_backend() == "cpu" else ", or set JAX_PLATFORMS=cpu"
        return (
            f"expected the work to fit into the memory of the device, got {reason!r}; free it of what else "
            f"runs there{other}"
        )
    try:
        jax.devices()  # where the error is from cannot be seen, as jax leaves its own frames out
    except (RuntimeError, AssertionError) as again:
        return no_device(again)
    return None
