"""From tokens to the numbers of an embedding."""

import torch
from torch import Tensor

from .leads import LEADS

SHIFTS, LAG_COLUMNS = 3, 10  # of pooling 'rhythm'


def width_of(pooling: str, width: int) -> int:
    """Numbers of an embedding of tokens of this width, D."""
    lags, leads = SHIFTS * LAG_COLUMNS, len(LEADS)
    each = {"recording": 3 * width, "lead": width * (1 + 2 * leads), "rhythm": width * (1 + 4 * leads) + lags}
    return each[pooling]


def over_all(x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and maximum of x [B, K, D] over what is seen [B, K], 0 where nothing is."""
    mean = (x * seen[..., None]).sum(1) / seen.sum(1).clamp(min=1)[:, None]
    largest = torch.where(seen[..., None], x, -torch.inf).amax(1)
    return mean, torch.where(seen.any(1)[:, None], largest, 0.0)


def by_lead(tokens: Tensor, seen: Tensor) -> list[Tensor]:
    """Mean and maximum over time of each lead, [B, 12 D] each, 0 for a lead that is not there."""
    return [(x * seen[..., None]).flatten(1) for x in (tokens.mean(2), tokens.amax(2))]


def autocorrelation(tokens: Tensor, seen: Tensor) -> Tensor:
    """How alike tokens of a lead are that lie 1 … SHIFTS * LAG_COLUMNS places apart."""
    centred = (tokens - tokens.mean(2, keepdim=True)) * seen[..., None, None]
    columns, leads = tokens.shape[2], seen.sum(1)
    products = []
    for lag in range(SHIFTS * LAG_COLUMNS + 1):
        pairs = max(columns - lag, 0)
        total = (centred[:, :, columns - pairs :] * centred[:, :, :pairs]).sum((1, 2, 3))
        products.append(total / (leads * pairs).clamp(min=1))
    products = torch.stack(products, -1)
    return products[:, 1:] / products[:, :1].clamp(min=1e-6)
