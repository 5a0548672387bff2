"""What is compared: an encoder by one protocol, and beside it what it must beat."""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coreecg_jax.baselines.random_convolutions import convolution_features, draw_kernels
from coreecg_jax.downstream.feature_store import FeatureStore
from coreecg_jax.downstream.features import Extract, Watch, crop_features, unwatched
from coreecg_jax.downstream.finetuning_settings import Settings
from coreecg_jax.downstream.fits import Fit, linear, neighbours, tuned
from coreecg_jax.downstream.neighbours import NEIGHBOURS
from coreecg_jax.downstream.provenance import digest_of_encoder
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.representation import compiled_represent
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.identity import FREE_ON_RESUME, differences
from coreecg_jax.training.own_code import digest_of_code

PROTOCOLS = ("knn", "linear", "attention", "finetune")
UNTRAINED = "untrained encoder"
PRETRAINED = "pretrained"
SCRATCH = "supervised from scratch"
RIVAL = "random convolutions"
JOINED = "pretrained + random convolutions"
# What stands beside every result, by the name of its flag's value.
BESIDE = {"untrained": UNTRAINED, "scratch": SCRATCH, "rival": RIVAL}
# (method, reference): each is scored as method minus reference on the same resamples.
COMPARISONS = ((PRETRAINED, UNTRAINED), (PRETRAINED, SCRATCH), (PRETRAINED, RIVAL), (JOINED, RIVAL))
RIVAL_SEEDS = (0, 1, 2)
# Recordings: it runs on the host, where what fills up a last batch costs as much as any.
_RIVAL_BATCH = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Encoder:
    """One training run, before and after; or what a bundle holds of one."""

    name: str  # of the run, for the report
    step: int  # of the checkpoint
    seed: int
    crop_seconds: float  # that it was trained on
    preprocessing: Preprocessing  # of the data it was trained on
    trained_on: str  # data specification
    network: CoReECG
    pretrained: dict[str, Any]  # parameters of the network
    untrained: dict[str, Any]  # as drawn before the first step
    digest: str  # of the pretrained parameters
    pooling: str = "rhythm"  # of the representation
    crops: int = 3  # of a window, of which a frozen representation is the mean; 'rhythm' reads whole windows
    data_root: str = ""  # where its data were
    data_digests: Mapping[str, str] = dataclasses.field(default_factory=dict)  # of manifests by data set
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of the run, field -> value
    bundle: Mapping[str, str] = dataclasses.field(default_factory=dict)  # file -> SHA-256; of a run none


@dataclasses.dataclass(frozen=True)
class Protocols:
    """Settings of every protocol."""

    attention: Settings
    finetune: Settings
    scratch: Settings
    neighbours: tuple[int, ...] = NEIGHBOURS  # numbers that are tried
    crops: int | None = None  # of a window, for a frozen representation; None: those that the encoder says


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """One seed of a method."""

    name: str
    fit: Fit


# Name -> its runs, one a seed.
Methods = dict[str, tuple[Run, ...]]


def compared_methods(
    encoders: Sequence[Encoder],
    preprocessing: Preprocessing,
    *,
    protocol: str,
    settings: Protocols,
    beside: Sequence[str] = tuple(BESIDE),
    rival_seeds: Sequence[int] = RIVAL_SEEDS,
    store: Path | None = None,
    watch: Watch = unwatched,
) -> Methods:
    """The rows of a result, each with a run a seed; the rival alone where there is no encoder.

    The rival always has the linear probe, the strongest that random convolutions are known to have; so has
    the untrained encoder beside a fine-tuned one, as fine-tuning it is training from scratch.

    Args:
      encoders: of the seeds of one configuration.
      preprocessing: of the data that are asked about.
      protocol: by which the pretrained encoders are judged, one of `PROTOCOLS`.
      settings: of the protocols.
      beside: some of `BESIDE`.
      rival_seeds: of the random convolutions.
      store: folder in which features are kept.
      watch: is told how far it is while features are computed.

    Raises:
      ValueError: when the data were prepared otherwise than those an encoder was trained on.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol: expected one of {', '.join(PROTOCOLS)}, got {protocol!r}")
    rivals = [(f"kernels {seed}", rival(seed, preprocessing, store, watch)) for seed in rival_seeds]
    by_linear = "" if protocol == "linear" else ", linear probe"
    rival_runs = [Run(name + by_linear, linear([extract])) for name, extract in rivals]
    if not encoders:
        return {RIVAL: tuple(rival_runs)}
    for encoder in encoders:
        require_same_preprocessing(encoder, preprocessing)
    frozen = [_frozen(encoder, encoder.pretrained, settings, store, watch) for encoder in encoders]
    before = [_frozen(encoder, encoder.untrained, settings, store, watch) for encoder in encoders]
    before_protocol = "linear" if protocol == "finetune" else protocol
    before_by = by_linear if before_protocol != protocol else ""
    seeds = [encoder.seed for encoder in encoders]
    rows = {
        UNTRAINED: [
            Run(
                f"{e.name} before training{before_by}",
                _fit(e, e.untrained, extract, before_protocol, settings),
            )
            for e, extract in zip(encoders, before)
        ],
        PRETRAINED: [
            Run(e.name, _fit(e, e.pretrained, extract, protocol, settings))
            for e, extract in zip(encoders, frozen)
        ],
        # By name too where two have one seed: runs of a method are told apart by their names.
        SCRATCH: [
            Run(
                f"seed {e.seed}" + (f" of {e.name}" if seeds.count(e.seed) > 1 else ""),
                _tuned(e, e.untrained, settings.scratch),
            )
            for e in encoders
        ],
        RIVAL: rival_runs,
    }
    if protocol == "linear":
        rows[JOINED] = [
            Run(f"{encoder.name}, {name}", linear([extract, other]))
            for (encoder, extract), (name, other) in _evenly_paired(list(zip(encoders, frozen)), rivals)
        ]
    left_out = {name for flag, name in BESIDE.items() if flag not in beside}
    left_out |= {JOINED} if RIVAL in left_out else set()
    return {name: tuple(runs) for name, runs in rows.items() if name not in left_out}


def rival(
    seed: int, preprocessing: Preprocessing, store: Path | None = None, watch: Watch = unwatched
) -> Extract:
    """Random convolutions over whole windows."""
    kernels = draw_kernels(seed, samples=preprocessing.window_samples)
    extract = functools.partial(
        crop_features,
        functools.partial(convolution_features, kernels),
        crop_seconds=preprocessing.window_seconds,
        batch_size=_RIVAL_BATCH,
        watch=watch,
    )
    return FeatureStore(extract, _file(store, f"random_convolutions_{seed}"))


def require_same_preprocessing(encoder: Encoder, preprocessing: Preprocessing) -> None:
    """Raises ValueError, naming the fields, when an encoder would see data prepared otherwise."""
    expected, got = dataclasses.asdict(encoder.preprocessing), dataclasses.asdict(preprocessing)
    differing = [f"{name} {expected[name]} / {got[name]}" for name in expected if expected[name] != got[name]]
    if differing:
        raise ValueError(
            f"{encoder.name}: the data were not prepared as those it was trained on (trained / got): "
            f"{'; '.join(differing)}; set data_root to data with the training's preprocessing"
        )


def require_one_configuration(encoders: Sequence[Encoder]) -> None:
    """Raises ValueError, naming the fields, when encoders are not seeds of one configuration, each once."""
    if len({digest_of_encoder(encoder.pretrained) for encoder in encoders}) < len(encoders):
        names = ", ".join(encoder.name for encoder in encoders)
        raise ValueError(
            f"--checkpoint: expected each run once, got {names}, of which two have the same encoder, with or "
            "without the rest of its network: name one of them"
        )
    if len({bool(encoder.bundle) for encoder in encoders}) > 1:
        raise ValueError(
            "--checkpoint: expected folders of runs or bundles, got both, whose settings cannot be compared: "
            "evaluate each by itself and compare the results by launch.compare"
        )
    for other in encoders[1:]:
        before, now = _apart_from_seed(encoders[0]), _apart_from_seed(other)
        differing = [f"{name} {before.get(name)} / {now.get(name)}" for name in differences(before, now)]
        if differing:
            raise ValueError(
                f"--checkpoint: expected seeds of one configuration, whose scores are averaged; "
                f"{encoders[0].name} and {other.name} differ in {'; '.join(differing)}: evaluate each by "
                "itself and compare the results by launch.compare"
            )


def _apart_from_seed(encoder: Encoder) -> dict[str, Any]:
    """What seeds of one configuration have in common, as far as it may change what is learnt or scored."""
    settings = {f"config.{name}": value for name, value in encoder.settings.items()}
    data = {f"data {name}": digest[:16] for name, digest in encoder.data_digests.items()}
    free = ("config.seed", *FREE_ON_RESUME)
    learnt = {name: value for name, value in settings.items() if name not in free}
    return learnt | data | {"step": encoder.step, "pooling": encoder.pooling, "crops": encoder.crops}


def _fit(
    encoder: Encoder, parameters: dict[str, Any], extract: Extract, protocol: str, settings: Protocols
) -> Fit:
    if protocol == "linear":
        return linear([extract])
    if protocol == "knn":
        return neighbours(extract, settings.neighbours)
    return _tuned(encoder, parameters, settings.attention if protocol == "attention" else settings.finetune)


def _tuned(encoder: Encoder, parameters: dict[str, Any], settings: Settings) -> Fit:
    return tuned(encoder.network, parameters, settings, crop_seconds=encoder.crop_seconds, seed=encoder.seed)


def _frozen(
    encoder: Encoder, parameters: dict[str, Any], settings: Protocols, store: Path | None, watch: Watch
) -> Extract:
    """The representation of an encoder with these parameters."""
    apply = compiled_represent(encoder.network, pooling=encoder.pooling)
    rule = encoder.pooling, encoder.network.patch, encoder.preprocessing, encoder.crop_seconds
    seconds, crops = frozen_crops(*rule, encoder.crops if settings.crops is None else settings.crops)
    extract = functools.partial(
        crop_features,
        functools.partial(apply, parameters),
        crop_seconds=seconds,
        crops=crops,
        watch=watch,
    )
    which = "pretrained" if parameters is encoder.pretrained else f"untrained_{encoder.seed}"
    name = f"{encoder.digest[:16]}_{which}_{encoder.pooling}_{crops}"
    return FeatureStore(extract, _file(store, name))


def frozen_crops(
    pooling: str, patch: int, preprocessing: Preprocessing, crop_seconds: float, crops: int
) -> tuple[float, int]:
    """Seconds and number of crops; rhythm needs all beats, so one crop of all whole patches of a window."""
    if pooling != "rhythm":
        return crop_seconds, crops
    return preprocessing.window_samples // patch * patch / preprocessing.sampling_rate, 1


def _file(store: Path | None, name: str) -> Path | None:
    """Where features are kept; those of other code are not found there."""
    return store and store / f"{name}_{digest_of_code()[:16]}.npz"


def _evenly_paired(
    encoders: Sequence[tuple[Encoder, Extract]], rivals: Sequence[tuple[str, Extract]]
) -> list[tuple[tuple[Encoder, Extract], tuple[str, Extract]]]:
    """Each of the encoders as often as the others, and each of the rivals: both count alike in a mean."""
    count = math.lcm(len(encoders), len(rivals))
    return [(encoders[number % len(encoders)], rivals[number % len(rivals)]) for number in range(count)]
