"""By what settings are chosen: the macro AUROC of recordings that were not fitted, then their log loss.

With few labels several strengths of a probe, or several epochs, often have one AUROC, 1.000 not seldom. It
says nothing of how far probabilities stand apart: the weakest of equals gives all recordings about the
prevalence, and F1 at thresholds of such probabilities, Brier score and calibration mean little.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import numpy as np

from coreecg_jax.downstream.scores import (
    MIN_POSITIVES,
    TooFewRecordings,
    class_aurocs,
    mean_of_known,
    patients_of_either,
    require_probabilities,
    scored_classes,
)

# Rounding moves a mean of AUROCs by some 1e-15: that is no difference. One pair of recordings that changes
# places moves it by 1 / (positives x negatives x classes): by 2e-6 of 71 classes of 20 positives and 360
# negatives, and still by 1e-9 of one class of 30,000 of either. Less than a pair of so many is no difference
# to choose by either.
TIED = 1e-9

# Nearest neighbours, and a class of which a fold has one label only, say 0 or 1 and may be wrong: as
# scikit-learn does, that costs 36 and not infinity, which would leave no order among the other classes.
_CERTAIN = float(np.finfo(np.float64).eps)

Setting = TypeVar("Setting", int, float)


class Standing(NamedTuple):
    """How well a setting predicts the recordings that settings are chosen by."""

    auroc: float  # macro
    log_loss: float  # binary cross-entropy in nats, mean over recordings and the classes of the AUROC

    def better_than(self, other: "Standing") -> bool:
        """A larger AUROC; of equal ones (`TIED`) the smaller log loss. Equal in both is not better."""
        if abs(self.auroc - other.auroc) > TIED:
            return self.auroc > other.auroc
        return self.log_loss < other.log_loss


def standing(
    probabilities: np.ndarray,
    labels: np.ndarray,
    *,
    strata: np.ndarray | None = None,
    known: np.ndarray | None = None,
) -> Standing:
    """Of probabilities (n, C) for labels bool (n, C), by the classes that can be ranked (`choosing_auroc`).

    A label that is not `known`, bool (n, C), counts in neither number; None: all are.

    Raises:
      TooFewRecordings: when no class has both labels, or none within a stratum.
      ValueError: when probabilities are not.
    """
    require_probabilities(probabilities, labels)
    each = _ranked_aurocs(probabilities, labels, strata, known)
    ranked = ~np.isnan(each)
    expected = np.clip(probabilities[:, ranked].astype(np.float64), _CERTAIN, 1.0 - _CERTAIN)
    losses = -np.log(np.where(labels[:, ranked], expected, 1.0 - expected))
    counted = losses if known is None else losses[known[:, ranked]]
    return Standing(_mean(each, labels), float(counted.mean()))


def best_setting(standings: Iterable[tuple[Setting, Standing]]) -> Setting:
    """The setting that no other is better than, the smallest of equals; in whatever order they come.

    Raises:
      ValueError: when there is none.
    """
    (best, so_far), *others = sorted(standings, key=lambda each: each[0])
    for setting, found in others:
        if found.better_than(so_far):
            best, so_far = setting, found
    return best


def choosing_auroc(
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    strata: np.ndarray | None = None,
    known: np.ndarray | None = None,
) -> float:
    """`macro_auroc`, or, of few recordings, the mean of all classes that can be ranked.

    A share of the labels may leave no class the positives that a score must have to be reported. Settings
    have to be chosen all the same: then every class with a label of either kind counts.

    Raises:
      TooFewRecordings: when no class has both labels, or none within a stratum.
    """
    return _mean(_ranked_aurocs(scores, labels, strata, known), labels)


def positives_to_choose_by(labels: np.ndarray, known: np.ndarray | None = None) -> int:
    """`MIN_POSITIVES` where a class has as many of either label, else 1.

    Raises:
      TooFewRecordings: when no class has both labels.
    """
    of_either = np.minimum(*patients_of_either(labels, None, known))
    needed = MIN_POSITIVES if of_either.max(initial=0) >= MIN_POSITIVES else 1
    scored_classes(labels, min_positives=needed, known=known)
    return needed


def _ranked_aurocs(
    scores: np.ndarray, labels: np.ndarray, strata: np.ndarray | None, known: np.ndarray | None
) -> np.ndarray:
    """The AUROC of each class that counts; NaN of the others; float (C,)."""
    counted = scored_classes(labels, min_positives=positives_to_choose_by(labels, known), known=known)
    each = np.full(labels.shape[1], np.nan)
    known = known if known is None else known[:, counted]
    each[counted] = class_aurocs(scores[:, counted], labels[:, counted], strata, known=known)
    return each


def _mean(aurocs: np.ndarray, labels: np.ndarray) -> float:
    found = float(mean_of_known(aurocs[None])[0])
    if np.isnan(found):
        raise TooFewRecordings(f"nothing to choose by: no fold of {len(labels)} recordings has both labels")
    return found
