"""Which classes are in the macro means of a result, and of results that stand beside each other."""

from collections.abc import Sequence

import numpy as np

from coreecg_jax.downstream.cohorts import Cohort
from coreecg_jax.downstream.predictions import Predictions
from coreecg_jax.downstream.result_files import Report
from coreecg_jax.downstream.scores import TooFewRecordings, scored_classes


def macro_classes(asked: Cohort, train: Cohort) -> np.ndarray:
    """Classes with enough patients of either label, that could be learned; bool (C,).

    What no recording of the training set has, no method can tell: each says the same of all recordings, an
    AUROC of 0.5, which draws means to 0.5 and differences to 0. A class that a *fraction* of the labels does
    not hold stays in: to go without it is what few labels cost.

    Raises:
      TooFewRecordings: when no class is left.
    """
    scored = scored_classes(asked.labels, asked.groups)
    if not (scored & train.learnable).any():
        names = ", ".join(np.array(asked.classes)[scored])
        raise TooFewRecordings(
            f"macro AUROC: no recording to be fitted has any of the classes that can be scored ({names}); "
            "fit on other data"
        )
    return scored & train.learnable


def unlearnable(asked: Cohort, train: Cohort) -> list[str]:
    """The classes that are left out only because no recording of the training set has them."""
    left_out = scored_classes(asked.labels, asked.groups) & ~train.learnable
    return np.array(asked.classes)[left_out].tolist()


def common_macro_classes(
    reports: Sequence[Report], predictions: Predictions, groups: np.ndarray
) -> np.ndarray:
    """The classes that are in the macro means of all of these results; bool (C,).

    Results of before may count a class that has too few patients, or none that could be fitted: the rule of
    now is put to their predictions, as far as it can be.

    Args:
      reports: of results of the same recordings.
      predictions: of one of them.
      groups: (n,), equal for recordings of one patient by any of them.

    Raises:
      TooFewRecordings: when no class is in all.
    """
    scored = scored_classes(predictions.labels, groups)
    for numbers in reports:
        scored &= np.isin(predictions.classes, numbers.get("macro_classes", predictions.classes))
    if not scored.any():
        raise TooFewRecordings("macro AUROC: no class is in the means of all of these results")
    return scored
