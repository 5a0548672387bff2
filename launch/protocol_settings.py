"""The settings of every protocol of an evaluation, from their config."""

import functools

import ml_collections

from configs.downstream import protocols
from coreecg_jax.downstream.finetuning_settings import Settings
from coreecg_jax.downstream.methods import Protocols


def protocols_of(config: ml_collections.ConfigDict) -> Protocols:
    """The settings of `configs/downstream/protocols.py`.

    Raises:
      ValueError: naming the group, when a setting is out of its range, or groups or fields are others.
    """
    trained = {}
    try:
        for name in ("attention", "finetune", "scratch"):
            try:
                trained[name] = Settings(**config[name])
            except ValueError as error:
                raise ValueError(f"--protocols.{name}: {error}") from error
        return Protocols(**trained, neighbours=tuple(config.knn.neighbours), crops=config.linear.crops)
    except (AttributeError, KeyError, TypeError) as error:  # a file of another kind
        told = " ".join(str(error).split())
        raise ValueError(
            f"--protocols: expected groups and fields as in configs/downstream/protocols.py ({told})"
        ) from error


@functools.cache
def default_protocols() -> Protocols:
    """The settings as the file has them; a sweep asks for them once a cell."""
    return protocols_of(protocols.get_config())
