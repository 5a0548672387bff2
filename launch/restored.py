"""Runs restored from their checkpoints, as the rooms downstream receive them."""

from pathlib import Path
from typing import Any

import jax

from coreecg_jax.downstream.methods import Encoder
from coreecg_jax.downstream.provenance import digest_of_parameters
from coreecg_jax.method.objective import Objective
from coreecg_jax.records.spelling import with_guess
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.experiment import build, network_of
from coreecg_jax.training.identity import flat
from coreecg_jax.training.state import init_parameters
from launch.bundled import NAME, bundle_at, encoder_of_bundle


def encoder_of(workdir: str, pooling: str | None = None) -> Encoder:
    """The encoder of a run or of a bundle, as trained and as drawn before its first step.

    Args:
      workdir: folder of a run or of a bundle, 'hf://ORGANISATION/NAME' (`export.hub`), or `bundled.NAME`.
      pooling: of the representation; None: the default, of a bundle its own.

    Raises:
      FileNotFoundError, ValueError: when it is none, or damaged.
    """
    if where := bundle_at(workdir):
        return encoder_of_bundle(where, workdir, pooling)
    try:
        loaded = load_parameters(workdir)
    except FileNotFoundError as error:
        guess = with_guess(workdir, [NAME])
        if Path(workdir).exists() or "did you mean" not in guess:
            raise
        raise FileNotFoundError(f"{error}; --checkpoint: got {guess}") from error
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
        pooling=pooling or Encoder.pooling,
        data_root=loaded.config.data.root,
        data_digests=loaded.data.get("train", {}),
        settings=flat(loaded.config.to_dict()),
    )


def model_of(workdir: str) -> tuple[Objective, dict[str, Any]]:
    """Objective and parameters of a run."""
    loaded = load_parameters(workdir)
    return build(loaded.config, loaded.preprocessing).objective, loaded.parameters
