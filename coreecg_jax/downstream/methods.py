"""What is compared: an encoder before and after pretraining, the humble rival, and both together."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np

from coreecg_jax.baselines.random_convolutions import convolution_features, draw_kernels
from coreecg_jax.downstream.features import Represent, crop_features
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.records.schema import Preprocessing

UNTRAINED = "untrained encoder"
PRETRAINED = "pretrained"
RIVAL = "random convolutions"
JOINED = "pretrained + random convolutions"
# (method, reference): each is scored as method minus reference on the same resamples.
COMPARISONS = ((PRETRAINED, UNTRAINED), (PRETRAINED, RIVAL), (JOINED, RIVAL))
RIVAL_SEEDS = (0, 1, 2)

# Recordings -> float32 (R, F), one row a recording in the order of first appearance.
Extract = Callable[[Recordings], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Encoder:
    """One training run, before and after."""

    name: str  # of the run, for the report
    step: int  # of the checkpoint
    seed: int
    crop_seconds: float
    preprocessing: Preprocessing  # of the data it was trained on
    pretrained: Represent
    untrained: Represent  # the same network with parameters as drawn before the first step
    pooling: str = "lead"  # of both representations, for the report


@dataclasses.dataclass(frozen=True)
class Run:
    """One seed of a method: the blocks of features that its probe joins."""

    name: str
    blocks: tuple[Extract, ...]


# Name -> its runs, one a seed.
Methods = dict[str, tuple[Run, ...]]


def compared_methods(
    encoders: Sequence[Encoder],
    preprocessing: Preprocessing,
    *,
    rival_seeds: Sequence[int] = RIVAL_SEEDS,
) -> Methods:
    """The rows of the table. The rival alone where there is no encoder.

    Raises:
      ValueError: when the data were prepared otherwise than those an encoder was trained on.
    """
    rivals = [Run(f"kernels {s}", (rival(s, preprocessing),)) for s in rival_seeds]
    if not encoders:
        return {RIVAL: tuple(rivals)}
    for encoder in encoders:
        require_same_preprocessing(encoder, preprocessing)
    untrained = [Run(f"{e.name} before training", (_extract(e.untrained, e.crop_seconds),)) for e in encoders]
    pretrained = [Run(e.name, (_extract(e.pretrained, e.crop_seconds),)) for e in encoders]
    joined = [
        Run(f"{run.name}, {other.name}", run.blocks + other.blocks)
        for number, run in enumerate(pretrained)
        for other in [rivals[number % len(rivals)]]
    ]
    rows = {UNTRAINED: untrained, PRETRAINED: pretrained, RIVAL: rivals, JOINED: joined}
    return {name: tuple(runs) for name, runs in rows.items()}


def rival(seed: int, preprocessing: Preprocessing) -> Extract:
    """Random convolutions over whole windows."""
    kernels = draw_kernels(seed, samples=preprocessing.window_samples)
    return _extract(functools.partial(convolution_features, kernels), preprocessing.window_seconds)


def require_same_preprocessing(encoder: Encoder, preprocessing: Preprocessing) -> None:
    """Raises ValueError, naming the fields, when an encoder would see data prepared otherwise."""
    expected, got = dataclasses.asdict(encoder.preprocessing), dataclasses.asdict(preprocessing)
    differing = [f"{name} {expected[name]} / {got[name]}" for name in expected if expected[name] != got[name]]
    if differing:
        raise ValueError(
            f"{encoder.name}: the data were not prepared as those it was trained on (trained / got): "
            f"{'; '.join(differing)}; set data_root to data with the training's preprocessing"
        )


def _extract(represent: Represent, crop_seconds: float) -> Extract:
    return functools.partial(crop_features, represent, crop_seconds=crop_seconds)
