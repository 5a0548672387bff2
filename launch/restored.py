"""Runs restored from their checkpoints, as the rooms downstream receive them."""

import functools
from typing import Any

import jax

from coreecg_jax.downstream.methods import Encoder
from coreecg_jax.method.objective import Objective
from coreecg_jax.method.representation import represent
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.experiment import build, network_of
from coreecg_jax.training.state import init_parameters


def encoder_of(workdir: str, pooling: str) -> Encoder:
    """The encoder of a run, as trained and as drawn before its first step."""
    loaded = load_parameters(workdir)
    network = network_of(loaded.config)
    crop, seed = loaded.config.data.crop_seconds, loaded.config.seed
    apply = jax.jit(functools.partial(represent, network, pooling=pooling))
    untrained = functools.partial(apply, init_parameters(network, jax.random.key(seed)))
    pretrained = functools.partial(apply, loaded.params)
    about = workdir, loaded.step, seed, crop, loaded.preprocessing
    return Encoder(*about, pretrained, untrained, pooling)


def model_of(workdir: str) -> tuple[Objective, dict[str, Any]]:
    """Objective and parameters of a run."""
    loaded = load_parameters(workdir)
    return build(loaded.config, loaded.preprocessing).objective, loaded.parameters
