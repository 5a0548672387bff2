"""Runs restored from their checkpoints, as the rooms downstream receive them."""

from typing import Any

import jax

from coreecg_jax.downstream.methods import Encoder
from coreecg_jax.downstream.provenance import digest_of_parameters
from coreecg_jax.method.objective import Objective
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.experiment import build, network_of
from coreecg_jax.training.identity import flat
from coreecg_jax.training.state import init_parameters


def encoder_of(workdir: str, pooling: str = "rhythm") -> Encoder:
    """The encoder of a run, as trained and as drawn before its first step."""
    loaded = load_parameters(workdir)
    network = network_of(loaded.config)
    seed = loaded.config.seed
    return Encoder(
        name=workdir,
        step=loaded.step,
        seed=seed,
        crop_seconds=loaded.config.data.crop_seconds,
        preprocessing=loaded.preprocessing,
        trained_on=loaded.config.data.train,
        network=network,
        pretrained=loaded.params,
        untrained=init_parameters(network, jax.random.key(seed)),
        digest=digest_of_parameters(loaded.params),
        pooling=pooling,
        data_root=loaded.config.data.root,
        data_digests=loaded.data.get("train", {}),
        settings=flat(loaded.config.to_dict()),
    )


def model_of(workdir: str) -> tuple[Objective, dict[str, Any]]:
    """Objective and parameters of a run."""
    loaded = load_parameters(workdir)
    return build(loaded.config, loaded.preprocessing).objective, loaded.parameters
