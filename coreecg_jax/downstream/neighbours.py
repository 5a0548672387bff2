"""A nearest-neighbour score that needs no fitting: a sign of life while an encoder trains."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from coreecg_jax.downstream.features import crop_features
from coreecg_jax.downstream.scores import macro_auroc, scored_classes
from coreecg_jax.downstream.tasks import Task, read_cohort
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.representation import represent


def neighbour_score(
    network: CoReECG, task: Task, root: Path | str, *, crop_seconds: float, neighbours: int = 20
) -> Callable[[dict[str, Any]], dict[str, float]]:
    """A function of a run's parameters that gives `{'knn_auroc': …}` on the task's training recordings.

    Each recording is predicted from its nearest others of other patients. The test is not read.

    Raises:
      FileNotFoundError: when data are missing.
      ValueError: when there are too few recordings for a score.
    """
    cohort = read_cohort(root, task.train, task.label_set)
    require_neighbours(cohort.groups, neighbours)
    scored_classes(cohort.labels)
    apply = jax.jit(functools.partial(represent, network))

    def score(parameters: dict[str, Any]) -> dict[str, float]:
        one = functools.partial(apply, parameters["network"])
        features = crop_features(one, cohort.recordings, crop_seconds=crop_seconds, crops=1)
        predicted = leave_group_out(features, cohort.labels, cohort.groups, neighbours)
        return {"knn_auroc": macro_auroc(predicted, cohort.labels)}

    return score


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
    standard = (features - features.mean(0)) / (features.std(0) + 1e-6)
    unit = standard / np.maximum(np.linalg.norm(standard, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    similarity[groups[:, None] == groups[None, :]] = -np.inf
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return labels[nearest].mean(1)


def require_neighbours(groups: np.ndarray, k: int) -> None:
    """Raises ValueError when a recording has fewer than `k` others of other groups."""
    others = len(groups) - np.unique(groups, return_counts=True)[1].max()
    if not 1 <= k <= others:
        raise ValueError(
            f"neighbours: expected 1 to {others}, the recordings of other patients that each has, got {k}"
        )
