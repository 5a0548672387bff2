"""An evaluation as numbers (JSON) and as a table (Markdown)."""

import dataclasses
import importlib.metadata
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.downstream.methods import COMPARISONS, Encoder
from coreecg_jax.downstream.probes import FOLDS, STRENGTHS
from coreecg_jax.downstream.protocol import Evaluation, RunResult
from coreecg_jax.downstream.scores import (
    MIN_POSITIVES,
    Interval,
    bootstrap_aurocs,
    bootstrap_macro,
    paired_difference,
    patient_resamples,
    scored_classes,
)
from coreecg_jax.downstream.tasks import Cohort

RESAMPLES = 1000
_VERSIONED = ("coreecg-jax", "jax", "flax", "numpy", "scipy", "scikit-learn")

Report = dict[str, Any]


def report(evaluation: Evaluation, encoders: Sequence[Encoder], *, seed: int = 0) -> Report:
    """Every number of an evaluation, ready for `json.dumps`; an unknown number is None.

    Args:
      evaluation: what was predicted.
      encoders: the training runs compared, for their steps and seeds.
      seed: of the bootstrap.

    Raises:
      ValueError: when no class has enough positives and negatives in the test set.
    """
    numbers = {
        "task": dataclasses.asdict(evaluation.task),
        "protocol": _protocol(evaluation),
        "train": _cohort(evaluation.train),
        "test": None if evaluation.test is None else _cohort(evaluation.test),
        "methods": {name: [_fitted(run) for run in runs] for name, runs in evaluation.methods.items()},
        "encoders": [
            {name: getattr(e, name) for name in ("name", "step", "seed", "crop_seconds", "pooling")}
            for e in encoders
        ],
        "preprocessing": dataclasses.asdict(evaluation.preprocessing),
        "probe": {"strengths": STRENGTHS, "folds": FOLDS},
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONED},
    }
    if evaluation.test is not None:
        numbers |= _scores(evaluation, evaluation.test, seed)
    return numbers


def _protocol(evaluation: Evaluation) -> str:
    if evaluation.test is None:
        return "development: out of fold in the training set, test not read"
    return "nested cross-validation" if evaluation.task.test is None else "sealed test"


def _cohort(cohort: Cohort) -> Report:
    return {
        "recordings": len(cohort.labels),
        "patients": len(np.unique(cohort.groups)),
        "dropped_without_label": cohort.unlabelled,
        "dropped_shared_with_test": cohort.shared,
        "positives": dict(zip(cohort.classes, cohort.labels.sum(axis=0).tolist(), strict=True)),
    }


def _fitted(run: RunResult) -> Report:
    return {"run": run.name, "strengths": run.strengths, "cv_macro_auroc": run.cv_score}


def _scores(evaluation: Evaluation, test: Cohort, seed: int) -> Report:
    """Everything that needs the labels of the test set."""
    counts = patient_resamples(test.groups, resamples=RESAMPLES, seed=seed)
    scoring = _Scoring(test, counts, evaluation.fold)
    runs = {
        name: [run.probabilities for run in results if run.probabilities is not None]
        for name, results in evaluation.methods.items()
    }
    differences = [
        {"method": a, "reference": b, **_numbers(scoring.difference(runs[a], runs[b]))}
        for a, b in COMPARISONS
        if a in runs and b in runs
    ]
    return {
        "bootstrap": {"resamples": RESAMPLES, "seed": seed, "unit": "patient", "percentiles": [2.5, 97.5]},
        "min_positives": MIN_POSITIVES,
        "macro_classes": [c for c, scored in zip(test.classes, scored_classes(test.labels)) if scored],
        "scores": {name: _method_scores(each, scoring) for name, each in runs.items()},
        "differences": differences,
    }


class _Scoring(NamedTuple):
    """What all predictions of a table are scored on: one test set, the same resamples."""

    test: Cohort
    counts: np.ndarray  # int (R, n)
    fold: np.ndarray | None  # int (n,), where predictions are out of fold

    def macro(self, runs: Sequence[np.ndarray]) -> Interval:
        return bootstrap_macro(runs, self.test.labels, self.counts, strata=self.fold).intervals()[0]

    def classes(self, run: np.ndarray) -> list[Interval]:
        return bootstrap_aurocs(run, self.test.labels, self.counts, self.fold).intervals()

    def difference(self, runs: Sequence[np.ndarray], other_runs: Sequence[np.ndarray]) -> Interval:
        return paired_difference(runs, other_runs, self.test.labels, self.counts, strata=self.fold)


def _method_scores(runs: Sequence[np.ndarray], scoring: _Scoring) -> Report:
    """The mean over runs, and each run with its classes."""
    return {
        "macro_auroc": _numbers(scoring.macro(runs)),
        "runs": [_run_scores(run, scoring) for run in runs],
    }


def _run_scores(probabilities: np.ndarray, scoring: _Scoring) -> Report:
    classes = zip(scoring.test.classes, scoring.classes(probabilities), strict=True)
    return {
        "macro_auroc": _numbers(scoring.macro([probabilities])),
        "classes": {name: _numbers(interval) for name, interval in classes},
    }


def _numbers(interval: Interval) -> dict[str, float | None]:
    return {name: None if np.isnan(x) else float(x) for name, x in interval._asdict().items()}


def markdown(numbers: Report) -> str:
    """The tables of a report."""
    train, test = numbers["train"], numbers["test"]
    lines = [
        f"{numbers['task']['name']} ({numbers['protocol']})",
        "",
        f"Train: {_cohort_text(train)}.",
    ]
    if test is None:
        return "\n".join([*lines, "", *_development_table(numbers["methods"])])
    lines += [f"Test: {_cohort_text(test)}.", "", *_score_table(numbers)]
    if numbers["differences"]:
        lines += ["", "| macro AUROC, paired | difference [95 %] |", "|---|---|"]
        lines += [
            f"| {d['method']} − {d['reference']} | {_text(d, '+.3f')} |" for d in numbers["differences"]
        ]
    return "\n".join([*lines, "", *_class_table(numbers), "", _footnote(numbers)])


def _cohort_text(cohort: Report) -> str:
    text = f"{cohort['recordings']} recordings of {cohort['patients']} patients"
    text += f" ({cohort['dropped_without_label']} without a label dropped"
    return text + f", {cohort['dropped_shared_with_test']} shared with the test dropped)"


def _development_table(methods: Report) -> list[str]:
    lines = ["| method | run | CV macro AUROC | C |", "|---|---|---|---|"]
    for name, runs in methods.items():
        for run in runs:
            chosen = [_number(run["cv_macro_auroc"]), _strengths(run["strengths"])]
            lines.append(_row([name, run["run"], *chosen]))
    return lines


def _score_table(numbers: Report) -> list[str]:
    lines = ["| method | run | macro AUROC [95 %] | CV macro AUROC | C |", "|---|---|---|---|---|"]
    for name, scores in numbers["scores"].items():
        fitted = numbers["methods"][name]
        if len(fitted) > 1:
            lines.append(_row([name, "mean of runs", _text(scores["macro_auroc"]), "", ""]))
        for run, fit in zip(scores["runs"], fitted, strict=True):
            chosen = [_number(fit["cv_macro_auroc"]), _strengths(fit["strengths"])]
            lines.append(_row([name, fit["run"], _text(run["macro_auroc"]), *chosen]))
    return lines


def _class_table(numbers: Report) -> list[str]:
    """AUROC of each class, mean over the runs of a method."""
    test, scores = numbers["test"], numbers["scores"]
    lines = [_row(["class", "positives", *scores]), "|" + "---|" * (len(scores) + 2)]
    for name, positives in test["positives"].items():
        each = [[run["classes"][name]["value"] for run in method["runs"]] for method in scores.values()]
        means = ["–" if None in values else _number(float(np.mean(values))) for values in each]
        label = name if name in numbers["macro_classes"] else f"({name})"
        lines.append(_row([label, str(positives), *means]))
    return lines


def _footnote(numbers: Report) -> str:
    return (
        f"Macro over the classes with at least {numbers['min_positives']} positives and negatives, "
        f"the others in brackets. Intervals: {numbers['bootstrap']['resamples']} resamples of patients."
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)


def _text(interval: Report, form: str = ".3f") -> str:
    low, high = _number(interval["low"], form), _number(interval["high"], form)
    return f"{_number(interval['value'], form)} [{low}, {high}]"


def _strengths(strengths: Sequence[float]) -> str:
    return ", ".join(f"{strength:.2g}" for strength in strengths)


def write_report(numbers: Report, path: Path | str) -> None:
    """Writes the JSON whole or not at all.

    Raises:
      OSError: when the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(numbers, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".probe-") as staging:
        new = Path(staging) / path.name
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)


def read_report(path: Path | str) -> Report:
    """The numbers that `write_report` wrote.

    Raises:
      FileNotFoundError: when there is no such file.
      ValueError: when it is not what `write_report` writes.
    """
    try:
        numbers = json.loads(Path(path).read_text(encoding="utf-8"))
        if {"task", "protocol", "train", "test", "methods"} <= set(numbers):
            return numbers
    except (ValueError, TypeError):
        pass
    raise ValueError(f"{path}: expected the JSON that launch.probe --out writes; write it again")
