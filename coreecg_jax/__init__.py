"""CoRe-ECG: contrastive and reconstructive self-supervised pretraining for 12-lead ECG, in JAX/Flax.

`load(path)` gives the encoder of a bundle that `launch.export` wrote, `load()` the one that comes with the
package: `coreecg_jax.export.loading`.
`CoReECGEmbedder` is the same for scikit-learn: `coreecg_jax.export.transformer`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from coreecg_jax.startup import collected_later

if TYPE_CHECKING:
    from coreecg_jax.export.loading import load as load
    from coreecg_jax.export.transformer import CoReECGEmbedder as CoReECGEmbedder

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Imported when it is first asked for: jax takes a second, which not everybody needs."""
    rooms = {"load": "loading", "CoReECGEmbedder": "transformer"}
    if name in rooms:
        with collected_later():
            found = getattr(importlib.import_module(f"coreecg_jax.export.{rooms[name]}"), name)
        globals()[name] = found  # it is asked for once
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
