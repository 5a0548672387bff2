"""Nearest neighbours: as a protocol, and as a sign of life while an encoder trains."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.downstream.choosing import best_setting, standing
from coreecg_jax.downstream.cohorts import read_cohort
from coreecg_jax.downstream.features import crop_features
from coreecg_jax.downstream.judged import Judged
from coreecg_jax.downstream.scores import TooFewRecordings, macro_auroc, scored_classes
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.representation import compiled_represent

# Numbers of neighbours that are tried.
NEIGHBOURS = (5, 10, 20, 50)

# Similarities in memory at a time, some 200 MB with their order. All of 40,000 recordings to 300,000 would
# be 96 GB.
_SIMILARITIES = 2**23


class NeighbourProbe(NamedTuple):
    """Mean label of the nearest recordings, and how their number was chosen."""

    predict: Callable[[np.ndarray], np.ndarray]  # features of n recordings -> probabilities (n, C)
    neighbours: int
    judged: Judged  # the recordings it was chosen by


def neighbour_score(
    network: CoReECG, task: Task, root: Path | str, *, crop_seconds: float, neighbours: int = 20
) -> Callable[[dict[str, Any]], dict[str, float]]:
    """A function of a run's parameters that gives `{'knn_auroc': …}` on the task's training recordings.

    Each recording is predicted from its nearest others of other patients. The test is not read.

    Raises:
      FileNotFoundError: when data are missing.
      ValueError: when there are too few recordings for a score.
    """
    cohort = read_cohort(root, task.train, task.label_set, task.min_likelihood)
    require_neighbours(cohort.groups, neighbours)
    scored_classes(cohort.labels)
    apply = compiled_represent(network)

    def score(parameters: dict[str, Any]) -> dict[str, float]:
        one = functools.partial(apply, parameters["network"])
        features = crop_features(one, cohort.recordings, crop_seconds=crop_seconds, crops=1)
        predicted = leave_group_out(features, cohort.labels, cohort.groups, neighbours)
        return {"knn_auroc": macro_auroc(predicted, cohort.labels)}

    return score


def fit_neighbours(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    *,
    known: np.ndarray | None = None,
    validation_known: np.ndarray | None = None,
    tried: Sequence[int] = NEIGHBOURS,
) -> NeighbourProbe:
    """Chooses the number of neighbours by macro AUROC, of equals by log loss, then the smallest.

    Args:
      features: float (R, F).
      labels: bool (R, C).
      groups: int (R,), equal for recordings of one patient.
      validation: features, labels and groups of the recordings to choose by; None: each recording by its
        neighbours of other patients.
      known: bool (R, C), where a label says something (`vocabularies`): of the nearest recordings those are
        heard; where none of them knows, the share of positives is given. None: everywhere.
      validation_known: of the recordings to choose by.
      tried: numbers; those for which there are too few recordings are left out.

    Raises:
      ValueError: when none of the numbers can be tried, or no class has enough of either label.
    """
    possible = [k for k in tried if k <= _most_neighbours(groups)]
    if not possible:
        require_neighbours(groups, min(tried))

    asked, true, of = validation or (features, labels, groups)
    apart = groups if validation is None else None
    nearest = _nearest(asked, features, max(possible), apart)
    chosen_by = known if validation is None else validation_known
    predicted = {k: _mean_label(labels, nearest[:, :k], known) for k in possible}
    best = best_setting((k, standing(each, true, known=chosen_by)) for k, each in predicted.items())

    def predict(features_of_others: np.ndarray) -> np.ndarray:
        return _mean_label(labels, _nearest(features_of_others, features, best), known)

    return NeighbourProbe(predict, best, Judged(predicted[best], true, of, None, chosen_by))


def leave_group_out(features: np.ndarray, labels: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    """Mean label of the `k` nearest recordings of other groups, by cosine of standardised features.

    Args:
      features: float (R, F).
      labels: bool (R, C).
      groups: int (R,), equal for recordings that must not speak for each other.

    Returns:
      float (R, C).

    Raises:
      ValueError: when a recording has fewer than `k` others of other groups.
    """
    require_neighbours(groups, k)
    return _mean_label(labels, _nearest(features, features, k, groups))


def _nearest(asked: np.ndarray, known: np.ndarray, k: int, groups: np.ndarray | None = None) -> np.ndarray:
    """The rows of the `k` nearest known recordings, the nearest first; of equals the first; int (n, k).

    Args:
      asked: float (n, F).
      known: float (R, F).
      k: at most as many as are known.
      groups: (R,), where what is asked is what is known: recordings of one group are not near each other.
    """
    unit, others = _directions(asked, known), _directions(known, known)
    nearest = np.empty((len(asked), k), np.intp)
    rows = max(1, _SIMILARITIES // len(known))
    for part in (slice(start, start + rows) for start in range(0, len(asked), rows)):
        similarity = unit[part] @ others.T
        if groups is not None:
            similarity[groups[part, None] == groups[None, :]] = -np.inf
        nearest[part] = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return nearest


def _mean_label(labels: np.ndarray, nearest: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """The mean label bool (R, C) over the recordings of each row (n, k) that know it; float (n, C).

    One neighbour after the other: all of them side by side would be `k` times what comes back.
    """
    if known is None:
        return _votes(labels, nearest) / nearest.shape[1]
    heard = _votes(known, nearest)
    share = (labels & known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(heard > 0, _votes(labels & known, nearest) / np.maximum(heard, 1), share[None])


def _votes(flags: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """How many of the recordings of each row (n, k) have each flag, bool (R, C); float (n, C)."""
    votes = np.zeros((len(nearest), flags.shape[1]))
    for of_each in nearest.T:
        votes += flags[of_each]
    return votes


def _directions(features: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Unit vectors of features, standardised by what is known."""
    standard = (features - known.mean(0)) / (known.std(0) + 1e-6)
    return standard / np.maximum(np.linalg.norm(standard, axis=1, keepdims=True), 1e-12)


def _most_neighbours(groups: np.ndarray) -> int:
    """Recordings of other groups that each recording has at least."""
    return len(groups) - int(np.unique(groups, return_counts=True)[1].max())


def require_neighbours(groups: np.ndarray, k: int) -> None:
    """Raises ValueError when a recording has fewer than `k` others of other groups."""
    if not 1 <= k <= _most_neighbours(groups):
        raise TooFewRecordings(
            f"neighbours: expected 1 to {_most_neighbours(groups)}, recordings of other patients that each "
            f"has, got {k}"
        )
