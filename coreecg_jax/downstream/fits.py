"""The protocols behind one interface: fitted on a cohort, chosen by another, then frozen."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np

from coreecg_jax.downstream.cohorts import Cohort
from coreecg_jax.downstream.features import Extract
from coreecg_jax.downstream.finetuning import fine_tune, predict, refit
from coreecg_jax.downstream.finetuning_settings import Settings
from coreecg_jax.downstream.folds import patient_folds
from coreecg_jax.downstream.judged import Judged
from coreecg_jax.downstream.neighbours import NEIGHBOURS, fit_neighbours
from coreecg_jax.downstream.probes import fit_probe, fit_validated_probe
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.network import CoReECG

HELD_OUT_SEED = 2  # of the patients by whom an epoch is chosen where there is no validation set


class _About(TypedDict):
    crop_seconds: float
    seed: int


class Fitted(NamedTuple):
    """A method with nothing left to choose."""

    predict: Callable[[Recordings], np.ndarray]  # -> probabilities (R, C), in the order of first appearance
    chosen: dict[str, float]  # what was chosen by validation
    judged: Judged  # the recordings by which it was: the validation set, or part of the training set


# (train, validation or None) -> the fitted method. Where there is no validation set, it is made of `train`.
Fit = Callable[[Cohort, Cohort | None], Fitted]


def linear(blocks: Sequence[Extract]) -> Fit:
    """Logistic regression on frozen features (`probes`), those of all blocks together."""

    def fit(train: Cohort, validation: Cohort | None) -> Fitted:
        features = [extract(train.recordings) for extract in blocks]
        if validation is None:
            probe = fit_probe(features, train.labels, train.groups, known=train.annotated)
        else:
            held_out = [extract(validation.recordings) for extract in blocks]
            probe = fit_validated_probe(
                *(features, train.labels, held_out, validation.labels, validation.groups),
                known=train.annotated,
                validation_known=validation.annotated,
            )

        def probabilities(recordings: Recordings) -> np.ndarray:
            return probe.predict([extract(recordings) for extract in blocks])

        return Fitted(probabilities, {"C": probe.strength}, probe.judged)

    return fit


def neighbours(extract: Extract, tried: Sequence[int] = NEIGHBOURS) -> Fit:
    """Mean label of the nearest recordings (`neighbours`)."""

    def fit(train: Cohort, validation: Cohort | None) -> Fitted:
        by = validation_known = None
        if validation is not None:
            by = extract(validation.recordings), validation.labels, validation.groups
            validation_known = validation.annotated
        probe = fit_neighbours(
            *(extract(train.recordings), train.labels, train.groups, by),
            known=train.annotated,
            validation_known=validation_known,
            tried=tried,
        )

        def probabilities(recordings: Recordings) -> np.ndarray:
            return probe.predict(extract(recordings))

        return Fitted(probabilities, {"neighbours": probe.neighbours}, probe.judged)

    return fit


def tuned(
    network: CoReECG, parameters: dict[str, Any], settings: Settings, *, crop_seconds: float, seed: int
) -> Fit:
    """Gradient descent from `parameters` (`finetuning`), the epoch chosen by validation.

    Without a validation set, the patients of one fold in five of the training set are held out for it, and
    the training is run again on all recordings, for as many epochs: like a probe, which is fitted again with
    the strength that was chosen, it learns from every label that it was given. F1 thresholds and Platt
    scaling come of what it was judged by: predictions of the fit before that, which those recordings were
    held out of. Of the last fit there are no such predictions.
    """
    about: _About = {"crop_seconds": crop_seconds, "seed": seed}

    def fit(train: Cohort, validation: Cohort | None) -> Fitted:
        part, by = train, validation
        if by is None:
            held_out = patient_folds(train.groups, train.labels, seed=HELD_OUT_SEED) == 0
            part, by = train.take(~held_out), train.take(held_out)
        found = fine_tune(
            *(network, parameters, part.recordings, part.labels),
            *(by.recordings, by.labels, settings),
            **about,
            known=part.annotated,
            validation_known=by.annotated,
        )
        asked = functools.partial(predict, network, settings=settings, crop_seconds=crop_seconds)
        judged = Judged(asked(found, by.recordings), by.labels, by.groups, None, by.annotated)
        epoch = found.best_epoch
        if validation is None:
            everything = train.recordings, train.labels
            known = train.annotated
            found = refit(network, parameters, *everything, settings, epochs=epoch, known=known, **about)
        return Fitted(functools.partial(asked, found), {"epoch": epoch}, judged)

    return fit
