"""A result as text: what was asked of whom, the table of methods, of differences and of classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from coreecg_jax.downstream.drawn_runs import told_of_scatter, trainings
from coreecg_jax.downstream.marks import marks
from coreecg_jax.downstream.origins import Origin, differing_origins
from coreecg_jax.downstream.result_files import Report
from coreecg_jax.downstream.table_notes import OUT_OF_FOLD

_CODES_SHOWN = 10
_COLUMNS = (("auroc", "AUROC"), ("auprc", "AUPRC"), ("f1", "F1"), ("brier", "Brier"), ("ece", "ECE"))


def markdown(numbers: Report) -> str:
    """The tables of a report."""
    blocks = [
        heading(numbers),
        _about(numbers),
        _method_table(numbers),
        _difference_table(numbers),
        _class_table(numbers),
        _few_pairs(numbers),
        _footnote(numbers),
    ]
    return "\n\n".join(block for block in blocks if block)


def transfer_markdown(reports: dict[str, Report | None]) -> str:
    """What becomes of each source that was held out in turn; None where it has no label of the set."""
    head = (
        "source",
        "method",
        "recordings",
        "classes",
        "AUROC [95 %]",
        "F1",
        "F1 own",
        "ECE",
        "Platt",
        "own",
    )
    lines = [_row(head), "|" + "---|" * len(head)]
    for source, numbers in reports.items():
        if numbers is None:
            empty = [""] * (len(head) - 2)
            lines.append(_row([source, "too few recordings with a label of the set", *empty]))
            continue
        for name, scores in numbers["scores"].items():
            moved = [run["transfer"] for run in numbers["methods"][name]]
            means = [np.mean([each[key] for each in moved]) for key in moved[0]]
            size = [str(numbers["test"]["recordings"]), str(len(numbers["macro_classes"]))]
            lines.append(
                _row([source, name, *size, _text(scores["macro_auroc"]), *(f"{mean:.3f}" for mean in means)])
            )
    note = (
        "F1 at the thresholds, ECE with the probabilities and (Platt) the calibration of the other sources. "
        "Own: thresholds (the F1 is a bound) and Platt scaling that were fitted on the source itself, no "
        "results."
    )
    marked = [
        f"{source}: {mark}" for source, numbers in reports.items() if numbers for mark in marks(numbers)
    ]
    done = [Origin(source, "", 0, source, numbers) for source, numbers in reports.items() if numbers]
    return "\n".join([*lines, "", "  \n".join([note, *marked, *differing_origins(done)])])


def heading(numbers: Report) -> str:
    """What was asked, and how."""
    subset = numbers["subset"]
    text = f"{numbers['task']['name']}: {numbers['probe']} probe ({numbers['protocol']})"
    if len(subset["leads"]) < 12:
        text += f", leads {' '.join(subset['leads'])}"
    if subset["fraction"] < 1:
        text += f", {100 * subset['fraction']:g}% of the labels (repeat {subset['repeat']})"
    return text


def _about(numbers: Report) -> str:
    lines = [
        f"{name.capitalize()}: {_cohort_text(numbers[name])}."
        for name in ("train", "validation", "test")
        if numbers[name]
    ]
    if numbers["test"] is None:
        lines.append("What the encoders saw of these recordings in pretraining was not looked at.")
    return "  \n".join([*lines, *_codes_left_out(numbers), *marks(numbers)])


def _codes_left_out(numbers: Report) -> list[str]:
    """Of a data set's own codes: which are no class, so that a misspelt one is seen."""
    known = numbers.get("label_set", {})
    codes = known.get("codes_left_out")
    if not codes:
        return []
    first = ", ".join(f"{code!r} ({count})" for code, count in list(codes.items())[:_CODES_SHOWN])
    more = f" and {len(codes) - _CODES_SHOWN} more" if len(codes) > _CODES_SHOWN else ""
    return [
        f"No class of their own, as too few recordings have or lack them: {first}{more}. "
        f"{known['without_class']} recordings have no other code and count as negatives of every class."
    ]


def _cohort_text(cohort: Report) -> str:
    text = f"{cohort['recordings']} recordings of {cohort['patients']} patients"
    text += f" ({cohort['dropped_without_label']} without a label dropped"
    text += f", {cohort['dropped_shared_with_test']} shared with what is asked about dropped)"
    if dropped := cohort.get("dropped_without_signal"):
        text += f"; {dropped} without signal in any of the leads dropped"
    if blank := cohort.get("without_signal"):
        text += f"; **{blank} have no signal in any of the leads**: asked about all the same, never fitted"
    if fitted := cohort.get("fitted"):
        text += f"; fitted in each outer fold: {', '.join(map(str, fitted))}"
    return text


def _method_table(numbers: Report) -> str:
    head = [
        "method",
        "run",
        *(f"{shown} [95 %]" if i == 0 else shown for i, (_, shown) in enumerate(_COLUMNS)),
    ]
    lines = [_row([*head, "on validation", "chosen"]), "|" + "---|" * (len(head) + 2)]
    for name, scores in numbers["scores"].items():
        fitted = numbers["methods"][name]
        if len(fitted) > 1:
            lines.append(_row([name, "mean of runs", *_metrics(scores), "", ""]))
        for run, fit in zip(scores["runs"], fitted, strict=True):
            chosen = [_number(fit["validation_macro_auroc"]), _chosen(fit["chosen"])]
            lines.append(_row([name, run["run"], *_metrics(run), *chosen]))
    return "\n".join(lines)


def _metrics(scores: Report) -> list[str]:
    """The AUROC with its interval, the others without: the JSON has theirs."""
    others = [_number(scores[f"macro_{name}"]["value"]) for name, _ in _COLUMNS[1:]]
    return [_text(scores["macro_auroc"]), *others]


def _difference_table(numbers: Report) -> str:
    if not numbers["differences"]:
        return ""
    shown = _COLUMNS[:3]
    lines = [
        _row(["macro, paired", *(f"{name} [95 %]" for _, name in shown)]),
        "|" + "---|" * (len(shown) + 1),
    ]
    for each in numbers["differences"]:
        cells = [_text(each[f"macro_{name}"], "+.3f") for name, _ in shown]
        lines.append(_row([f"{each['method']} − {each['reference']}", *cells]))
    return "\n".join(lines)


def _class_table(numbers: Report) -> str:
    """AUROC of each class, mean over the runs of a method."""
    asked = numbers["test"] or numbers["validation"] or numbers["train"]
    scores = numbers["scores"]
    lines = [_row(["class, AUROC", "positives", *scores]), "|" + "---|" * (len(scores) + 2)]
    for name, positives in asked["positives"].items():
        each = [[run["classes"][name]["auroc"]["value"] for run in m["runs"]] for m in scores.values()]
        means = ["–" if None in values else _number(float(np.mean(values))) for values in each]
        label = name if name in numbers["macro_classes"] else f"({name})"
        lines.append(_row([label, str(positives), *means]))
    return "\n".join(lines)


def _few_pairs(numbers: Report) -> str:
    """Where AUPRC and F1, of all recordings together, may well disagree with the AUROC, or an interval is too
    narrow."""
    lines = []
    for name, few in numbers.get("few_pairs", {}).items():  # results of before do not say it
        line = f"{name}: one patient has {few['of_patient']} of {few['recordings']} {few['label']}"
        if few["within_folds"] < few["pairs"]:
            line += (
                f"; its AUROC rests on {few['within_folds']} of {few['pairs']} pairs (those within a fold)."
            )
        else:
            line += ", so its intervals are too narrow."
        lines.append(line)
    return "  \n".join(lines)


def _footnote(numbers: Report) -> str:
    return (
        f"Macro over the classes with at least {numbers['min_positives']} patients with and without, "
        f"the others in brackets. F1 at thresholds chosen {_chosen_on(numbers)}. "
        f"Intervals: {numbers['bootstrap']['resamples']} resamples of patients, {_of_scatter(numbers)}."
    ) + (f" {OUT_OF_FOLD}" if _is_out_of_fold(numbers) else "")


def _of_scatter(numbers: Report) -> str:
    encoders = numbers.get("encoders", [])
    runs = {name: [run["run"] for run in runs] for name, runs in numbers["methods"].items()}
    return told_of_scatter({name: trainings(name, names, encoders) for name, names in runs.items()})


def _is_out_of_fold(numbers: Report) -> bool:
    """Nested, or development where there is no validation set."""
    return not numbers["validation"] and not (numbers["test"] and numbers["task"]["test"])


def _chosen_on(numbers: Report) -> str:
    if numbers["test"] is None and numbers["validation"]:
        return "on the recordings that are scored, so too high"
    if numbers["validation"]:
        return "on validation"
    return "in the other folds" if _is_out_of_fold(numbers) else "on what was held out in the training set"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)


def _text(interval: dict[str, Any], form: str = ".3f") -> str:
    low, high = _number(interval["low"], form), _number(interval["high"], form)
    return f"{_number(interval['value'], form)} [{low}, {high}]"


def _chosen(chosen: Sequence[dict[str, float]]) -> str:
    """'C 3.2'; where nested, one number an outer fold."""
    return ", ".join(
        f"{name} {' '.join(f'{each[name]:.2g}' for each in chosen)}" for name in (chosen[0] if chosen else {})
    )
