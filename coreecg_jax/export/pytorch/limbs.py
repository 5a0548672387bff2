"""Limb leads from those that are there."""

import torch
from torch import Tensor

# I, II, III, aVR, aVL, aVF from I and II.
LIMBS = ((1.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (-0.5, -0.5), (1.0, -0.5), (-0.5, 1.0))


def derived(ecg: Tensor, available: Tensor, mix: Tensor) -> tuple[Tensor, Tensor]:
    """The six limb leads [B, 6, T], derived ones filled in, and bool [B, 6], which these are.

    I and II fit the leads that are there best (least squares). Two unknowns: products of numbers, not of
    matrices, which autocast would round, and no inverse, which other runtimes lack.

    Args:
      ecg: limb leads, zeros where they are not there.
      available: bool [B, 6].
      mix: [6, 2], `LIMBS`.
    """
    weight = available.to(ecg.dtype)
    of_i, of_ii = weight * mix[:, 0], weight * mix[:, 1]
    a, b, c = ((x * y).sum(1) for x, y in ((of_i, mix[:, 0]), (of_i, mix[:, 1]), (of_ii, mix[:, 1])))
    known = weight.sum(1) >= 2  # any two limb leads span all six
    determinant = torch.where(known, a * c - b * b, 1.0)
    p, q = ((x[..., None] * ecg).sum(1) for x in (of_i, of_ii))
    a, b, c = (x[:, None] / determinant[:, None] for x in (a, b, c))
    lead_i, lead_ii = (c * p - b * q)[:, None], (a * q - b * p)[:, None]
    fill = known[:, None] & ~available
    return torch.where(fill[..., None], mix[:, :1] * lead_i + mix[:, 1:] * lead_ii, ecg), fill
