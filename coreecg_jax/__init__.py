"""CoRe-ECG: contrastive and reconstructive self-supervised pretraining for 12-lead ECG, in JAX/Flax.

`load(path)` gives the encoder of a bundle that `launch.export` wrote: `coreecg_jax.export.bundle`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coreecg_jax.export.bundle import load as load

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`load`, imported when it is first asked for: jax takes a second, which not everybody needs."""
    if name == "load":
        from coreecg_jax.export.bundle import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
