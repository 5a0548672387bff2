"""What FDA learned to protect, of a bundle."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.export.description import Description, require_learned_importance
from coreecg_jax.method.views import FDA


class Importance(NamedTuple):
    """What FDA learned to protect."""

    hertz_M: np.ndarray  # centre of each band
    logit_M: np.ndarray  # mean 0 and deviation 1 over bands: above 0 rather protected, below rather varied
    energy_weight: float  # how much a recording's own energy in a band adds


def importance_of(description: Description, fda: Mapping[str, Any]) -> Importance:
    """Of a recording whose energy is neutral.

    Args:
      description: of the bundle.
      fda: parameters of FDA.

    Raises:
      ValueError: when FDA learned nothing.
    """
    require_learned_importance(description)
    training, rate = description.training, description.preprocessing.sampling_rate
    s_M = np.asarray(fda["s"], np.float64)
    centred_M = s_M - s_M.mean()
    logit_M = centred_M / np.sqrt((centred_M**2).mean() + 1e-6)  # as `views.FDA` standardises
    hertz_M = FDA(mode=training.fda_mode).centres(training.crop_samples, rate)
    return Importance(hertz_M, logit_M, float(fda["a"]))
