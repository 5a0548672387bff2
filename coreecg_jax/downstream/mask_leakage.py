"""How much of what each mask mode hides is given away, by lead algebra and by linear regression."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from coreecg_jax.downstream.leakage import statistical_leakage
from coreecg_jax.downstream.recovery import training_covariance
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.masking import STDM, algebraic_leakage

MODES = {mode: STDM(mode) for mode in ("dual", "time", "lead", "rank_aware", "random")} | {
    "random, fixed count": STDM("random", random_count="fixed")
}


class MaskLeakage(NamedTuple):
    """One mask mode: tokens kept, and shares in [0, 1]."""

    mask: str
    tokens_kept: int
    of_hidden_limb: float  # exact
    of_hidden: float  # exact
    linear_r2: float  # of all hidden tokens, from the leads visible in their columns, on held-out recordings


def mask_leakage(
    train: Recordings, held_out: Recordings, *, samples: int, columns: int, masks: int = 2000
) -> Iterator[MaskLeakage]:
    """Each mode of `MODES`, over `masks` masks of `columns` patch columns.

    Args:
      train: recordings from which the regression is fitted.
      held_out: recordings on which it is judged.
      samples: of a crop; both sets must hold that many.
      columns: N.
      masks: masks drawn of each mode.

    Raises:
      ValueError: when no recording has all leads.
    """
    covariances = [training_covariance(some, samples) for some in (train, held_out)]
    for name, stdm in MODES.items():
        visible_BLN = stdm(jax.random.key(0), masks, columns).visible_BLN
        exact = algebraic_leakage(visible_BLN)
        linear = statistical_leakage(*covariances, ~np.asarray(visible_BLN))
        yield MaskLeakage(
            name,
            stdm.tokens_kept(columns),
            float(exact.of_hidden_limb),
            float(exact.of_hidden),
            linear.mean,
        )
