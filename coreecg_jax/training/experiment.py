"""From a config to the things that train, each checked before anything is compiled."""

import dataclasses
import inspect

import jax
import ml_collections
import optax

from coreecg_jax.method.masking import STDM
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.normalisation import MILLIVOLTS_PER_STORED_UNIT
from coreecg_jax.method.objective import Objective
from coreecg_jax.method.views import FDA
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.optimizer import make_optimizer

POSITIVE = (
    *(f"run.{name}" for name in ("steps", "log_every", "validate_every", "checkpoint_every")),
    *(f"model.{name}" for name in ("patch", "width", "depth", "heads", "projection")),
    *(f"model.decoder_{name}" for name in ("width", "depth", "heads")),
    "objective.temperature",
    "objective.target_floor",
)
NOT_NEGATIVE = ("model.registers", "objective.lambda_c", "objective.scale_jitter")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What a config says, built."""

    objective: Objective
    optimizer: optax.GradientTransformation


def resolved(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The config with what depends on the machine written out: `model.dtype` 'auto' becomes a type."""
    config = config.copy_and_resolve_references()
    if config.model.dtype == "auto":
        config.model.dtype = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    if config.model.dtype not in ("float32", "bfloat16"):
        raise ValueError(f"model.dtype: expected auto, float32 or bfloat16, got {config.model.dtype!r}")
    return config


def network_of(config: ml_collections.ConfigDict) -> CoReECG:
    """The network of a config.

    Raises:
      ValueError: where the config has other fields than this version knows.
    """
    model = resolved(config).model.to_dict()
    known = set(inspect.signature(CoReECG).parameters) - {"parent", "name"}
    if set(model) != known:
        raise ValueError(
            f"config.model: expected the fields of this version; missing {sorted(known - set(model))}, "
            f"unknown {sorted(set(model) - known)}: a run is read by the version that made it"
        )
    return CoReECG(**model)


def build(config: ml_collections.ConfigDict, preprocessing: Preprocessing) -> Experiment:
    """The experiment of a resolved config on data so prepared.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    rate = preprocessing.sampling_rate
    if rate != config.data.sampling_rate:
        raise ValueError(
            f"data.sampling_rate: the config is for {config.data.sampling_rate:g} Hz, the data under "
            f"{config.data.root!r} have {rate:g} Hz: prepare them with "
            f"--sampling_rate={config.data.sampling_rate:g}, or set data.root to data that have it"
        )
    _require_in_range(config)
    objective = Objective(
        network=network_of(config),
        crop_samples=_crop_samples(config, preprocessing),
        sampling_rate=rate,
        millivolts_per_unit=MILLIVOLTS_PER_STORED_UNIT * preprocessing.microvolts_per_unit,
        fda=FDA(**config.view),
        stdm=STDM(**config.mask),
        **config.objective,
    )
    objective.stdm.tokens_kept(objective.columns)  # refuses a mask that would leave nothing to see
    optimizer = make_optimizer(steps=config.run.steps, **config.optimizer)
    return Experiment(objective, optimizer)


def _crop_samples(config: ml_collections.ConfigDict, preprocessing: Preprocessing) -> int:
    samples, patch = config.data.crop_seconds * preprocessing.sampling_rate, config.model.patch
    if samples != round(samples) or patch < 2 or round(samples) % patch:
        raise ValueError(
            f"data.crop_seconds: expected a whole number of patches (model.patch = {patch} samples), got "
            f"{config.data.crop_seconds:g} s = {samples:g} samples"
        )
    if not 0 < samples <= preprocessing.window_samples:
        raise ValueError(
            f"data.crop_seconds: expected at most the stored {preprocessing.window_seconds:g} s, got "
            f"{config.data.crop_seconds:g} s"
        )
    return round(samples)


def _require_in_range(config: ml_collections.ConfigDict) -> None:
    for field in POSITIVE:
        if not _value(config, field) > 0:
            raise ValueError(f"{field}: expected more than 0, got {_value(config, field)}")
    for field in NOT_NEGATIVE:
        if not _value(config, field) >= 0:
            raise ValueError(f"{field}: expected 0 or more, got {_value(config, field)}")
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"seed: expected 0 to 2**32 - 1, got {config.seed}")


def _value(config: ml_collections.ConfigDict, field: str) -> float:
    group, name = field.split(".")
    return config[group][name]
