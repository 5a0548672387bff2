"""The sealed protocol: all is fitted, chosen and predicted before the labels of the test are read, once."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.downstream.cohorts import Cohort, NothingLabelled, read_cohort, without_shared
from coreecg_jax.downstream.fits import Fitted
from coreecg_jax.downstream.judged import Judged
from coreecg_jax.downstream.methods import Encoder, Methods, Run
from coreecg_jax.downstream.openings import Opening, open_once
from coreecg_jax.downstream.probes import patient_folds
from coreecg_jax.downstream.provenance import (
    Overlap,
    digest_of_array,
    overlap,
    require_no_recording_twice,
)
from coreecg_jax.downstream.scores import macro_auroc
from coreecg_jax.downstream.subsets import nested_fractions, only_leads
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.downstream.thresholds import best_f1_thresholds
from coreecg_jax.inputs.reader import Recordings, read_recordings
from coreecg_jax.inputs.selection import select
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.schema import Preprocessing

OUTER_SEED = 1  # of the outer folds where nested: others than those inside

MakeMethods = Callable[[Preprocessing], Methods]


@dataclasses.dataclass(frozen=True)
class Subset:
    """How much of a task's data is used; all of it, unless told."""

    leads: tuple[str, ...] = LEADS  # of every recording, fitted or asked about
    fraction: float = 1.0  # of the labelled recordings that are fitted and chosen by
    repeat: int = 0  # seed of that fraction


@dataclasses.dataclass(frozen=True)
class Seal:
    """How the labels of a test may be read."""

    log: Path  # `openings`
    identity: dict[str, Any]  # what the run is
    allow_retest: bool = False
    allow_overlap: bool = False  # ask about recordings that the encoder saw, unlabelled, in pretraining


class Outcome(NamedTuple):
    """One seed of a method."""

    name: str
    chosen: tuple[dict[str, float], ...]  # by validation; one an outer fold where nested
    validation_score: float | None  # macro AUROC on the recordings it was chosen by; None where nested
    asked: Judged  # the recordings that are scored
    thresholds: np.ndarray  # float (n, C), chosen on validation: in every row, but where nested, the same
    validation: Judged | None  # the recordings it was chosen by; None where nested


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What was predicted, and on whom."""

    task: Task
    subset: Subset
    preprocessing: Preprocessing
    train: Cohort
    validation: Cohort | None  # None: made of `train`
    test: Cohort | None  # None in development; the training cohort itself where nested
    methods: dict[str, tuple[Outcome, ...]]
    opening: Opening | None  # None in development
    pretrained_on: dict[str, Overlap | None]  # test recordings that each encoder saw; None: cannot be told


def develop(task: Task, root: Path | str, make_methods: MakeMethods, subset: Subset) -> Evaluation:
    """Scores on validation, or out of fold in the training set: for choosing settings. No test is opened.

    Without a validation set, a method that holds part of the training set out for its choices is fitted once
    more a fold, so that all methods are scored on the same recordings.

    Raises:
      ValueError: when the task has no test split, so that choosing on it would be choosing on its test.
    """
    if task.test is None:
        raise ValueError(
            f"{task.name}: has no test split, all of it is test; choose settings on a task that has one"
        )
    train, validation = _cohorts(root, task, subset, None)
    preprocessing = train.recordings.preprocessing
    methods = {
        name: tuple(_developed(run, train, validation) for run in runs)
        for name, runs in make_methods(preprocessing).items()
    }
    return Evaluation(task, subset, preprocessing, train, validation, None, methods, None, {})


def evaluate(
    task: Task,
    root: Path | str,
    make_methods: MakeMethods,
    subset: Subset,
    seal: Seal,
    encoders: Sequence[Encoder] = (),
) -> Evaluation:
    """Predictions of every method on the test set, or nested out of fold where the task has none.

    Args:
      task: one without `sources` (for those: `other_sources`).
      root: folder of data sets.
      make_methods: from the data's preprocessing to what is compared.
      subset: of the data.
      seal: of the test.
      encoders: those compared, whose pretraining data must not hold the test.

    Raises:
      FileNotFoundError: when data are missing.
      ValueError: when data and task do not fit, a recording is both fitted and asked about, a probe cannot be
        fitted, or the run has opened this test before.
    """
    spec = task.test or task.train
    asked = only_leads(_unlabelled(read_recordings(root, spec)), subset.leads)
    seen = {encoder.name: _seen_in_pretraining(encoder, root, asked) for encoder in encoders}
    if not seal.allow_overlap:
        _require_unseen(seen, spec)
    train, validation = _cohorts(root, task, subset, asked if task.test else None)
    methods = make_methods(train.recordings.preprocessing)
    if task.test is None:
        outcomes = _nested(methods, train)
    else:
        fitted = _fit(methods, train, validation)
        predicted = {
            name: [(run, each, each.predict(asked)) for run, each in runs] for name, runs in fitted.items()
        }
    final = (
        [each.asked.probabilities for runs in outcomes.values() for each in runs]
        if task.test is None
        else [probabilities for runs in predicted.values() for _, _, probabilities in runs]
    )
    opening = open_once(
        seal.log,
        identity=seal.identity,
        test=f"{task.label_set} of {spec}",
        predictions=digest_of_array(np.stack(final)),
        allow_retest=seal.allow_retest,
    )
    if task.test is None:
        test = train
    else:
        test, outcomes = _open_test(root, task, subset, asked, predicted)
    preprocessing = train.recordings.preprocessing
    return Evaluation(task, subset, preprocessing, train, validation, test, outcomes, opening, seen)


def other_sources(
    task: Task,
    root: Path | str,
    make_methods: MakeMethods,
    subset: Subset,
    seal: Seal,
    encoders: Sequence[Encoder] = (),
) -> dict[str, Evaluation | None]:
    """Each source of the task as the test of a fit to all others; None where it has no label of the set.

    Raises:
      ValueError: as `evaluate`.
    """
    held_out: dict[str, Evaluation | None] = {}
    for source in task.sources:
        others = ", ".join(other for other in task.sources if other != source)
        one = Task(f"{task.name}: {source}", task.label_set, train=others, test=source)
        try:
            held_out[source] = evaluate(one, root, make_methods, subset, seal, encoders)
        except NothingLabelled:
            held_out[source] = None
    return held_out


def _developed(run: Run, train: Cohort, validation: Cohort | None) -> Outcome:
    fitted = run.fit(train, validation)
    if len(fitted.judged.labels) == len(validation or train):
        return _outcome(run.name, fitted, fitted.judged)
    return _nested_outcome(run.name, run.fit, train, patient_folds(train.groups))


def _cohorts(
    root: Path | str, task: Task, subset: Subset, asked: Recordings | None
) -> tuple[Cohort, Cohort | None]:
    """What is fitted, and what it is chosen by: less what is asked about, and as little as `subset` says."""
    train = read_cohort(root, task.train, task.label_set)
    validation = read_cohort(root, task.validation, task.label_set) if task.validation else None
    if validation is not None:
        require_no_recording_twice(train.recordings, validation.recordings, "train", "validation")
    if asked is not None:
        for name, cohort in (("train", train), ("validation", validation)):
            if cohort is not None:
                require_no_recording_twice(cohort.recordings, asked, name, "test")
        train = without_shared(train, asked)
        validation = validation and without_shared(validation, asked)
    if validation is not None:
        train = without_shared(train, validation.recordings)
    return _part(train, subset), validation and _part(validation, subset)


def _part(cohort: Cohort, subset: Subset) -> Cohort:
    if subset.fraction < 1:
        kept = nested_fractions(cohort.labels, cohort.groups, subset.fraction, subset.repeat)
        cohort = cohort.take(kept)
    return dataclasses.replace(cohort, recordings=only_leads(cohort.recordings, subset.leads))


def _unlabelled(recordings: Recordings) -> Recordings:
    """All that may be known of a test before it is opened."""
    none = ((),) * len(recordings)
    return dataclasses.replace(recordings, labels=none, likelihoods=none)


_Fits = dict[str, list[tuple[str, Fitted]]]


def _fit(methods: Methods, train: Cohort, validation: Cohort | None) -> _Fits:
    return {name: [(run.name, run.fit(train, validation)) for run in runs] for name, runs in methods.items()}


def _open_test(
    root: Path | str,
    task: Task,
    subset: Subset,
    asked: Recordings,
    predicted: dict[str, list[tuple[str, Fitted, np.ndarray]]],
) -> tuple[Cohort, dict[str, tuple[Outcome, ...]]]:
    """The only place that reads the labels of a test set: all predictions are final by now."""
    assert task.test
    test = read_cohort(root, task.test, task.label_set)
    labelled = np.isin(_names(asked), test.recording_ids)
    test = dataclasses.replace(test, recordings=only_leads(test.recordings, subset.leads))
    outcomes = {
        name: tuple(
            _outcome(run, fitted, Judged(probabilities[labelled], test.labels, test.groups, None))
            for run, fitted, probabilities in runs
        )
        for name, runs in predicted.items()
    }
    return test, outcomes


def _nested(methods: Methods, cohort: Cohort) -> dict[str, tuple[Outcome, ...]]:
    """Each recording predicted by a fit that saw neither its patient nor the choices made by it."""
    fold = patient_folds(cohort.groups, seed=OUTER_SEED)
    outcomes = {}
    for name, runs in methods.items():
        outcomes[name] = tuple(_nested_outcome(run.name, run.fit, cohort, fold) for run in runs)
    return outcomes


def _nested_outcome(name: str, fit: Callable[..., Fitted], cohort: Cohort, fold: np.ndarray) -> Outcome:
    probabilities = np.empty(cohort.labels.shape)
    thresholds = np.empty(cohort.labels.shape)
    chosen = []
    for held_out in (fold == number for number in np.unique(fold)):
        fitted = fit(cohort.take(~held_out), None)
        probabilities[held_out] = fitted.predict(cohort.take(held_out).recordings)
        thresholds[held_out] = _thresholds(fitted)[None]
        chosen.append(fitted.chosen)
    asked = Judged(probabilities, cohort.labels, cohort.groups, fold)
    return Outcome(name, tuple(chosen), None, asked, thresholds, None)


def _outcome(name: str, fitted: Fitted, asked: Judged) -> Outcome:
    judged = fitted.judged
    score = macro_auroc(judged.probabilities, judged.labels, strata=judged.fold)
    thresholds = np.repeat(_thresholds(fitted)[None], len(asked.labels), axis=0)
    return Outcome(name, (fitted.chosen,), score, asked, thresholds, judged)


def _thresholds(fitted: Fitted) -> np.ndarray:
    return best_f1_thresholds(fitted.judged.probabilities, fitted.judged.labels)


def _seen_in_pretraining(encoder: Encoder, root: Path | str, asked: Recordings) -> Overlap | None:
    """What of the recordings asked about the encoder was trained on; None where its data are not at hand."""
    try:
        select(root, encoder.trained_on)
    except (FileNotFoundError, ValueError):
        return None
    return overlap(read_recordings(root, encoder.trained_on), asked)


def _require_unseen(seen: dict[str, Overlap | None], spec: str) -> None:
    for name, found in seen.items():
        if found and (found.recordings or found.signals):
            raise ValueError(
                f"{name} was pretrained on {max(found.recordings, found.signals)} recordings of the test "
                f"({spec}), without their labels: pretrain without them, or say --allow_overlap, which the "
                "result will say"
            )


def _names(recordings: Recordings) -> np.ndarray:
    """'ptbxl/13' of each recording, in the order of first appearance."""
    pairs = zip(recordings.source.tolist(), recordings.recording_id.tolist(), strict=True)
    return np.array(list(dict.fromkeys(f"{source}/{name}" for source, name in pairs)))
