"""Metrics of predictions, class by class, and the mean over the classes that can be scored.

Labels are bool (n, C); scores of a class only need an order, probabilities lie in [0, 1].

Out-of-fold predictions come from several fits with several offsets: the fit that never saw the positives of a
fold expects fewer of them, so that between folds the ranking is turned round (rare classes fall far below
0.5). `strata` (the folds) counts only pairs within one fold, where one fit ranks both.
"""

import numpy as np

from coreecg_jax.downstream.ranking import average_precision, ranked, ranking, ratio, wins_and_pairs

# Patients of either label in the test set. Below it one patient moves the AUROC by 0.1 and more: such a class
# is reported with its count and left out of the mean.
MIN_POSITIVES = 5

# Of equal width in [0, 1], for the calibration error.
BINS = 15


class TooFewRecordings(ValueError):
    """There are too few recordings, or labels, to fit or to score anything."""


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
    require_scores(scores, labels, counts)
    counts_nR = np.ascontiguousarray(counts.T, dtype=np.float64)
    rankings = [ranking(scores, labels, rows) for rows in strata_rows(strata, len(labels))]
    return ratio(*np.sum([wins_and_pairs(ranked(each, counts_nR)) for each in rankings], axis=0))


def strata_rows(strata: np.ndarray | None, recordings: int) -> list[np.ndarray]:
    """The recordings of each stratum as a mask (n,); all in one without strata."""
    strata = np.zeros(recordings) if strata is None else strata
    return [strata == stratum for stratum in np.unique(strata)]


def require_scores(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> None:
    """Checks scores and labels, both (n,) or (n, C), and counts (R, n).

    Raises:
      ValueError: when shapes disagree, labels are not bool or a score is not finite.
    """
    if scores.shape != labels.shape or counts.ndim != 2 or counts.shape[1] != len(labels) or not len(labels):
        raise ValueError(
            f"scores: expected scores and labels of one shape and counts (R, n) of as many recordings, got "
            f"{scores.shape}, {labels.shape} and {counts.shape}"
        )
    if labels.dtype != np.bool_:
        raise ValueError(f"scores: expected labels bool, got {labels.dtype}; compare them with a value first")
    if not np.isfinite(scores).all():
        raise ValueError(
            f"scores: expected finite scores, got {(~np.isfinite(scores)).sum()} NaN or infinite"
        )


def require_probabilities(probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Checks probabilities and labels, both (n, C).

    Raises:
      ValueError: when they are not, or a probability lies outside [0, 1].
    """
    require_scores(probabilities, labels, np.empty((0, len(labels))))
    if labels.ndim != 2:
        raise ValueError(f"scores: expected probabilities and labels (n, C), got {labels.shape}")
    low, high = probabilities.min(initial=0.0), probabilities.max(initial=1.0)
    if low < 0 or high > 1:
        raise ValueError(
            f"scores: expected probabilities in [0, 1], got {low:g} to {high:g}; for scores that only rank "
            "use class_aurocs or class_average_precisions"
        )


def class_aurocs(
    scores: np.ndarray,
    labels: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    known: np.ndarray | None = None,
) -> np.ndarray:
    """The AUROC of each class, from scores and labels (n, C); float (C,).

    Of the recordings that are `known`, bool (n, C), for a class (`vocabularies.annotated`); None: all are.
    """
    strata = np.zeros(len(labels)) if strata is None else strata
    columns = known_columns(labels, known)
    return np.array(
        [
            auroc(scores[at, c], labels[at, c], strata[at]) if at.any() else np.nan
            for c, at in enumerate(columns)
        ]
    )


def known_columns(labels: np.ndarray, known: np.ndarray | None) -> list[np.ndarray]:
    """For each class the recordings whose label is known, bool (n,) each; all, where `known` is None."""
    return list((np.ones_like(labels) if known is None else known).T)


def class_average_precisions(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The area under each precision-recall curve as a sum of steps (not interpolated); float (C,).

    Equal scores are one step. NaN for a class without a positive. The value of a ranking that knows nothing
    is the share of positives.

    Raises:
      ValueError: when shapes disagree or a score is not finite.
    """
    ones = np.ones((len(labels), 1))
    require_scores(scores, labels, ones.T)
    each = [ranked(ranking(scores[:, c], labels[:, c]), ones) for c in range(labels.shape[1])]
    return np.array([average_precision(groups)[0] for groups in each])


def class_f1s(probabilities: np.ndarray, labels: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """F1 of calling a recording positive where its probability is at least the threshold (C,); float (C,).

    NaN for a class without a positive: there is nothing to find. 0 where none of them is found.

    Raises:
      ValueError: when shapes disagree or probabilities are not.
    """
    require_probabilities(probabilities, labels)
    called = called_positive(probabilities, thresholds)
    found, positives = (called & labels).sum(axis=0), labels.sum(axis=0)
    return ratio(2.0 * found, np.where(positives > 0, called.sum(axis=0) + positives, 0))


def called_positive(probabilities: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Where the probability (n, C) is at least the threshold of its class; bool (n, C).

    Args:
      probabilities: (n, C).
      thresholds: (C,), or (n, C) where recordings were predicted by several fits, each with its own.

    Raises:
      ValueError: when there is not one threshold a class, or one is NaN.
    """
    if thresholds.ndim == 1:
        thresholds = thresholds[None]
    if thresholds.shape[1:] != probabilities.shape[1:] or np.isnan(thresholds).any():
        raise ValueError(
            f"thresholds: expected one number for each of {probabilities.shape[1]} classes, got shape "
            f"{thresholds.shape} with {np.isnan(thresholds).sum()} NaN; fit them with best_f1_thresholds"
        )
    return probabilities >= thresholds


def class_briers(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean squared difference of probability and label (0 or 1), of each class; float (C,).

    Raises:
      ValueError: when shapes disagree or probabilities are not.
    """
    require_probabilities(probabilities, labels)
    return ((probabilities.astype(np.float64) - labels) ** 2).mean(axis=0)


def class_calibration_errors(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Expected calibration error of each class; float (C,).

    The recordings are put into bins of equal width by the probability of the class (`bin_of`). In each bin
    the mean probability is compared with the share of positives: the mean absolute difference over the
    recordings, each with that of its bin. (The form for several exclusive classes looks at the largest
    probability only; ours are separate yes-or-no questions.)

    Raises:
      ValueError: when shapes disagree or probabilities are not.
    """
    require_probabilities(probabilities, labels)
    error = probabilities.astype(np.float64) - labels
    number = bin_of(probabilities, bins)
    sums = [np.abs(np.where(number == b, error, 0.0).sum(axis=0)) for b in range(bins)]
    return np.sum(sums, axis=0) / len(labels)


def bin_of(probabilities: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The number of the bin [b / bins, (b + 1) / bins) that holds a probability; 1 is in the last; int."""
    edges = np.arange(1, bins) / bins
    return np.searchsorted(edges, probabilities, side="right")


def scored_classes(
    labels: np.ndarray,
    patients: np.ndarray | None = None,
    min_positives: int = MIN_POSITIVES,
    *,
    known: np.ndarray | None = None,
) -> np.ndarray:
    """The classes that enter a macro mean: at least `min_positives` patients with either label; bool (C,).

    Patients, as several recordings of one say little more than one: an interval over patients of a class that
    one patient has is of that patient alone.

    Args:
      labels: bool (n, C).
      patients: (n,), equal for recordings of one patient; None: each is of another.
      min_positives: of either label.
      known: bool (n, C), whether a recording without the label is one that lacks it; None: each is.

    Raises:
      TooFewRecordings: when none does.
    """
    with_label, without = patients_of_either(labels, patients, known)
    scored = np.minimum(with_label, without) >= min_positives
    if not scored.any():
        raise TooFewRecordings(
            f"macro AUROC: no class has {min_positives} positives and as many negatives, each of another "
            f"patient, among {len(labels)} recordings (positives: {labels.sum(axis=0).tolist()}, of so many "
            f"patients: {with_label.tolist()}); use more recordings"
        )
    return scored


def patients_of_either(
    labels: np.ndarray, patients: np.ndarray | None, known: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Patients with a positive, and with a negative, of each class; int (C,) each, arguments as above."""
    negatives = ~labels if known is None else ~labels & known
    if patients is None:
        return labels.sum(axis=0), negatives.sum(axis=0)
    unique, patient_of = np.unique(patients, return_inverse=True)
    found = []
    for of in (labels, negatives):
        has = np.zeros((len(unique), labels.shape[1]), bool)
        np.logical_or.at(has, patient_of, of)
        found.append(has.sum(axis=0))
    return found[0], found[1]


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
    scored = scored_classes(labels, min_positives=min_positives)
    each = class_aurocs(scores[:, scored], labels[:, scored], strata)
    return float(mean_of_known(each[None])[0])


def mean_of_known(resamples: np.ndarray) -> np.ndarray:
    """The mean over classes (R, C) that are not NaN; NaN where none is."""
    known = ~np.isnan(resamples)
    return ratio(np.where(known, resamples, 0.0).sum(axis=1), known.sum(axis=1))
