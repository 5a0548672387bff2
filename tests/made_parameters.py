"""Parameters and first states filled by numpy.

To draw them as training does compiles every draw, which takes longer than most of what is tested with them.
What training draws is tested where whole runs are (tests/training).
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.method.network import CoReECG
from coreecg_jax.training.state import Parameters, TrainState, init_parameters


def made_parameters(network: CoReECG, seed: int = 0) -> Parameters:
    """Kernels of variance 1 / fan-in, scales 1, biases 0, the decoder's last layer 0 where it starts so."""
    rng = np.random.default_rng(seed)

    def filled(path: Any, leaf: Any) -> np.ndarray:
        name = jax.tree_util.keystr(path)
        if name.endswith("['scale']"):
            return np.ones(leaf.shape, leaf.dtype)
        if name.endswith("['bias']") or (network.zero_output and "decoder_out" in name):
            return np.zeros(leaf.shape, leaf.dtype)
        spread = leaf.shape[-2] ** -0.5 if name.endswith("['kernel']") else 0.5
        return rng.normal(0, spread, leaf.shape).astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(filled, _shapes(network))


@functools.cache
def _shapes(network: CoReECG) -> Parameters:
    return jax.eval_shape(lambda: init_parameters(network, jax.random.key(0)))


def made_state(experiment: Any) -> TrainState:
    """The state of an experiment before its first step."""
    objective = experiment.objective
    parameters = {
        "network": made_parameters(objective.network),
        "fda": objective.fda.init(objective.crop_samples, objective.sampling_rate),
    }
    step, skipped, in_a_row = (jnp.zeros((), jnp.int32) for _ in range(3))
    return TrainState(step, parameters, jax.jit(experiment.optimizer.init)(parameters), skipped, in_a_row)
