"""The state of training: one pytree, nothing else persists between steps."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.objective import Objective
from coreecg_jax.records.leads import LEADS

Parameters = dict[str, Any]


class TrainState(struct.PyTreeNode):
    """Steps done, parameters {'network', 'fda'}, the optimizer's state. Keys are not carried."""

    step: jax.Array  # int32
    parameters: Parameters
    optimizer: optax.OptState
    skipped: jax.Array  # int32, steps whose loss or gradient was not finite: they changed nothing else
    skipped_in_a_row: jax.Array  # int32, of them those since the last that was finite


@functools.partial(jax.jit, static_argnums=0)
def init_parameters(network: CoReECG, key: jax.Array) -> Parameters:
    """Parameters of the network as drawn before the first step; they do not depend on the crop's length.

    Compiled once for all networks of the same settings.
    """
    patches_BSP = np.zeros((1, len(LEADS), network.patch), np.float32)
    kept_BK, seen_BK = np.arange(len(LEADS), dtype=np.int32)[None], np.ones((1, len(LEADS)), bool)
    return network.init(key, patches_BSP, kept_BK, seen_BK)["params"]


def init_state(objective: Objective, optimizer: optax.GradientTransformation, key: jax.Array) -> TrainState:
    """The state before the first step."""
    parameters = {
        "network": init_parameters(objective.network, key),
        "fda": objective.fda.init(objective.crop_samples, objective.sampling_rate),
    }
    step, skipped, in_a_row = (jnp.zeros((), jnp.int32) for _ in range(3))
    return TrainState(step, parameters, jax.jit(optimizer.init)(parameters), skipped, in_a_row)
