"""What a bundle computes, compiled once a process for each network and shape, however often it is loaded."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from coreecg_jax.export.crops import embed_full_windows
from coreecg_jax.export.description import Description
from coreecg_jax.export.kept_programs import KeptProgram
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.representation import compiled_represent
from coreecg_jax.method.unmasked import encode_unmasked, read
from coreecg_jax.records.leads import LEADS


@functools.lru_cache(maxsize=64)
def embedding(network: CoReECG, leads: tuple[str, ...], pooling: str) -> KeptProgram:
    """The representation of crops of these leads, one program for each shape; see `represent`."""
    function = compiled_represent(network, leads=leads, pooling=pooling)
    return KeptProgram(function, repr((network, leads, pooling)))


@functools.lru_cache(maxsize=8)
def tokens(network: CoReECG) -> Callable[..., Any]:
    """Every token of crops of all twelve leads, compiled once a process for each shape."""

    def encoded(parameters: Any, *crops: Any) -> tuple[jax.Array, ...]:
        places = range(len(LEADS))
        made = encode_unmasked(network, parameters, read(network, *crops), places)
        return made.tokens_BUND, made.global_BD, made.seen_BUN

    return jax.jit(encoded)


def width(description: Description, parameters: dict[str, Any]) -> int:
    """Numbers of an embedding; nothing is computed."""
    d = description
    ecg = jax.ShapeDtypeStruct((1, len(LEADS), d.preprocessing.window_samples), np.float32)
    there = jax.ShapeDtypeStruct((1, len(LEADS)), bool)

    def embed(parameters: Any, *windows: Any) -> jax.Array:
        return embed_full_windows(d.network, parameters, *windows, d.representation)

    return jax.eval_shape(embed, parameters, ecg, there).shape[1]
