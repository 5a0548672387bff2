"""Masked autoencoder over single patches: the objective of ST-MEM (Na et al., ICLR 2024) on our encoder.

Reconstruction alone; in each lead by itself the same number of patches is hidden at random, 0.75 of them;
the decoder rebuilds each lead alone. No frequency augmentation, no contrast.

What is ours, so that the objective is compared and nothing else: encoder, decoder size, targets, crops and
scale jitter are those of the method, and a recording is seen twice a step, as two crops under two masks, as
the method sees it. The decoder is led by the global token (`model.context`): without contrast nothing else
would train that token, which is read downstream.
"""

import dataclasses

from coreecg_jax.baselines.settings import NOT_AUGMENTED, require_settings
from coreecg_jax.method.objective import Objective

SETTINGS = {
    "objective.lambda_c": 0.0,
    "mask.mode": "random",
    "mask.random_count": "fixed",
    "view.mode": "off",
    "model.decoder": "lead_wise",
    **NOT_AUGMENTED,
}


@dataclasses.dataclass(frozen=True)
class MaskedAutoencoder(Objective):
    """The objective of the method under the settings of a masked autoencoder, which are checked."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_settings("masked_autoencoder", self, SETTINGS)
