"""The sealed protocol: all is fitted, chosen and predicted before the labels of the test are read, once."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.downstream.cohorts import Cohort, read_cohort
from coreecg_jax.downstream.division import Subset, divided, fitted_part, unlabelled, with_leads
from coreecg_jax.downstream.fits import Fitted
from coreecg_jax.downstream.judged import Judged
from coreecg_jax.downstream.label_order import require_label_set
from coreecg_jax.downstream.methods import Encoder, Methods
from coreecg_jax.downstream.openings import (
    Development,
    Opening,
    Sealed,
    note_development,
    open_once,
    require_sealed,
)
from coreecg_jax.downstream.outcomes import Outcome, developed, nested, outcome
from coreecg_jax.downstream.pretrained_on import Seen, require_unseen, seen_in_pretraining
from coreecg_jax.downstream.provenance import digest_of_array
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.downstream.sketches import sketch_of
from coreecg_jax.downstream.subsets import only_leads
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.inputs.reader import Recordings, read_recordings
from coreecg_jax.records.label_sets import LabelSet
from coreecg_jax.records.schema import Preprocessing

MakeMethods = Callable[[Preprocessing], Methods]
_Predicted = dict[str, tuple[Outcome, ...]]  # method -> its runs


@dataclasses.dataclass(frozen=True)
class Seal:
    """How the labels of a test may be read."""

    log: Path  # `openings`
    identity: dict[str, Any]  # what the run is
    allow_retest: bool = False
    allow_overlap: bool = False  # ask about recordings or patients that the encoder saw in pretraining


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
    pretrained_on: Seen  # test recordings that each encoder saw; None: cannot be told
    development: Development | None = None  # what was written down of it; None of a test


class _Admitted(NamedTuple):
    """A test that may be opened."""

    sealed: Sealed
    seen: Seen


def develop(
    task: Task, root: Path | str, make_methods: MakeMethods, subset: Subset, seal: Seal
) -> Evaluation:
    """Scores on validation, or out of fold in the training set: for choosing settings. No test is opened.

    What is scored may be of another task's test, so it is written into the log of openings (`openings`).

    Without a validation set, each method is fitted once a fold, and chooses in the other folds (`developed`);
    a fraction of the labels is one of the other folds', so that all recordings are scored whatever it is.
    With one, it chooses by what it is scored on, and the result says so.

    Raises:
      ValueError: when the task has no test split, so that choosing on it would be choosing on its test.
    """
    if task.test is None:
        raise ValueError(
            f"{task.name}: has no test split, all of it is test; choose settings on a task that has one"
        )
    require_label_set(root, dataclasses.replace(task, test=None))  # which is not read, and need not be there
    train, validation = divided(root, task, subset, None, None if task.validation else with_leads)
    preprocessing = train.recordings.preprocessing
    part = functools.partial(fitted_part, subset=subset)
    methods = {
        name: tuple(developed(run, train, validation, part) for run in runs)
        for name, runs in make_methods(preprocessing).items()
    }
    scored = train if validation is None else validation
    sketch = sketch_of(scored.recordings)
    seen = Sealed(seal.identity, task.label_set, task.validation or task.train, recordings=sketch)
    noted = note_development(seal.log, seen, root=root)
    return Evaluation(task, subset, preprocessing, train, validation, None, methods, None, {}, noted)


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
      ValueError: when data and task do not fit, data were prepared with another version of the label set, a
        recording is both fitted and asked about, a probe cannot be fitted, or the run has opened this test
        before.
    """
    admitted = _admitted(task, root, seal, encoders, is_split=task.test is not None)
    return _asked(task, root, make_methods, subset, seal, admitted)


def _asked(
    task: Task, root: Path | str, make_methods: MakeMethods, subset: Subset, seal: Seal, admitted: _Admitted
) -> Evaluation:
    """Of a task that was admitted."""
    if task.test is None:
        return _nested(task, root, make_methods, subset, seal, admitted)
    return _sealed(task, root, make_methods, subset, seal, admitted)


def _admitted(
    task: Task,
    root: Path | str,
    seal: Seal,
    encoders: Sequence[Encoder],
    is_split: bool,
    beside: Sequence[str] = (),
) -> _Admitted:
    """The test, and what the encoders saw of it; refused here, before anything is fitted."""
    require_label_set(root, task)
    spec = task.test or task.train
    asked = unlabelled(read_recordings(root, spec))
    sealed = Sealed(seal.identity, task.label_set, spec, is_split, sketch_of(asked), beside)
    require_sealed(seal.log, sealed, allow_retest=seal.allow_retest)
    seen = seen_in_pretraining(encoders, root, asked, spec)
    if not seal.allow_overlap:
        require_unseen(seen, spec)
    return _Admitted(sealed, seen)


def _sealed(
    task: Task,
    root: Path | str,
    make_methods: MakeMethods,
    subset: Subset,
    seal: Seal,
    admitted: _Admitted,
) -> Evaluation:
    """All is fitted and predicted; then the test is opened."""
    assert task.test
    asked = unlabelled(read_recordings(root, task.test))  # with all leads: they tell what it is
    train, validation = divided(root, task, subset, asked)
    asked = only_leads(asked, subset.leads)
    preprocessing = train.recordings.preprocessing
    predicted: _Predicted = {}
    for name, runs in make_methods(preprocessing).items():
        fits = [(run.name, run.fit(train, validation)) for run in runs]
        predicted[name] = tuple(_unopened(run, fitted, fitted.predict(asked)) for run, fitted in fits)
    final = [run.asked.probabilities for runs in predicted.values() for run in runs]
    opening = _open(seal, root, admitted.sealed, final)
    test, outcomes = _read_test(root, task, subset, asked, train.label_set, predicted)
    return Evaluation(task, subset, preprocessing, train, validation, test, outcomes, opening, admitted.seen)


def _nested(
    task: Task, root: Path | str, make_methods: MakeMethods, subset: Subset, seal: Seal, admitted: _Admitted
) -> Evaluation:
    """All of the data is test: fits see the labels of the other folds, and the scores are an opening.

    A fraction of the labels is one of the other folds': all recordings are asked about, whatever it is; those
    without signal in the leads, too.
    """
    cohort, _ = divided(root, task, subset, None, with_leads)
    preprocessing = cohort.recordings.preprocessing
    outcomes = nested(make_methods(preprocessing), cohort, functools.partial(fitted_part, subset=subset))
    final = [each.asked.probabilities for runs in outcomes.values() for each in runs]
    opening = _open(seal, root, admitted.sealed, final)
    return Evaluation(task, subset, preprocessing, cohort, None, cohort, outcomes, opening, admitted.seen)


def other_sources(
    task: Task,
    root: Path | str,
    make_methods: MakeMethods,
    subset: Subset,
    seal: Seal,
    encoders: Sequence[Encoder] = (),
    *,
    sources: Sequence[str] | None = None,
) -> Iterator[tuple[str, Evaluation | TooFewRecordings]]:
    """Each source of the task as the test of a fit to all others; or why not, of too few recordings.

    A source is opened when it is its turn, so that what was asked before can be written down.

    Args:
      task, root, make_methods, subset, seal, encoders: as of `evaluate`.
      sources: those that are asked about; by default all of the task.

    Raises:
      ValueError: as `evaluate`; before any source is opened, when one of them may not be.
    """
    tasks = {source: _holding_out(task, source) for source in (task.sources if sources is None else sources)}
    admitted = {
        # A source that shares recordings with another is asked all the same: what is fitted is `apart`.
        source: _admitted(one, root, seal, encoders, is_split=False, beside=_others(task, source))
        for source, one in tasks.items()
    }

    def answer(source: str) -> Evaluation | TooFewRecordings:
        try:
            return _asked(tasks[source], root, make_methods, subset, seal, admitted[source])
        except TooFewRecordings as error:  # to be fitted or asked about: no reason to leave out the others
            return error

    return ((source, answer(source)) for source in tasks)


def _holding_out(task: Task, source: str) -> Task:
    others = ", ".join(_others(task, source))
    return dataclasses.replace(task, name=f"{task.name}: {source}", train=others, test=source, sources=())


def _others(task: Task, source: str) -> tuple[str, ...]:
    return tuple(other for other in task.sources if other != source)


def _unopened(run: str, fitted: Fitted, probabilities: np.ndarray) -> Outcome:
    """What became of a fit, while nobody knows the labels of what it was asked.

    Thresholds and the score of validation too: what they need may fail, which must not cost an opening.
    """
    unknown = np.zeros(probabilities.shape, bool)
    return outcome(run, fitted, Judged(probabilities, unknown, np.arange(len(unknown)), None))


def _open(seal: Seal, root: Path | str, sealed: Sealed, predictions: Sequence[np.ndarray]) -> Opening:
    return open_once(
        seal.log,
        sealed,
        root=root,
        predictions=digest_of_array(np.stack(predictions)),
        allow_retest=seal.allow_retest,
    )


def _read_test(
    root: Path | str,
    task: Task,
    subset: Subset,
    asked: Recordings,
    label_set: LabelSet,
    predicted: _Predicted,
) -> tuple[Cohort, dict[str, tuple[Outcome, ...]]]:
    """The only place that reads the labels of a test set: all predictions are final by now."""
    assert task.test
    test = read_cohort(root, task.test, label_set, task.min_likelihood)
    names = zip(asked.source.tolist(), asked.recording_id.tolist(), strict=True)
    in_order = list(dict.fromkeys(f"{source}/{name}" for source, name in names))
    labelled = np.isin(in_order, test.recording_ids)
    test = dataclasses.replace(test, recordings=only_leads(test.recordings, subset.leads))
    outcomes = {
        name: tuple(
            run._replace(
                asked=Judged(run.asked.probabilities[labelled], test.labels, test.groups, None),
                thresholds=run.thresholds[labelled],
            )
            for run in runs
        )
        for name, runs in predicted.items()
    }
    return test, outcomes
