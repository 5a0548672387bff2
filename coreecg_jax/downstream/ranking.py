"""One class ranked by its scores: what AUROC and average precision need of a sort.

A resample is a column of counts (how often each recording is in it). The sort is a sparse matrix that adds up
counts in the order of the scores, so that one sort serves all resamples. Counts are whole numbers in float64:
every sum of them is exact. `G` is groups, `R` resamples.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array


class Ranking(NamedTuple):
    """Which recordings of either label are in each group, the groups in order of falling score.

    A group holds equal scores: a threshold takes all of them or none. Neighbouring groups without a positive
    are one: both statistics ask only where the positives stand. A rare class then has few groups.
    """

    positives_Gn: csr_array
    negatives_Gn: csr_array


def ranking(scores: np.ndarray, labels: np.ndarray, within: np.ndarray | None = None) -> Ranking:
    """Ranks recordings by finite scores (n,), with labels bool (n,); only those `within` a mask (n,)."""
    rows = np.arange(len(scores)) if within is None else np.flatnonzero(within)
    order = rows[np.argsort(-scores[rows].astype(np.float64), kind="stable")]
    tie = np.cumsum(np.r_[False, np.diff(scores[order]) != 0])
    holds_positive = np.bincount(tie, weights=labels[order]) > 0
    begins = holds_positive[1:] | holds_positive[:-1]
    group = np.cumsum(np.r_[False, begins])[tie]
    shape = (group[-1] + 1, len(scores))
    positive = labels[order]
    return Ranking(*(_members(group[of], order[of], shape) for of in (positive, ~positive)))


def _members(group: np.ndarray, recording: np.ndarray, shape: tuple[int, int]) -> csr_array:
    return csr_array((np.ones(len(group)), (group, recording)), shape=shape)


class Ranked(NamedTuple):
    """How many recordings of either label each group has in each resample; float (G, R)."""

    positives_GR: np.ndarray
    negatives_GR: np.ndarray


def ranked(ranks: Ranking, counts_nR: np.ndarray) -> Ranked:
    """Applies a ranking to resamples."""
    return Ranked(ranks.positives_Gn @ counts_nR, ranks.negatives_Gn @ counts_nR)


def wins_and_pairs(groups: Ranked) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a positive and a negative that the positive wins (a tie is half), and all pairs; (R,) each."""
    positives_R, negatives_R = groups.positives_GR.sum(axis=0), groups.negatives_GR.sum(axis=0)
    not_below = np.cumsum(groups.negatives_GR, axis=0) - groups.negatives_GR / 2
    pairs = positives_R * negatives_R
    return pairs - np.einsum("gr,gr->r", groups.positives_GR, not_below), pairs


def average_precision(groups: Ranked) -> np.ndarray:
    """The mean, over positives, of the precision at the threshold that just takes them; (R,).

    NaN for a resample without a positive.
    """
    true = np.cumsum(groups.positives_GR, axis=0)
    called = true + np.cumsum(groups.negatives_GR, axis=0)
    # Where nothing is called yet there is no positive either: any precision will do.
    summed = np.einsum("gr,gr->r", groups.positives_GR, true / np.maximum(called, 1.0))
    return ratio(summed, true[-1])


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """top / bottom, NaN where the bottom is 0."""
    return np.divide(top, bottom, out=np.full(np.shape(bottom), np.nan), where=bottom > 0)
