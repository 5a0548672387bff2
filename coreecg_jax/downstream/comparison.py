"""Two results that lie on disk, on the same recordings: their metrics, and the paired difference of each.

Nothing is predicted again: a result's predictions lie beside it, by the ids of the recordings.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coreecg_jax.downstream.bootstrap import (
    Interval,
    Metrics,
    bootstrap_metrics,
    difference,
    mean_of_runs,
    patient_resamples,
)
from coreecg_jax.downstream.cohorts import joined_groups
from coreecg_jax.downstream.drawn_runs import drawn_of, told_of_scatter, trainings
from coreecg_jax.downstream.macro_classes import common_macro_classes
from coreecg_jax.downstream.marks import marks
from coreecg_jax.downstream.methods import PRETRAINED
from coreecg_jax.downstream.origins import Origin, several_codes
from coreecg_jax.downstream.predictions import Predictions, read_predictions
from coreecg_jax.downstream.result_files import Report, read_report
from coreecg_jax.downstream.results import RESAMPLES
from coreecg_jax.downstream.scores import MIN_POSITIVES
from coreecg_jax.downstream.tables import heading
from coreecg_jax.records.checksums import digest_of_file
from coreecg_jax.records.spelling import with_guess

# No calibration error: its interval means nothing (`bootstrap`).
_SHOWN = {"auroc": "AUROC", "auprc": "AUPRC", "f1": "F1", "brier": "Brier"}

_OfRuns = Mapping[str, Mapping[str, np.ndarray]]  # method -> run -> (n, C)


class Result(NamedTuple):
    """One method of a result on disk."""

    file: Path  # JSON
    method: str
    numbers: Report
    predictions: Predictions  # rows by recording id


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two results, the mean over the runs of each, and the first less the second."""

    results: tuple[Result, Result]
    patients: int  # those with a signal in common count as one
    scored: np.ndarray  # bool (C,), the classes of the macro means
    metrics: tuple[Metrics, Metrics]
    difference: Metrics  # on the same resamples of patients
    without_f1: str  # why F1 is not among the metrics; '' where it is
    other_folds: bool  # patients were dealt to folds otherwise
    other_data: str  # in what the same recordings differ, or why that cannot be told; '' where they do not


def read_pair(files: Sequence[str], methods: Sequence[str] = (PRETRAINED,)) -> tuple[Result, Result]:
    """Two results of `launch.evaluate`.

    Args:
      files: their JSON.
      methods: of which method of both, or of each.

    Raises:
      FileNotFoundError: when a result or the predictions beside it are missing.
      ValueError: when there are not two, a method is not in its result, or a file is of something else.
    """
    if len(files) != 2:
        raise ValueError(f"expected two results, JSON files of launch.evaluate, got {len(files)}")
    if len(methods) not in (1, 2):
        raise ValueError(f"--methods: expected one method for both or one for each, got {len(methods)}")
    first, second = (_read(Path(file), method) for file, method in zip(files, (methods[0], methods[-1])))
    return first, second


def _read(file: Path, method: str) -> Result:
    numbers, table = read_report(file), file.with_suffix(".parquet")
    predictions = read_predictions(table)
    if numbers.get("predictions") not in (None, digest_of_file(table)):  # results of before have no digest
        raise ValueError(f"{table}: expected the predictions of {file}, got others; evaluate again")
    if method not in predictions.methods:
        there = list(predictions.methods)
        raise ValueError(
            f"{file}: there is no method {with_guess(method, there)}; name one of {', '.join(there)} by "
            "--methods"
        )
    return Result(file, method, numbers, _by_recording(predictions))


def _by_recording(predictions: Predictions) -> Predictions:
    order = np.argsort(predictions.recordings)

    def ordered(methods: _OfRuns) -> _OfRuns:
        return {name: {run: rows[order] for run, rows in runs.items()} for name, runs in methods.items()}

    return predictions._replace(
        recordings=predictions.recordings[order],
        patients=predictions.patients[order],
        groups=predictions.groups[order],
        folds={
            name: {run: None if fold is None else fold[order] for run, fold in runs.items()}
            for name, runs in predictions.folds.items()
        },
        labels=predictions.labels[order],
        methods=ordered(predictions.methods),
        thresholds=predictions.thresholds and ordered(predictions.thresholds),
    )


def compared(first: Result, second: Result, *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Both on the same resamples of patients, seeds averaged within a result.

    Out of fold, the AUROC of each compares within its own folds.

    Raises:
      ValueError: naming what differs, when the two do not ask the same of the same recordings; or no class
        has enough positives and negatives.
    """
    if differing := list(_differing(first, second)):
        raise ValueError(
            f"{first.file} and {second.file} cannot be compared, their {'; '.join(differing)}: expected two "
            "results of one task, with the same data and version of coreecg-jax"
        )
    one, other = first.predictions, second.predictions
    groups = joined_groups(one.groups, other.groups)  # who is one patient by either
    counts = patient_resamples(groups, resamples=resamples, seed=seed)
    without_f1 = _without_f1(first, second)
    scored = common_macro_classes([first.numbers, second.numbers], one, groups)
    ours, theirs = (_metrics(result, counts, scored, not without_f1) for result in (first, second))
    return Comparison(
        results=(first, second),
        patients=len(np.unique(groups)),
        scored=scored,
        metrics=(ours, theirs),
        difference=difference(ours, theirs),
        without_f1=without_f1,
        other_folds=_other_folds(first, second),
        other_data=_other_data(first.numbers, second.numbers),
    )


def _without_f1(first: Result, second: Result) -> str:
    """Why F1 is not compared: it would be of thresholds that were chosen otherwise; '' where it is."""
    if first.predictions.thresholds is None or second.predictions.thresholds is None:
        return "a result of before has no thresholds"
    rules = [result.numbers.get("f1_thresholds") for result in (first, second)]
    codes = [result.numbers.get("digests", {}).get("code") for result in (first, second)]
    if rules == [None, None] and (None in codes or codes[0] != codes[1]):
        return "results of before do not say how thresholds were chosen, nor are these of one version"
    said = [rule or "not said (a result of before)" for rule in rules]
    return "" if rules[0] == rules[1] else f"thresholds were chosen otherwise: {said[0]} / {said[1]}"


def _other_folds(first: Result, second: Result) -> bool:
    """Whether both are out of fold, and patients were dealt to the folds otherwise."""
    ours, theirs = (list(each.predictions.folds[each.method].values()) for each in (first, second))
    pairs = [(one, other) for one in ours for other in theirs if one is not None and other is not None]
    return any(not np.array_equal(one, other) for one, other in pairs)


def _other_data(first: Report, second: Report) -> str:
    """What is to be said where recordings of the same ids and labels are not known to be the same data.

    What was fitted is looked at where task and subset are the same, what is scored where the leads are: else
    they differ by what is compared.
    """
    ours, theirs = (each.get("digests", {}) for each in (first, second))
    if ours.get("data_rule") != theirs.get("data_rule"):
        return (
            "Whether these recordings were prepared alike cannot be told: a result of before has no digest "
            "of their samples."
        )
    scored = next((part for part in ("test", "validation", "train") if first.get(part) is not None), "train")
    parts = [scored] if first["subset"]["leads"] == second["subset"]["leads"] else []
    if first["task"] == second["task"] and first["subset"] == second["subset"]:
        parts = ["train", "validation", "test"]
    data = [each.get("data", {}) for each in (ours, theirs)]
    differing = [part for part in parts if data[0].get(part) != data[1].get(part)]
    if not differing:
        return ""
    return (
        f"The data of the two are not the same ({', '.join(differing)}): recordings of the same names were "
        "prepared otherwise or anew; that is in the differences, too."
    )


def _metrics(result: Result, counts: np.ndarray, scored: np.ndarray, with_f1: bool) -> Metrics:
    known = result.predictions
    folds = known.folds[result.method]
    thresholds = known.thresholds[result.method] if with_f1 and known.thresholds else {}
    runs = known.methods[result.method]
    each = [
        bootstrap_metrics(
            probabilities, known.labels, counts, thresholds.get(run), strata=folds[run], scored=scored
        )
        for run, probabilities in runs.items()
    ]
    return mean_of_runs(each, drawn_of(result.method, list(runs), result.numbers.get("encoders", [])))


def _differing(first: Result, second: Result) -> Iterator[str]:
    """In words, in what two results are not about the same; nothing else can be said of other recordings."""
    one, other = first.predictions, second.predictions
    if first.numbers["protocol"] != second.numbers["protocol"]:
        yield f"protocols differ: {first.numbers['protocol']} / {second.numbers['protocol']}"
    if one.label_set != other.label_set:
        yield f"label sets differ: {one.label_set} / {other.label_set}"
    if set(one.classes) != set(other.classes):
        yield f"classes differ: {', '.join(sorted(set(one.classes) ^ set(other.classes)))} in one only"
        return
    if one.classes != other.classes:
        yield f"orders of labels differ: {', '.join(one.classes)} / {', '.join(other.classes)}"
    if not np.array_equal(one.recordings, other.recordings):
        shared = len(np.intersect1d(one.recordings, other.recordings))
        sizes = f"{len(one.recordings)} and {len(other.recordings)}"
        yield f"test sets differ: of {sizes} recordings {shared} are in both"
        return
    column = [other.classes.index(name) for name in one.classes]
    if changed := int((one.labels != other.labels[:, column]).any(axis=1).sum()):
        yield f"labels differ in {changed} of {len(one.labels)} recordings"


def markdown(comparison: Comparison) -> str:
    """The tables of a comparison: macro means, and the AUROC of each class."""
    asked = comparison.results[0].predictions
    positives = asked.labels.sum(axis=0)
    about = [_about(name, result) for name, result in zip("AB", comparison.results)]
    size = f"{len(asked.labels)} recordings of {comparison.patients} patients."
    columns = "| A [95 %] | B [95 %] | A − B [95 %] |"
    macro = [f"| macro {columns}", "|---|---|---|---|"]
    parts = (*comparison.metrics, comparison.difference)
    for name, shown in _SHOWN.items():
        if name in comparison.difference.macro:
            macro.append(_row(shown, _bounded([part.macro[name].intervals()[0] for part in parts])))
    classes = [f"| class, AUROC | positives {columns}", "|---|---:|---|---|---|"]
    aurocs = zip(*(part.classes["auroc"].intervals() for part in parts))
    for name, count, is_scored, intervals in zip(
        asked.classes, positives, comparison.scored, aurocs, strict=True
    ):
        classes.append(_row(f"{name if is_scored else f'({name})'} | {count}", _bounded(intervals)))
    resamples = len(comparison.difference.macro["auroc"].resamples)
    note = (
        f"Macro over the classes with at least {MIN_POSITIVES} patients with and without that both results "
        f"count, the others in brackets. Differences are paired: {resamples} resamples of patients, the same "
        f"for both; {_of_scatter(comparison)}. A lower Brier score is better."
    )
    if comparison.without_f1:
        note += f" No F1: {comparison.without_f1}."
    if comparison.other_folds:
        note += " The folds of the two are not the same: that is in the differences, too."
    if comparison.other_data:
        note += f" {comparison.other_data}"
    origins = [Origin(name, "", 0, name, result.numbers) for name, result in zip("AB", comparison.results)]
    if codes := several_codes(origins):
        note += f" {codes}"
    return "\n\n".join(["  \n".join([*about, size]), "\n".join(macro), "\n".join(classes), note])


def _of_scatter(comparison: Comparison) -> str:
    known = {}
    for name, (_, method, numbers, predictions) in zip("AB", comparison.results):
        known[name] = trainings(method, list(predictions.methods[method]), numbers.get("encoders", []))
    return told_of_scatter(known)


def _about(name: str, result: Result) -> str:
    count = len(result.predictions.methods[result.method])
    runs = f", mean of {count} runs" if count > 1 else ""
    asked = f"{name}: {result.method}{runs} of {result.file}, {heading(result.numbers)}."
    return " ".join([asked, *marks(result.numbers)])


def _bounded(intervals: Sequence[Interval]) -> list[Interval]:
    *values, change = intervals
    return [*(each.within_bounds() for each in values), change]


def _row(name: str, intervals: Sequence[Interval]) -> str:
    *values, change = intervals
    return f"| {' | '.join([name, *(_text(each, '.3f') for each in values), _text(change, '+.3f')])} |"


def _text(interval: Interval, form: str) -> str:
    if np.isnan(interval.value):
        return "–"
    return f"{interval.value:{form}} [{interval.low:{form}}, {interval.high:{form}}]"
