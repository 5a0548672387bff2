"""`model.stablehlo`: the encoder with its parameters, for any runtime that reads StableHLO; by `jax.export`.

Lowered for CPU, CUDA and TPU with any number of recordings. Only the CPU's program was ever run.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.export  # not brought along by jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.export.crops import embed_full_windows
from coreecg_jax.method.machine import portable
from coreecg_jax.records.leads import LEADS

if TYPE_CHECKING:
    from coreecg_jax.export.bundle import Bundle

PLATFORMS = ("cpu", "cuda", "tpu")


def write_stablehlo(path: Path, bundle: "Bundle") -> None:
    """Writes (ecg float32[b, 12, W], available bool[b, 12]) -> (embedding float32[b, F]), for any b >= 1."""
    d, (batch,) = bundle.description, jax.export.symbolic_shape("b")
    ecg = jax.ShapeDtypeStruct((batch, len(LEADS), d.preprocessing.window_samples), jnp.float32)
    available = jax.ShapeDtypeStruct((batch, len(LEADS)), jnp.bool_)

    parameters = jax.tree.map(jnp.asarray, bundle.parameters)

    def embed(ecg_LW: jax.Array, available_L: jax.Array) -> jax.Array:
        one = ecg_LW[None], available_L[None]
        return embed_full_windows(d.network, parameters, *one, d.representation)[0]

    # Mapped over recordings: inside, every size is a number, as `len` of an array asks for.
    with portable():
        exported = jax.export.export(jax.jit(jax.vmap(embed)), platforms=PLATFORMS)(ecg, available)
    path.write_bytes(exported.serialize())


def run_stablehlo(path: Path, ecg: np.ndarray, available: np.ndarray) -> np.ndarray:
    """The embedding by the written program, on this machine's first device."""
    exported = jax.export.deserialize(bytearray(path.read_bytes()))
    return np.asarray(exported.call(ecg, available))
