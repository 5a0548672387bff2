"""Thresholds that make yes or no of probabilities, chosen on validation recordings."""

import numpy as np

from coreecg_jax.downstream.scores import known_columns, require_probabilities


def best_f1_thresholds(
    probabilities: np.ndarray, labels: np.ndarray, known: np.ndarray | None = None
) -> np.ndarray:
    """For each class the threshold with the best F1; float64 (C,).

    A recording is positive where its probability is at least the threshold. Only probabilities that occur are
    tried, the smallest of equals is taken. A class without a positive gets infinity: it is never predicted.

    Args:
      probabilities: float (n, C), of recordings that no result is reported on.
      labels: bool (n, C).
      known: bool (n, C), where a label says something; None: everywhere.

    Raises:
      ValueError: when shapes disagree or probabilities are not.
    """
    require_probabilities(probabilities, labels)
    columns = known_columns(labels, known)
    return np.array([_best(probabilities[at, c], labels[at, c]) for c, at in enumerate(columns)])


def _best(probabilities: np.ndarray, labels: np.ndarray) -> float:
    if not labels.any():
        return np.inf
    thresholds, at = np.unique(probabilities, return_inverse=True)
    # From each threshold upwards: the positives found, and all that are called positive.
    found = np.cumsum(np.bincount(at, weights=labels)[::-1])[::-1]
    called = np.cumsum(np.bincount(at)[::-1])[::-1]
    # Equal fractions of whole numbers are equal floats: `argmax` sees ties, and takes the first.
    return float(thresholds[np.argmax(2.0 * found / (called + labels.sum()))])
