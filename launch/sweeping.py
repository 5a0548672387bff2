"""The cells of a sweep: pretrained once a row and seed, asked once a question."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ml_collections

from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.methods import BESIDE, PRETRAINED
from coreecg_jax.downstream.openings import FILE
from coreecg_jax.downstream.result_files import write_report
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.downstream.subsets import LEAD_SUBSETS
from coreecg_jax.downstream.sweeps import Cell, Pretraining, as_csv, lines, markdown
from coreecg_jax.downstream.tasks import Task, named_task
from coreecg_jax.figures.intervals import draw_intervals
from coreecg_jax.inputs.selection import select
from coreecg_jax.records.spelling import with_guess
from coreecg_jax.training.experiment import build, resolved
from coreecg_jax.training.identity import differences, flat
from coreecg_jax.training.loop import train
from launch.evaluating import Asked, evaluated
from launch.known_tasks import known_tasks
from launch.restored import encoder_of

_MISSING = ".missing.json"  # beside the cells: why one could not be scored


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A table, the pretraining of its rows, and where all of it lies."""

    table: dict[str, Any]  # an entry of configs/ablation/tables.py
    pretraining: ml_collections.ConfigDict  # base and rows
    workdir: Path
    name: str
    allow_retest: bool = False
    allow_overlap: bool = False

    def config(self, row: str, seed: int) -> ml_collections.ConfigDict:
        """Of the pretraining of a row."""
        config = self.pretraining.base.copy_and_resolve_references()
        config.update_from_flattened_dict(self.pretraining.rows[row])
        config.seed = seed
        return config

    def questions(self) -> Iterator[tuple[str, Task, Subset]]:
        """What each row is asked: name, task, data; a fraction of the labels once a repeat."""
        for task in self.table["tasks"]:
            for subset in self.table["subsets"]:
                name = f"{task}, {subset['leads']} leads, {subset['fraction']:g} of labels"
                for repeat in range(subset["repeats"] if subset["fraction"] < 1 else 1):
                    used = Subset(LEAD_SUBSETS[subset["leads"]], subset["fraction"], repeat)
                    yield name, named_task(known_tasks(), task), used

    def cells(self) -> list[Cell]:
        """All that the table wants."""
        return [
            Cell(row, name, seed, subset.repeat)
            for name, _, subset in self.questions()
            for row in self.table["rows"]
            for seed in self.table["seeds"]
        ]


def run_sweep(sweep: Sweep, *, only: Sequence[str] = (), seeds: Sequence[int] = ()) -> str:
    """Runs the cells that are not there, writes the table after each run of pretraining, and returns it.

    Args:
      sweep: the table.
      only: rows that are run; all where empty.
      seeds: that are run; all where empty.

    Raises:
      ValueError: when a row or seed is not of the table, a cell that is there was made with other settings,
        a file of the cells cannot be read, or a test may not be opened.
    """
    for flag, asked, known in (("only", only, sweep.table["rows"]), ("seeds", seeds, sweep.table["seeds"])):
        there = list(map(str, known))
        unknown = [with_guess(str(each), there) for each in asked if each not in known]
        if unknown:
            raise ValueError(f"--{flag}: expected some of {', '.join(there)}, got {', '.join(unknown)}")
    for row in sweep.table["rows"]:
        for seed in sweep.table["seeds"]:
            _require_same_settings(sweep, row, seed)
    text = _write_table(sweep)
    for seed in seeds or sweep.table["seeds"]:
        for row in only or sweep.table["rows"]:
            if _run_row(sweep, row, seed):
                text = _write_table(sweep)
    return text


def _run_row(sweep: Sweep, row: str, seed: int) -> bool:
    """Pretrains a row and asks it; says whether anything was missing."""
    config, folder = sweep.config(row, seed), sweep.workdir / "cells"
    run = sweep.workdir / "runs" / f"{row}_{seed}"
    missing = [
        (Cell(row, name, seed, subset.repeat), task, subset)
        for name, task, subset in sweep.questions()
        if _is_left(sweep, folder / Cell(row, name, seed, subset.repeat).name)
    ]
    if not missing:
        return False
    print(f"{row}, seed {seed}", flush=True)
    train(config, run)
    folder.mkdir(parents=True, exist_ok=True)
    write_report(_settings(sweep, row, seed), folder / f"{row}_seed{seed}.settings.json")
    encoder = encoder_of(str(run))
    for cell, task, subset in missing:
        before = _log_length(sweep)
        try:
            evaluated(_asked(sweep, row, task, subset), [encoder], out=folder / f"{cell.name}.json")
        except TooFewRecordings as error:  # the cell stays missing, and says why
            print(f"missing: {cell.name}: {error}", flush=True)
            # Two processes may share a folder: a test that the other opened counts as opened, for caution.
            why = {"missing": str(error), "opened": _log_length(sweep) > before}
            write_report(why, folder / f"{cell.name}{_MISSING}")
    return True


def _is_left(sweep: Sweep, cell: Path) -> bool:
    """Whether a cell is to be asked. A test that was opened and could not be scored is not opened again."""
    before = _stored(cell.with_name(cell.name + _MISSING))
    opened = before is not None and before.get("opened", True)  # files of before do not say
    closed = opened and not (sweep.table["development"] or sweep.allow_retest)
    return not (closed or cell.with_name(f"{cell.name}.json").is_file())


def _openings(sweep: Sweep) -> Path:
    """The log of test openings."""
    return Path(sweep.pretraining.base.data.root) / FILE


def _log_length(sweep: Sweep) -> int:
    """Bytes: an opening makes it longer."""
    file = _openings(sweep)
    return file.stat().st_size if file.is_file() else 0


def _asked(sweep: Sweep, row: str, task: Task, subset: Subset) -> Asked:
    """The question of a cell."""
    return Asked(
        task=task,
        root=Path(sweep.pretraining.base.data.root),
        openings=_openings(sweep),
        protocol=sweep.table["protocol"],
        # Once: rows of a table that has something beside them differ in their objective alone.
        beside=sweep.table["beside"] if row == sweep.table["reference"] else (),
        subset=subset,
        development=sweep.table["development"],
        allow_retest=sweep.allow_retest,
        allow_overlap=sweep.allow_overlap,
    )


def _settings(sweep: Sweep, row: str, seed: int) -> dict[str, Any]:
    """Of the pretraining of a row, field -> value."""
    return flat(json.loads(sweep.config(row, seed).to_json_best_effort()))


def _require_same_settings(sweep: Sweep, row: str, seed: int) -> None:
    """Refuses to show cells under settings that are not those they were made with."""
    folder = sweep.workdir / "cells"
    before = [(_stored(folder / f"{row}_seed{seed}.settings.json"), _settings(sweep, row, seed))]
    for name, task, subset in sweep.questions():
        result = _stored(folder / f"{Cell(row, name, seed, subset.repeat).name}.json") or {}
        before.append((result.get("asked"), _asked(sweep, row, task, subset).question()))
    for there, now in before:
        if there is not None:  # no cell, or one of before, which does not say what was asked
            _require_equal(flat(there), flat(now), f"{folder}: expected cells of {row}, seed {seed},")


def _stored(file: Path) -> dict[str, Any] | None:
    """What a JSON file of the cells says; None where it is not there."""
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{file}: expected JSON that launch.sweep wrote, got {error}: it was cut off or changed; remove "
            "it, with the cells of its row and seed unless you know that they have the settings of this table"
        ) from error


def _require_equal(there: dict[str, Any], now: dict[str, Any], expected: str) -> None:
    differing = [
        f"{name}: {there.get(name)!r} there, {now.get(name)!r} asked" for name in differences(there, now)
    ]
    if differing:
        raise ValueError(
            f"{expected} with the settings of this table; {'; '.join(differing)}: choose another --workdir, "
            "or remove those cells"
        )


def _write_table(sweep: Sweep) -> str:
    """Markdown, CSV and a picture of what is there."""
    reference = sweep.table["reference"]
    table = lines(
        sweep.cells(),
        sweep.workdir / "cells",
        method=PRETRAINED,
        reference=reference,
        beside=[BESIDE[name] for name in sweep.table["beside"]],
    )
    spent = {row: _spent(sweep.config(row, 0)) for row in sweep.table["rows"]}
    text = markdown(table, spent, reference)
    sweep.workdir.mkdir(parents=True, exist_ok=True)
    file = sweep.workdir / sweep.name
    file.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    file.with_suffix(".csv").write_text(as_csv(table, spent), encoding="utf-8")
    names = [f"{line.row}: {line.question}" for line in table]
    figure = draw_intervals(names, [line.auroc for line in table], label="macro AUROC, 95 %")
    figure.savefig(file.with_suffix(".png"), dpi=100)
    return text


def _spent(config: ml_collections.ConfigDict) -> Pretraining:
    return Pretraining(_tokens_kept(config), config.run.steps, config.run.steps * config.data.batch_size)


def _tokens_kept(config: ml_collections.ConfigDict) -> int:
    preprocessing = select(config.data.root, config.data.train).preprocessing
    objective = build(resolved(config), preprocessing).objective
    return objective.stdm.tokens_kept(objective.columns)
