"""What became of a method: predictions of the recordings that are scored, and by what they were chosen."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from coreecg_jax.downstream.choosing import choosing_auroc
from coreecg_jax.downstream.cohorts import Cohort
from coreecg_jax.downstream.fits import Fitted
from coreecg_jax.downstream.folds import patient_folds
from coreecg_jax.downstream.judged import Judged
from coreecg_jax.downstream.methods import Methods, Run
from coreecg_jax.downstream.thresholds import best_f1_thresholds
from coreecg_jax.downstream.vocabularies import with_vocabularies

OUTER_SEED = 1  # of the outer folds where nested: others than those inside


class Outcome(NamedTuple):
    """One seed of a method."""

    name: str
    chosen: tuple[dict[str, float], ...]  # by validation; one an outer fold where nested
    validation_score: float | None  # macro AUROC on the recordings it was chosen by; None where nested
    asked: Judged  # the recordings that are scored
    thresholds: np.ndarray  # float (n, C), chosen on validation, all rows alike; out of fold, in other folds
    validation: Judged | None  # the recordings it was chosen by; None where nested
    fitted: tuple[int, ...] = ()  # recordings that each outer fold was fitted on; empty if not nested


def developed(
    run: Run,
    train: Cohort,
    validation: Cohort | None,
    part: Callable[[Cohort], Cohort] = lambda fitted: fitted,
) -> Outcome:
    """On validation, by which it was chosen; or out of fold in the training set, all on the same folds.

    Args:
      run: what is developed.
      train: what is fitted, and scored out of fold where there is no validation.
      validation: what it is chosen by, and scored.
      part: out of fold, of the recordings of the other folds, those that are fitted.

    Out of fold, what is chosen for a fold is chosen in the others alone, whatever the method: the strength of
    a probe that was chosen by the predictions that are scored is a best of several, and looked better by
    that. The F1 thresholds of a fold are chosen on the predictions of the others, whatever the method:
    were one scored where its thresholds were chosen and another not, their F1 would differ by that alone.
    """
    if validation is not None:
        fitted = run.fit(train, validation)
        return outcome(run.name, fitted, fitted.judged)
    fold = patient_folds(train.groups, train.labels)
    found = _nested_outcome(run, train, fold, part)
    return found._replace(thresholds=_thresholds_of_other_folds(found.asked, fold, train.annotated))


def nested(
    methods: Methods, cohort: Cohort, part: Callable[[Cohort], Cohort] = lambda fitted: fitted
) -> dict[str, tuple[Outcome, ...]]:
    """Each recording predicted by a fit that saw neither its patient nor the choices made by it.

    Args:
      methods: what is compared.
      cohort: the recordings, each of which is asked about once.
      part: of the recordings of the other folds, those that are fitted.
    """
    fold = patient_folds(cohort.groups, cohort.labels, seed=OUTER_SEED)

    return {
        name: tuple(_nested_outcome(run, cohort, fold, part) for run in runs)
        for name, runs in methods.items()
    }


def _nested_outcome(
    run: Run, cohort: Cohort, fold: np.ndarray, part: Callable[[Cohort], Cohort] = lambda fitted: fitted
) -> Outcome:
    probabilities = np.empty(cohort.labels.shape)
    thresholds = np.empty(cohort.labels.shape)
    chosen, sizes = [], []
    for held_out in (fold == number for number in np.unique(fold)):
        known = cohort.take(~held_out)
        if known.annotated is not None:  # what the other folds alone say of their sources
            known, _ = with_vocabularies(known, None)
        known = part(known)
        fitted = run.fit(known, None)
        probabilities[held_out] = fitted.predict(cohort.take(held_out).recordings)
        thresholds[held_out] = _thresholds(fitted)[None]
        chosen.append(fitted.chosen)
        sizes.append(len(known))
    asked = Judged(probabilities, cohort.labels, cohort.groups, fold)
    return Outcome(run.name, tuple(chosen), None, asked, thresholds, None, tuple(sizes))


def outcome(name: str, fitted: Fitted, asked: Judged) -> Outcome:
    """Of a fit that was asked once, with the thresholds of its validation."""
    judged = fitted.judged
    score = choosing_auroc(judged.probabilities, judged.labels, strata=judged.fold, known=judged.known)
    thresholds = np.repeat(_thresholds(fitted)[None], len(asked.labels), axis=0)
    return Outcome(name, (fitted.chosen,), score, asked, thresholds, judged)


def _thresholds_of_other_folds(asked: Judged, fold: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """Float (n, C)."""
    thresholds = np.empty(asked.labels.shape)
    for held_out in (fold == number for number in np.unique(fold)):
        others = asked.probabilities[~held_out], asked.labels[~held_out]
        thresholds[held_out] = best_f1_thresholds(*others, None if known is None else known[~held_out])
    return thresholds


def _thresholds(fitted: Fitted) -> np.ndarray:
    judged = fitted.judged
    return best_f1_thresholds(judged.probabilities, judged.labels, judged.known)
