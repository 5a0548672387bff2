"""A table of many results: cells on disk, their means over seeds, and differences from a reference row."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coreecg_jax.downstream.bootstrap import Interval, bootstrap_macro, paired_difference, patient_resamples
from coreecg_jax.downstream.drawn_runs import drawn_of
from coreecg_jax.downstream.macro_classes import common_macro_classes
from coreecg_jax.downstream.marks import marks_by_row, marks_of_encoder, marks_of_test
from coreecg_jax.downstream.origins import (
    Origin,
    differing_origins,
    require_one_division,
    require_one_origin,
)
from coreecg_jax.downstream.predictions import Predictions, read_predictions
from coreecg_jax.downstream.result_files import Report
from coreecg_jax.downstream.scatter import Drawn
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.downstream.table_notes import about_intervals, about_table, about_what_stands_beside

RESAMPLES = 1000


class Cell(NamedTuple):
    """One result: a pretraining row and seed, asked one question."""

    row: str
    question: str  # task, leads, fraction
    seed: int
    repeat: int  # of the fraction of labels

    @property
    def name(self) -> str:
        """Of its files, before what is said of how it was asked."""
        question = self.question.replace(", ", "_").replace(" ", "-")
        return f"{self.row}_{question}_seed{self.seed}_repeat{self.repeat}"


class Pretraining(NamedTuple):
    """What a row spent on pretraining, one run of it."""

    tokens_kept: int  # K, that the encoder sees of a view
    steps: int
    recordings: int  # seen, each as often as it was drawn


class Line(NamedTuple):
    """A row of the table for one question."""

    row: str
    question: str
    cells: int  # that are there
    wanted: int
    auroc: Interval | None  # mean over the cells that are there; None where none is, or no class is scored
    difference: Interval | None  # from the reference, over the cells that both have; None where there is none
    kernels: int = 0  # sets of them, over which the rival is averaged; 0 of what has none
    marks: tuple[str, ...] = ()  # what must be known of some of its cells, without full stops


def lines(
    files: Mapping[Cell, Path], *, method: str, reference: str, beside: Sequence[str] = ()
) -> list[Line]:
    """A line a row and question, in the order of the cells, then what stands beside the reference row.

    Args:
      files: all cells that are wanted -> the JSON of the result. The predictions, `.parquet` beside it, are
        written first: a cell without its result was cut off, or could not be scored, and is not there.
      method: the method of the results that is compared.
      reference: the row that others are compared with.
      beside: other methods in the results of the reference row; each is a row by its name.

    Raises:
      ValueError: when cells of one question are of other recordings or labels, of other data, or out of other
        folds.
    """
    cells = list(files)
    found = {
        cell: read_predictions(file.with_suffix(".parquet")) for cell, file in files.items() if file.is_file()
    }
    _require_one_test(found)
    results = {cell: _origin(cell, file) for cell, file in files.items() if cell in found}
    require_one_origin(list(results.values()))
    require_one_division([(results[cell], predictions) for cell, predictions in found.items()])
    keys = list(dict.fromkeys((cell.row, cell.question) for cell in cells))
    read = {cell: _Read(predictions, results[cell].numbers) for cell, predictions in found.items()}
    scored = {question: _scored(read, question) for _, question in keys}
    own = [
        _line(row, row, question, cells, read, (method, method), reference, scored[question])._replace(
            marks=_marks(results, row, question, marks_of_test, marks_of_encoder)
        )
        for row, question in keys
    ]
    others = [(name, question) for name in beside for row, question in keys if row == reference]
    return own + [
        _line(name, reference, question, cells, read, (name, method), reference, scored[question])._replace(
            marks=_marks(results, reference, question, marks_of_test)  # of the row's encoder nothing is in it
        )
        for name, question in others
    ]


def _marks(
    results: Mapping[Cell, Origin], row: str, question: str, *of: Callable[[Report], list[str]]
) -> tuple[str, ...]:
    """Of all cells of a row and question, each once."""
    own = [one.numbers for one in results.values() if (one.row, one.question) == (row, question)]
    return tuple(dict.fromkeys(text for marks in of for numbers in own for text in marks(numbers)))


def notes(files: Mapping[Cell, Path]) -> list[str]:
    """In what the cells that are there differ that is not refused, and what else must be known, by row.

    `files` as of `lines`.
    """
    there = [cell for cell, file in files.items() if file.is_file()]
    results = [_origin(cell, files[cell]) for cell in there]
    told = [*differing_origins(results), *marks_by_row(results)]
    about = about_table([result.numbers for result in results])
    return told + about + about_intervals((cell.row, cell.question, cell.seed) for cell in there)


def _origin(cell: Cell, file: Path) -> Origin:
    return Origin(cell.row, cell.question, cell.repeat, cell.name, json.loads(file.read_text("utf-8")))


def _require_one_test(found: Mapping[Cell, Predictions]) -> None:
    """What is averaged and paired row by row must be of the same recordings in the same order."""
    first: dict[str, Cell] = {}
    for cell, predictions in found.items():
        one = found[first.setdefault(cell.question, cell)]
        pairs = ((one.recordings, predictions.recordings), (one.labels, predictions.labels))
        if not all(np.array_equal(*pair) for pair in pairs):
            raise ValueError(
                f"cell {cell.name}: expected the recordings and labels of {first[cell.question].name}, got "
                "others: the data were prepared anew since; remove those cells, or choose another --workdir"
            )


class _Read(NamedTuple):
    """A cell that is there."""

    predictions: Predictions
    numbers: Report


def _scored(read: Mapping[Cell, _Read], question: str) -> np.ndarray | None:
    """The classes of the macro means of a question, the same for all of its cells; None where none is."""
    cells = [each for cell, each in read.items() if cell.question == question]
    if not cells:
        return None
    first = cells[0].predictions
    try:
        return common_macro_classes([cell.numbers for cell in cells], first, first.groups)
    except TooFewRecordings:  # one question that cannot be scored does not take the table with it
        return None


def _line(
    name: str,
    row: str,
    question: str,
    cells: Sequence[Cell],
    read: Mapping[Cell, _Read],
    methods: tuple[str, str],
    reference: str,
    scored: np.ndarray | None,
) -> Line:
    """The first of the methods in the cells of the row, less the second in those of the reference."""
    wanted = [cell for cell in cells if (cell.row, cell.question) == (row, question)]
    own = [cell for cell in wanted if cell in read and methods[0] in read[cell].predictions.methods]
    others = [cell._replace(row=reference) for cell in own]
    pairs = [(cell, other) for cell, other in zip(own, others) if other in read]
    if scored is None or not own:
        return Line(name, question, 0, len(wanted), None, None)
    side, first = _Side.of([read[cell] for cell in own], own, methods[0]), read[own[0]].predictions
    mean = bootstrap_macro(
        side.runs, first.labels, _counts(first), strata=side.folds, scored=scored, drawn=side.drawn
    )
    difference = None
    if pairs and name != reference:
        ours, theirs = (
            _Side.of([read[cell] for cell in some], some, method)
            for some, method in zip(zip(*pairs), methods)
        )
        difference = paired_difference(
            *(ours.runs, theirs.runs, first.labels, _counts(first)),
            strata=(ours.folds, theirs.folds),
            scored=scored,
            drawn=(ours.drawn, theirs.drawn),
        )
    auroc, kernels = (
        mean.intervals()[0].within_bounds(),
        {each.get("kernels") for each in side.drawn} - {None},
    )
    return Line(name, question, len(own), len(wanted), auroc, difference, len(kernels))


class _Side(NamedTuple):
    """Every run of a method in some cells."""

    runs: list[np.ndarray]  # probabilities
    folds: list[np.ndarray | None]  # methods of one result may have others, or none
    drawn: list[Drawn]

    @classmethod
    def of(cls, read: Sequence[_Read], cells: Sequence[Cell], method: str) -> "_Side":
        side = cls([], [], [])
        for (predictions, numbers), cell in zip(read, cells, strict=True):
            runs = predictions.methods[method]
            side.runs.extend(runs.values())
            side.folds.extend(predictions.folds[method].values())
            encoders = numbers.get("encoders") or [{"name": "", "seed": cell.seed}]
            drawn = drawn_of(method, list(runs), encoders)
            side.drawn.extend({**each, "labels": cell.repeat} for each in drawn)
        return side


def _counts(predictions: Predictions) -> np.ndarray:
    return patient_resamples(predictions.groups, resamples=RESAMPLES)


def markdown(
    table: Sequence[Line], spent: Mapping[str, Pretraining], reference: str, told: Sequence[str] = ()
) -> str:
    """The table; what is missing is shown as missing.

    Args:
      table: its lines.
      spent: row -> what its pretraining took; none of what stands beside.
      reference: the row that others are compared with.
      told: sentences below it.
    """
    text = [
        "| row | question | K | steps | recordings seen | cells "
        f"| macro AUROC [95 %] | − {reference} [95 %] |",
        "|---|---|---:|---:|---:|---:|---|---|",
    ]
    for line in table:
        figures = [f"{number:,}" for number in spent[line.row]] if line.row in spent else ["–"] * 3
        kernels = f" ({line.kernels} kernels)" if line.kernels else ""
        about = line.row, line.question, *figures, f"{line.cells} of {line.wanted}{kernels}"
        numbers = _text(line.auroc, ".3f"), _text(line.difference, "+.3f")
        text.append(f"| {' | '.join((*about, *numbers))} |")
    beside = list(dict.fromkeys(line.row for line in table if line.row not in spent))
    told = [*told, *about_what_stands_beside(beside, reference, any(line.kernels for line in table))]
    return "\n".join(text) + ("\n\n" + "  \n".join(told) if told else "")


def _text(interval: Interval | None, form: str) -> str:
    if interval is None:
        return "missing" if form == ".3f" else "–"
    return f"{interval.value:{form}} [{interval.low:{form}}, {interval.high:{form}}]"


def as_csv(table: Sequence[Line], spent: Mapping[str, Pretraining]) -> str:
    """The numbers, one line a row and question; arguments as of `markdown`."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = [f"{name}_{part}" for name in ("auroc", "difference") for part in Interval._fields]
    writer.writerow(["row", "question", *Pretraining._fields, "cells", "wanted", *names, "marks"])
    for line in table:
        numbers = [*(line.auroc or [""] * 3), *(line.difference or [""] * 3)]
        marks = " ".join(f"{mark}." for mark in line.marks)
        figures = spent.get(line.row, [""] * len(Pretraining._fields))
        writer.writerow([line.row, line.question, *figures, line.cells, line.wanted, *numbers, marks])
    return file.getvalue()
