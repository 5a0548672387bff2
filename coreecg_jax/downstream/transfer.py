"""What becomes of thresholds and calibration where others' recordings are asked about."""

from typing import NamedTuple

import numpy as np

from coreecg_jax.downstream.calibration import fit_platt
from coreecg_jax.downstream.outcomes import Outcome
from coreecg_jax.downstream.scores import class_calibration_errors, class_f1s
from coreecg_jax.downstream.thresholds import best_f1_thresholds


class Transfer(NamedTuple):
    """Macro means over the scored classes; `own` with what was fitted on the test itself, so no results."""

    f1: float  # at the thresholds of the validation set
    f1_own: float  # at thresholds chosen on the test itself: no thresholds give more
    ece: float  # of the probabilities as they are
    ece_calibrated: float  # after Platt scaling that was fitted on the validation set
    ece_own: float  # after Platt scaling fitted on the test itself (by its log loss: no bound)


def transfer(outcome: Outcome, scored: np.ndarray) -> Transfer | None:
    """Of one run, the classes that are `scored`, bool (C,).

    None where nested, as there each fold has a validation set of its own.
    """
    if outcome.validation is None:
        return None
    asked, validation = outcome.asked, outcome.validation

    calibrated = fit_platt(validation.probabilities, validation.labels, validation.known)

    def macro(values: np.ndarray) -> float:
        return float(np.mean(values[scored]))

    def f1(thresholds: np.ndarray) -> float:
        return macro(class_f1s(asked.probabilities, asked.labels, thresholds))

    def ece(probabilities: np.ndarray) -> float:
        return macro(class_calibration_errors(probabilities, asked.labels))

    return Transfer(
        f1=f1(outcome.thresholds),
        f1_own=f1(best_f1_thresholds(asked.probabilities, asked.labels)),
        ece=ece(asked.probabilities),
        ece_calibrated=ece(calibrated(asked.probabilities)),
        ece_own=ece(fit_platt(asked.probabilities, asked.labels)(asked.probabilities)),
    )
