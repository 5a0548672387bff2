"""Which parameters and leads heads that are trained by gradients have to do with."""

import numpy as np

from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.records.leads import LIMB_LEADS

# What of the network's parameters the encoder is; the others make predictions and projections of it.
ENCODER = ("patch_norm", "embed", "lead_embedding", "free_tokens", "encoder_stack")


def leads_in_use(recordings: Recordings) -> tuple[int, ...]:
    """Places of the leads that some recording has, or can derive: any two limb leads give all six.

    The encoder is given these alone, so that recordings of one lead cost a twelfth of the tokens.

    Raises:
      TooFewRecordings: when no recording has any lead.
    """
    available, limbs = recordings.available, len(LIMB_LEADS)
    used = set(np.flatnonzero(available.any(axis=0)).tolist())
    if not used:
        raise TooFewRecordings(
            f"expected recordings with leads, got {len(recordings)} windows without any that is used, of "
            f"{', '.join(sorted(set(recordings.source.tolist())))}"
        )
    if (available[:, :limbs].sum(axis=1) >= 2).any():
        used |= set(range(limbs))
    return tuple(sorted(used))
