"""The report of one pretraining run, or of two beside each other: plain data in, one HTML page out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.figures.curves import HEALTH, LEARNING, importance_curve, training_curves
from coreecg_jax.figures.ecg_paper import Trace, draw_ecg
from coreecg_jax.figures.page import Block, Columns, Commands, Facts, Picture, Section, Table, Text, page
from coreecg_jax.figures.similarity import similarity_histogram

KINDS = ("all hidden", "hidden column", "dropped lead", "both")


class RecordingShown(NamedTuple):
    """One recording, its view and its reconstruction; float[L, T] in mV, NaN where there is nothing."""

    recording_LT: np.ndarray
    view_LT: np.ndarray
    prediction_LT: np.ndarray
    hidden_LT: np.ndarray  # bool
    leads: tuple[str, ...]
    sampling_rate: float  # Hz
    title: str


class RunShown(NamedTuple):
    """All that the report shows of a run."""

    name: str
    facts: tuple[tuple[str, str], ...]
    metrics: Sequence[Mapping[str, Any]]  # lines of metrics.jsonl
    recording: RecordingShown
    explained: Mapping[str, Sequence[float]] | None  # predictor -> explained variance by `KINDS`
    frequency_hz: np.ndarray
    importance: np.ndarray | None  # None where FDA is off
    power: np.ndarray
    leakage: Sequence[Sequence[str]] | None  # mask, K, exact of limb, exact of all, linear R²
    similarity: (
        tuple[np.ndarray, np.ndarray] | None
    )  # of two views of one recording, and of different patients
    probe: Mapping[str, Any] | None  # as `downstream.results.report`
    commands: tuple[str, ...]


def report_page(runs: Sequence[RunShown], title: str = "") -> str:
    """The page; its title names the runs unless one is given.

    Raises:
      ValueError: unless one or two runs are given.
    """
    if not 1 <= len(runs) <= 2:
        raise ValueError(f"report: expected one run, or two to be compared, got {len(runs)}")
    sections = [
        _section("What ran", "ran", runs, _ran),
        Section("Losses and health", (*_curves(runs),), "curves"),
        _section("One recording", "recording", runs, _recording),
        _section("What is recovered", "recovered", runs, _recovered),
        _section("What FDA protects", "importance", runs, _importance),
        _section("What the masks give away", "leakage", runs, _leakage),
        _section("How alike views are", "similarity", runs, _similarity),
        _section("What the representation is worth", "probe", runs, _probe),
        _section("Go on", "commands", runs, _commands),
    ]
    named = f"CoRe-ECG: {' and '.join(run.name for run in runs)}"
    return page(title or named, sections, lead=_lead(runs))


def _section(
    title: str, anchor: str, runs: Sequence[RunShown], blocks_of: Callable[[RunShown], list[Block]]
) -> Section:
    """One run's blocks, or two runs' side by side under their names."""
    if len(runs) == 1:
        return Section(title, tuple(blocks_of(runs[0])), anchor)
    columns = Columns([blocks_of(run) for run in runs], [run.name for run in runs])
    return Section(title, (columns,), anchor)


def _lead(runs: Sequence[RunShown]) -> str:
    """What was learned, in a sentence a run."""
    if len(runs) == 1:
        return verdict(runs[0].probe)
    return "\n\n".join(f"{run.name}: {verdict(run.probe)}" for run in runs)


def verdict(probe: Mapping[str, Any] | None) -> str:
    """Macro AUROC of the methods, and how they compare, no claim beyond its interval."""
    if probe is None or probe["test"] is None:
        return "No probe was run."
    scores = [f"{name} {interval(score['macro_auroc'])}" for name, score in probe["scores"].items()]
    compared = [_compared(difference) for difference in probe["differences"]]
    return " ".join([f"{probe['task']['name']}, macro AUROC: {', '.join(scores)}.", *compared])


def _compared(difference: Mapping[str, Any]) -> str:
    """'Pretrained is better than untrained encoder: +0.018 [+0.004, +0.032].'"""
    low, high = (difference["macro_auroc"][name] for name in ("low", "high"))
    if None not in (low, high) and low > 0:
        words = "is better than"
    elif None not in (low, high) and high < 0:
        words = "is worse than"
    else:
        words = "cannot be told from"
    method, reference = difference["method"], difference["reference"]
    return f"{method.capitalize()} {words} {reference}: {interval(difference['macro_auroc'], '+.3f')}."


def interval(numbers: Mapping[str, Any], form: str = ".3f") -> str:
    """'0.899 [0.864, 0.931]'; a dash for what is not known."""
    shown = ["–" if numbers[key] is None else format(numbers[key], form) for key in ("value", "low", "high")]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _ran(run: RunShown) -> list[Block]:
    return [Facts(run.facts)]


def _curves(runs: Sequence[RunShown]) -> list[Block]:
    rows = [{**row, "run": run.name} for run in runs for row in run.metrics]
    blocks: list[Block] = []
    for names, caption in (
        (LEARNING, "Training is the thin line, validation under fixed masks the one with points."),
        (
            HEALTH,
            "Health: what tells a run that learns from one that collapses, diverges or waits for its data.",
        ),
    ):
        if any(tag.split("/", 1)[-1] in names for row in rows for tag in row):
            blocks.append(Picture(training_curves(rows, names), caption, f"Curves of {', '.join(names)}"))
    return blocks


def _recording(run: RunShown) -> list[Block]:
    shown = run.recording
    view = [Trace("recording", shown.recording_LT), Trace("FDA view", shown.view_LT)]
    recovered = [Trace("recording", shown.recording_LT), Trace("reconstruction", shown.prediction_LT)]
    return [
        Picture(
            draw_ecg(view, sampling_rate=shown.sampling_rate, leads=shown.leads, title=shown.title),
            "The recording, and the view that FDA made of it: unimportant frequencies are scaled at random, "
            "the same in all leads. Each crop has its own view.",
            "A 12-lead ECG on ECG paper with its augmented view drawn over it",
            to_scale=True,
        ),
        Picture(
            draw_ecg(
                recovered,
                sampling_rate=shown.sampling_rate,
                leads=shown.leads,
                title=shown.title,
                hidden=shown.hidden_LT,
            ),
            "What STDM hid (shaded: whole columns in every lead, and whole leads) and what the network "
            "recovered of it from the rest. The mean of a patch is not predicted and drawn as it is.",
            "The same ECG with hidden parts shaded and their reconstruction drawn over it",
            to_scale=True,
        ),
    ]


def _recovered(run: RunShown) -> list[Block]:
    if run.explained is None:
        return [
            Text(
                "No whole columns and leads are hidden in this run, or leads are missing: nothing to compare."
            )
        ]
    rows = [[name, *(_share(value) for value in values)] for name, values in run.explained.items()]
    note = (
        "Explained variance of hidden patches on the recording's scale: 1 is perfect, 0 is as good as the "
        "mean. Linear regression knows the leads visible at the same instant; the beat template is told "
        "where the beats are, and says what can be explained at all."
    )
    return [Table(("predictor", *KINDS), rows, note)]


def _importance(run: RunShown) -> list[Block]:
    if run.importance is None:
        return [Text("FDA was off, or no validation was journalled: there is no importance to show.")]
    figure = importance_curve(run.frequency_hz, run.importance, run.power)
    caption = (
        "Above: how strongly FDA protects each frequency, at the last validation. Below: where the energy of "
        "the validation recordings lies."
    )
    return [Picture(figure, caption, "Importance of frequencies over the mean spectrum")]


def _leakage(run: RunShown) -> list[Block]:
    if run.leakage is None:
        return [Text("No recording has all leads: nothing to regress on.")]
    header = ("mask", "tokens kept", "exact, of hidden limb", "exact, of all hidden", "linear R²")
    note = (
        "How much of what a mask hides follows from what it shows at the same instant: exactly, by the "
        "algebra of the limb leads, and by linear regression."
    )
    return [Table(header, [list(row) for row in run.leakage], note)]


def _similarity(run: RunShown) -> list[Block]:
    if run.similarity is None:
        return [Text("All validation recordings are of one patient: nothing to compare with.")]
    positive, negative = run.similarity
    caption = (
        f"Cosine similarity of two views of one recording ({len(positive)} pairs) and of views of "
        f"different patients ({len(negative)} pairs), validation recordings."
    )
    return [Picture(similarity_histogram(positive, negative), caption, "Histograms of similarities")]


def _probe(run: RunShown) -> list[Block]:
    if run.probe is None or run.probe["test"] is None:
        return [Text("No probe was run.")]
    scores, test = run.probe["scores"], run.probe["test"]
    rows = [[name, interval(score["macro_auroc"])] for name, score in scores.items()]
    rows += [
        [f"{d['method']} − {d['reference']}", interval(d["macro_auroc"], "+.3f")]
        for d in run.probe["differences"]
    ]
    about = (
        f"Frozen features, {run.probe['probe']} probe, {run.probe['task']['name']} "
        f"({run.probe['protocol']}): fitted on {run.probe['train']['recordings']} recordings, judged on "
        f"{test['recordings']} recordings of "
        f"{test['patients']} patients; 95 % intervals by resampling patients."
    )
    classes = [[name, str(count), *_class_scores(scores, name)] for name, count in test["positives"].items()]
    by_class = f"By class, mean over seeds; in the mean are {len(run.probe['macro_classes'])} classes."
    return [
        Table(("method", "macro AUROC [95 %]"), rows, about),
        Table(("class", "positives", *scores), classes, by_class),
    ]


def _class_scores(scores: Mapping[str, Any], name: str) -> list[str]:
    """One cell a method."""
    each = ([run["classes"][name]["auroc"]["value"] for run in method["runs"]] for method in scores.values())
    return ["–" if None in values else f"{np.mean(values):.3f}" for values in each]


def _commands(run: RunShown) -> list[Block]:
    return [Commands(run.commands, "From the repository's folder:")]


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"
