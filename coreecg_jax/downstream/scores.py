"""AUROC with intervals from a bootstrap of patients, and paired differences on the same resamples.

Recordings of one patient are not independent: a resample draws patients, and each brings all of its
recordings. A resample is a row of counts (how often each recording is in it), so that one sort a class
serves all resamples.

Out-of-fold predictions come from several fits with several offsets: the fit that never saw the positives of a
fold expects fewer of them, so that between folds the ranking is turned round (rare classes fall far below
0.5). `strata` (the folds) counts only pairs within one fold, where one fit ranks both.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Of either label in the test set. Below it one patient moves the AUROC by 0.1 and more: such a class is
# reported with its count and left out of the mean.
MIN_POSITIVES = 5


class Interval(NamedTuple):
    """A value with the 2.5 and 97.5 percentiles of its bootstrap; NaN where nothing can be computed."""

    value: float
    low: float
    high: float


class Resampled(NamedTuple):
    """A statistic on the test set, and on every resample of it."""

    value: np.ndarray  # float (...)
    resamples: np.ndarray  # float (R, ...), NaN where a resample cannot tell

    def intervals(self) -> list[Interval]:
        """One interval for each number of `value` (flattened)."""
        columns = np.moveaxis(self.resamples, 0, -1).reshape(-1, len(self.resamples))
        return [_interval(value, column) for value, column in zip(self.value.ravel().tolist(), columns)]


def auroc(scores: np.ndarray, labels: np.ndarray, strata: np.ndarray | None = None) -> float:
    """Probability that a positive scores above a negative, ties counting half.

    Args:
      scores: float (n,).
      labels: bool (n,).
      strata: (n,), pairs are compared within a stratum only.

    Returns:
      NaN when the labels are all equal: there is nothing to rank.
    """
    return float(weighted_auroc(scores, labels, np.ones((1, len(labels))), strata)[0])


def weighted_auroc(
    scores: np.ndarray, labels: np.ndarray, counts: np.ndarray, strata: np.ndarray | None = None
) -> np.ndarray:
    """The AUROC of each of R resamples that hold recording i `counts[r, i]` times; float (R,).

    NaN for a resample without a pair to compare.

    Raises:
      ValueError: when shapes disagree or a score is not finite.
    """
    if scores.shape != labels.shape or counts.shape[1:] != labels.shape or not np.isfinite(scores).all():
        raise ValueError(
            f"auroc: expected finite scores (n,), labels (n,) and counts (R, n), got {scores.shape}, "
            f"{labels.shape} and {counts.shape}, {np.isnan(scores).sum()} scores NaN"
        )
    strata = np.zeros(len(labels)) if strata is None else strata
    parts = [
        _wins_and_pairs(scores[rows], labels[rows], counts[:, rows])
        for rows in (strata == stratum for stratum in np.unique(strata))
    ]
    wins, pairs = np.sum(parts, axis=0)
    return np.divide(wins, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def _wins_and_pairs(
    scores: np.ndarray, labels: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a positive and a negative that the positive wins (a tie is half), and all pairs; (R,) each."""
    order = np.argsort(scores, kind="stable")
    # Recordings of equal score form one group, in which a positive wins half of its comparisons.
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    positive = np.add.reduceat(counts[:, order] * labels[order], starts, axis=1, dtype=np.float64)
    negative = np.add.reduceat(counts[:, order] * ~labels[order], starts, axis=1, dtype=np.float64)
    below = np.cumsum(negative, axis=1) - negative / 2
    return (positive * below).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1)


def class_aurocs(scores: np.ndarray, labels: np.ndarray, strata: np.ndarray | None = None) -> np.ndarray:
    """The AUROC of each class, from scores and labels (n, C); float (C,)."""
    return np.array([auroc(scores[:, c], labels[:, c], strata) for c in range(labels.shape[1])])


def scored_classes(labels: np.ndarray, min_positives: int = MIN_POSITIVES) -> np.ndarray:
    """The classes that enter a macro mean: at least `min_positives` of either label; bool (C,).

    Raises:
      ValueError: when none does.
    """
    positives = labels.sum(axis=0)
    scored = np.minimum(positives, len(labels) - positives) >= min_positives
    if not scored.any():
        raise ValueError(
            f"macro AUROC: no class has {min_positives} positives and as many negatives among {len(labels)} "
            f"recordings (positives: {positives.tolist()}); use more recordings or a smaller min_positives"
        )
    return scored


def macro_auroc(
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    strata: np.ndarray | None = None,
    min_positives: int = MIN_POSITIVES,
) -> float:
    """Mean AUROC of the classes that have enough of either label (`scored_classes`).

    Within strata a class without any pair to compare does not count.
    """
    scored = scored_classes(labels, min_positives)
    each = class_aurocs(scores[:, scored], labels[:, scored], strata)
    return float(_mean_of_known(each[None])[0])


def patient_resamples(patients: np.ndarray, *, resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """How often each recording is in each resample of as many patients as there are; int (R, n).

    Args:
      patients: (n,), one name or number a recording.
    """
    unique, patient_of = np.unique(patients, return_inverse=True)
    drawn = np.random.default_rng(seed).integers(0, len(unique), (resamples, len(unique)))
    counts = np.stack([np.bincount(row, minlength=len(unique)) for row in drawn])
    return counts[:, patient_of]


def bootstrap_aurocs(
    scores: np.ndarray, labels: np.ndarray, counts: np.ndarray, strata: np.ndarray | None = None
) -> Resampled:
    """The AUROC of every class, on the test set and on every resample; value (C,)."""
    columns = [weighted_auroc(scores[:, c], labels[:, c], counts, strata) for c in range(labels.shape[1])]
    return Resampled(class_aurocs(scores, labels, strata), np.stack(columns, axis=1))


def bootstrap_macro(
    runs: Sequence[np.ndarray],
    labels: np.ndarray,
    counts: np.ndarray,
    *,
    strata: np.ndarray | None = None,
    min_positives: int = MIN_POSITIVES,
) -> Resampled:
    """Macro AUROC, averaged over the runs (seeds) of one method; a scalar value.

    The classes are those of `scored_classes` on the whole test set. In a resample that lacks a label of one
    of them, that class does not count. Averages scores of runs, not their predictions: no ensemble.
    """
    scored = scored_classes(labels, min_positives)
    each = [bootstrap_aurocs(run[:, scored], labels[:, scored], counts, strata) for run in runs]
    value = np.mean([_mean_of_known(run.value[None]) for run in each])
    return Resampled(value, np.mean([_mean_of_known(run.resamples) for run in each], axis=0))


def paired_difference(
    runs: Sequence[np.ndarray],
    other_runs: Sequence[np.ndarray],
    labels: np.ndarray,
    counts: np.ndarray,
    *,
    strata: np.ndarray | None = None,
    min_positives: int = MIN_POSITIVES,
) -> Interval:
    """Macro AUROC of one method minus that of another, on the same resamples."""
    ours, theirs = (
        bootstrap_macro(each, labels, counts, strata=strata, min_positives=min_positives)
        for each in (runs, other_runs)
    )
    return _interval(float(ours.value - theirs.value), ours.resamples - theirs.resamples)


def _mean_of_known(resamples: np.ndarray) -> np.ndarray:
    """The mean over classes (R, C) that are not NaN; NaN where none is."""
    known = ~np.isnan(resamples)
    count = known.sum(axis=1)
    total = np.where(known, resamples, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def _interval(value: float, resamples: np.ndarray) -> Interval:
    known = resamples[~np.isnan(resamples)]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size else (np.nan, np.nan)
    return Interval(value, float(low), float(high))
