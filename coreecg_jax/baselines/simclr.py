"""SimCLR (Chen et al., ICML 2020) for ECG, on our encoder: contrast between two augmented crops.

Nothing is hidden, nothing is reconstructed. What is ours: encoder, projector and the crops, each at its own
place in the window; InfoNCE compares across views only (NT-Xent of the paper has the other views of one's
own side as negatives too) and leaves other recordings of the same patient out.
"""

import dataclasses

from coreecg_jax.baselines.settings import require_settings
from coreecg_jax.method.augmentation import USUAL, Augmentation
from coreecg_jax.method.objective import Objective

SETTINGS = {"objective.lambda_r": 0.0, "mask.mode": "off", "view.mode": "off"}


@dataclasses.dataclass(frozen=True)
class SimCLR(Objective):
    """Two crops of each recording, each augmented by itself."""

    augmentation: Augmentation = USUAL

    def __post_init__(self) -> None:
        super().__post_init__()
        require_settings("simclr", self, SETTINGS)
        if not self.augmentation.changes:
            strengths = dataclasses.asdict(USUAL)
            usual = ", ".join(f"augment.{name} {strength:g}" for name, strength in strengths.items())
            raise ValueError(
                f"method 'simclr': expected an augmentation, such as {usual}; got none: set these fields too"
            )
