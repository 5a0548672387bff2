"""CMSC, contrastive multi-segment coding (Kiyasseh et al., CLOCS, ICML 2021), on our encoder.

The two views are two halves of one recording, side by side: what does not change from one moment to the
next is what the representation keeps. Contrast only; nothing is hidden and nothing is augmented.

What is ours: encoder, projector, InfoNCE over both directions with other recordings of the same patient
excluded (the paper has them as further positives), and a start drawn at random for each recording.
"""

import dataclasses

import jax

from coreecg_jax.baselines.settings import NOT_AUGMENTED, require_settings
from coreecg_jax.method.normalisation import random_starts
from coreecg_jax.method.objective import Objective

SETTINGS = {
    "objective.lambda_r": 0.0,
    "objective.same_crop": False,
    "objective.scale_jitter": 0.0,
    "mask.mode": "off",
    "view.mode": "off",
    **NOT_AUGMENTED,
}


@dataclasses.dataclass(frozen=True)
class CMSC(Objective):
    """Two adjacent crops that share no sample."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_settings("cmsc", self, SETTINGS)

    @property
    def window_samples(self) -> int:
        """Two crops."""
        return 2 * self.crop_samples

    def starts(self, key: jax.Array, length: jax.Array) -> tuple[jax.Array, jax.Array]:
        """A start at random that leaves room for both crops, and the place where the first ends."""
        first_B = random_starts(key, length, self.window_samples)
        return first_B, first_B + self.crop_samples
