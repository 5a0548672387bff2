"""From a config to the things that train, each checked before anything is compiled."""

import dataclasses
import inspect
import sys
from collections.abc import Callable
from typing import Any

import jax
import ml_collections
import optax

from coreecg_jax.baselines.cmsc import CMSC
from coreecg_jax.baselines.masked_autoencoder import MaskedAutoencoder
from coreecg_jax.baselines.simclr import SimCLR
from coreecg_jax.inputs.training_windows import TrainingWindows, training_windows
from coreecg_jax.method.augmentation import Augmentation
from coreecg_jax.method.fused_attention import require_gpu
from coreecg_jax.method.masking import STDM
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.normalisation import MILLIVOLTS_PER_STORED_UNIT
from coreecg_jax.method.objective import Objective
from coreecg_jax.method.views import FDA
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.feeds import require_feed
from coreecg_jax.training.optimizer import make_optimizer
from coreecg_jax.training.processes import is_first, sharing

METHODS: dict[str, type[Objective]] = {
    "coreecg": Objective,
    "simclr": SimCLR,
    "cmsc": CMSC,
    "masked_autoencoder": MaskedAutoencoder,
}
POSITIVE = (
    *(f"run.{name}" for name in ("steps", "log_every", "validate_every", "checkpoint_every")),
    *(f"model.{name}" for name in ("patch", "width", "depth", "heads", "projection")),
    *(f"model.decoder_{name}" for name in ("width", "depth", "heads")),
    "objective.temperature",
    "objective.target_floor",
)
NOT_NEGATIVE = (
    "model.registers",
    *(f"objective.{name}" for name in ("lambda_r", "lambda_c", "scale_jitter")),
)
_PARTS = ("fda", "stdm", "augmentation")  # made of groups of their own
_OF_THE_RUN = ("remat", "attention")  # fields of `run` that the objective takes too
# Who takes the fields of each group, and what it is given besides.
_MAKERS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "model": (CoReECG, ("parent", "name")),
    "view": (FDA, ()),
    "mask": (STDM, ()),
    "augment": (Augmentation, ()),
    "objective": (
        Objective,
        ("network", "crop_samples", "sampling_rate", "millivolts_per_unit", *_PARTS, *_OF_THE_RUN),
    ),
    "optimizer": (make_optimizer, ("steps",)),
}


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
    return CoReECG(**_settings(resolved(config), "model"))


def build(config: ml_collections.ConfigDict, preprocessing: Preprocessing) -> Experiment:
    """The experiment of a resolved config on data so prepared.

    Raises:
      ValueError: naming the field, its value and what is allowed; also where the config has other fields than
        this version knows.
    """
    method = _method(config)
    groups = {group: _settings(config, group) for group in _MAKERS if group != "augment"}
    rate = preprocessing.sampling_rate
    if rate != config.data.sampling_rate:
        raise ValueError(
            f"data.sampling_rate: the config is for {config.data.sampling_rate:g} Hz, the data under "
            f"{config.data.root!r} have {rate:g} Hz: prepare them with "
            f"--sampling_rate={config.data.sampling_rate:g}, or set data.root to data that have it"
        )
    _require_in_range(config)
    objective = method(
        network=network_of(config),
        crop_samples=_crop_samples(config, preprocessing),
        sampling_rate=rate,
        millivolts_per_unit=MILLIVOLTS_PER_STORED_UNIT * preprocessing.microvolts_per_unit,
        fda=FDA(**groups["view"]),
        stdm=STDM(**groups["mask"]),
        **_augmentation(config),
        remat=config.run.get("remat", "none"),  # older runs had no choice, here and below
        attention=config.run.get("attention", "plain"),
        **groups["objective"],
    )
    _require_room(config, objective, preprocessing)
    objective.stdm.tokens_kept(objective.columns)  # refuses a mask that would leave nothing to see
    optimizer = make_optimizer(steps=config.run.steps, **groups["optimizer"])
    return Experiment(objective, optimizer)


def windows_of(config: ml_collections.ConfigDict, min_seconds: float) -> TrainingWindows:
    """The windows of training; damaged records that are left out are told.

    Raises:
      FileNotFoundError, ValueError: as `training_windows.training_windows`; for a placement that is none.
    """
    data = config.data
    require_feed(data.placement, config.run.steps_per_dispatch, data.packed)
    require_gpu(config.run.attention)
    windows = training_windows(
        data.root,
        data.train,
        batch_size=data.batch_size,
        seed=config.seed,
        min_seconds=min_seconds,
        shuffle_buffer=data.shuffle_buffer,
        on_corrupt=data.on_corrupt,
        readers=data.readers,
        packed=data.packed,
        processes=sharing(),
    )
    for warning in _left_out(windows) if is_first() else ():
        sys.stderr.write(f"warning: {warning}\n")
    return windows


def _left_out(windows: TrainingWindows) -> list[str]:
    """What is damaged and not trained on."""
    packed = windows.packed
    if packed is not None and packed.skipped:
        return [f"{packed.folder} was written without {packed.skipped} damaged records"]
    return [f"{reason}; it is left out" for reason in windows.salvaged.reasons]


def _augmentation(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """Older runs had no choice: SimCLR augmented as ever, and nothing else did."""
    return {"augmentation": Augmentation(**_settings(config, "augment"))} if "augment" in config else {}


def _method(config: ml_collections.ConfigDict) -> type[Objective]:
    if "method" not in config:
        raise ValueError(
            f"config: expected a field method, one of {', '.join(METHODS)}, got none: a run is read by the "
            "version that made it"
        )
    if config.method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {config.method!r}")
    return METHODS[config.method]


def _settings(config: ml_collections.ConfigDict, group: str) -> dict[str, Any]:
    """One group of the config, which has exactly the fields that are known."""
    maker, others = _MAKERS[group]
    settings, known = config[group].to_dict(), set(inspect.signature(maker).parameters) - set(others)
    if set(settings) != known:
        raise ValueError(
            f"config.{group}: expected the fields of this version; missing {sorted(known - set(settings))}, "
            f"unknown {sorted(set(settings) - known)}: a run is read by the version that made it"
        )
    return settings


def _require_room(
    config: ml_collections.ConfigDict, objective: Objective, preprocessing: Preprocessing
) -> None:
    """Some methods need more of a window than one crop."""
    if objective.window_samples > preprocessing.window_samples:
        most = preprocessing.window_seconds * objective.crop_samples / objective.window_samples
        raise ValueError(
            f"data.crop_seconds: expected at most {most:g} s with method {config.method!r}, whose views need "
            f"{objective.window_samples / objective.crop_samples:g} crops side by side in the stored "
            f"{preprocessing.window_seconds:g} s, got {config.data.crop_seconds:g} s"
        )


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
