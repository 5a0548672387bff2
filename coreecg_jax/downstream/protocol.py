"""The sealed protocol: everything is fitted and chosen before the labels of the test set are read, once."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coreecg_jax.downstream.methods import Extract, Methods
from coreecg_jax.downstream.probes import Blocks, Probe, fit_probe, nested_probe, patient_folds
from coreecg_jax.downstream.tasks import Cohort, Task, read_cohort, read_identities, without_shared
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.inputs.selection import select
from coreecg_jax.records.schema import Preprocessing


class RunResult(NamedTuple):
    """One seed of a method."""

    name: str
    strengths: tuple[float, ...]  # chosen inside the training set; one an outer fold where nested
    cv_score: float | None  # macro AUROC out of fold in the training set; None where nested
    probabilities: np.ndarray | None  # (n, C) on the test set; None in development


class Evaluation(NamedTuple):
    """What was predicted, and on whom."""

    task: Task
    preprocessing: Preprocessing
    train: Cohort
    test: Cohort | None  # None in development; the cohort itself where nested
    methods: dict[str, tuple[RunResult, ...]]
    fold: np.ndarray | None = None  # int (n,), of the outer cross-validation where nested


OUTER_SEED = 1  # of the outer folds where nested: others than those inside

MakeMethods = Callable[[Preprocessing], Methods]


def develop(task: Task, root: Path | str, make_methods: MakeMethods) -> Evaluation:
    """Out-of-fold scores on the training folds only: for choosing settings. No test file is opened.

    Raises:
      ValueError: when the task has no test split, so that choosing on it would be choosing on its test.
    """
    if task.test is None:
        raise ValueError(
            f"{task.name}: has no test split, all of it is test; choose settings on a task that has one"
        )
    preprocessing = select(root, task.train).preprocessing
    train = read_cohort(root, task.train, task.label_set)
    fitted = _fit(make_methods(preprocessing), train)
    results = {name: tuple(_result(*pair) for pair in pairs) for name, pairs in fitted.items()}
    return Evaluation(task, preprocessing, train, None, results)


def evaluate(task: Task, root: Path | str, make_methods: MakeMethods) -> Evaluation:
    """Predictions of every method on the test set, or nested out of fold where the task has none.

    Raises:
      FileNotFoundError: when data are missing.
      ValueError: when data and task do not fit, or a probe cannot be fitted.
    """
    preprocessing = select(root, task.train).preprocessing
    methods = make_methods(preprocessing)
    train = read_cohort(root, task.train, task.label_set)
    if task.test is None:
        fold = patient_folds(train.groups, seed=OUTER_SEED)
        return Evaluation(task, preprocessing, train, train, _nested(methods, train, fold), fold)
    train = without_shared(train, read_identities(root, task.test))
    fitted = _fit(methods, train)
    test, results = _open_test(task.test, task.label_set, root, methods, fitted)
    return Evaluation(task, preprocessing, train, test, results)


_Fitted = dict[str, list[tuple[str, Probe]]]


def _fit(methods: Methods, train: Cohort) -> _Fitted:
    features = _features(methods, train.recordings)
    groups = train.groups
    return {
        name: [(run.name, fit_probe(_blocks(features, run.blocks), train.labels, groups)) for run in runs]
        for name, runs in methods.items()
    }


def _open_test(
    spec: str, label_set: str, root: Path | str, methods: Methods, fitted: _Fitted
) -> tuple[Cohort, dict[str, tuple[RunResult, ...]]]:
    """The only place that reads the labels of a test set: all probes are fitted by now."""
    test = read_cohort(root, spec, label_set)
    features = _features(methods, test.recordings)
    results = {}
    for name, runs in methods.items():
        pairs = zip(runs, fitted[name], strict=True)
        results[name] = tuple(_result(*probe, _blocks(features, run.blocks)) for run, probe in pairs)
    return test, results


def _nested(methods: Methods, cohort: Cohort, fold: np.ndarray) -> dict[str, tuple[RunResult, ...]]:
    features = _features(methods, cohort.recordings)
    results: dict[str, tuple[RunResult, ...]] = {}
    for name, runs in methods.items():
        nested = [nested_probe(_blocks(features, r.blocks), cohort.labels, cohort.groups, fold) for r in runs]
        results[name] = tuple(
            RunResult(run.name, out.strengths, None, out.probabilities) for run, out in zip(runs, nested)
        )
    return results


def _result(name: str, probe: Probe, blocks: Blocks | None = None) -> RunResult:
    probabilities = None if blocks is None else probe.predict(blocks)
    return RunResult(name, (probe.strength,), probe.cv_score, probabilities)


def _features(methods: Methods, recordings: Recordings) -> dict[Extract, np.ndarray]:
    """Each extractor once, however many methods join its features."""
    extractors = {extract for runs in methods.values() for run in runs for extract in run.blocks}
    return {extract: extract(recordings) for extract in extractors}


def _blocks(features: dict[Extract, np.ndarray], extractors: tuple[Extract, ...]) -> list[np.ndarray]:
    return [features[extract] for extract in extractors]
