"""The cells of a sweep: what each is asked, in which file it lies, and whether its settings are the same."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_collections

from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.methods import BESIDE
from coreecg_jax.downstream.openings import FILE
from coreecg_jax.downstream.subsets import LEAD_SUBSETS
from coreecg_jax.downstream.sweeps import Cell
from coreecg_jax.downstream.tasks import Task, named_task
from coreecg_jax.training.identity import differences, flat
from launch.evaluating import Asked
from launch.known_tasks import known_tasks

MISSING = ".missing.json"  # beside the cells: why one could not be scored
_NAMED = ("protocol", "beside", "development")  # of a question: what the name of a file tells


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A table, the pretraining of its rows, and where all of it lies."""

    table: dict[str, Any]  # an entry of configs/ablation/tables.py
    pretraining: ml_collections.ConfigDict  # base and rows
    workdir: Path
    name: str
    allow_retest: bool = False
    allow_overlap: bool = False

    @property
    def folder(self) -> Path:
        """Of the cells."""
        return self.workdir / "cells"

    @property
    def openings(self) -> Path:
        """The log of test openings."""
        return Path(self.pretraining.base.data.root) / FILE

    def config(self, row: str, seed: int) -> ml_collections.ConfigDict:
        """Of the pretraining of a row."""
        config = self.pretraining.base.copy_and_resolve_references()
        config.update_from_flattened_dict(self.pretraining.rows[row])
        config.seed = seed
        return config

    def asked(self) -> Iterator[tuple[Cell, Asked]]:
        """All that the table wants; a fraction of the labels once a repeat."""
        tasks = known_tasks()
        for task in self.table["tasks"]:
            asked = named_task(tasks, task)
            for subset in self.table["subsets"]:
                name = f"{task}, {subset['leads']} leads, {subset['fraction']:g} of labels"
                for repeat in range(subset["repeats"] if subset["fraction"] < 1 else 1):
                    used = Subset(LEAD_SUBSETS[subset["leads"]], subset["fraction"], repeat)
                    for row in self.table["rows"]:
                        for seed in self.table["seeds"]:
                            yield Cell(row, name, seed, repeat), self._question(row, asked, used)

    def files(self) -> dict[Cell, Path]:
        """The JSON of each cell, there or not."""
        return {cell: cell_file(self.folder, cell, asked) for cell, asked in self.asked()}

    def _question(self, row: str, task: Task, subset: Subset) -> Asked:
        return Asked(
            task=task,
            root=Path(self.pretraining.base.data.root),
            openings=self.openings,
            protocol=self.table["protocol"],
            # Once: rows of a table that has something beside them differ in their objective alone.
            beside=tuple(self.table["beside"]) if row == self.table["reference"] else (),
            subset=subset,
            development=self.table["development"],
            allow_retest=self.allow_retest,
            allow_overlap=self.allow_overlap,
        )


def cell_file(folder: Path, cell: Cell, asked: Asked) -> Path:
    """Its JSON, named by how it is asked too, so that tables that ask otherwise have one folder and its runs.

    Cells of before are named without that; where one is there that was asked so, it is that.
    """
    new, before = folder / f"{cell.name}_{_how(asked)}.json", folder / f"{cell.name}.json"
    return before if not new.is_file() and _was_asked_so(stored(before), asked) else new


def _how(asked: Asked) -> str:
    """'linear_development', 'linear_beside-none_test'."""
    parts = [asked.protocol]
    if set(asked.beside) != set(BESIDE):
        parts.append(f"beside-{'-'.join(sorted(asked.beside)) or 'none'}")
    return "_".join([*parts, "development" if asked.development else "test"])


def _was_asked_so(there: dict[str, Any] | None, asked: Asked) -> bool:
    """Whether a cell of before is of a table that asks so; the first did not say what was asked."""
    if there is None:
        return False
    if "asked" not in there:
        said = there.get("protocol")
        return said is None or said.startswith("development") == asked.development
    now = asked.question()
    return all(there["asked"].get(name) == now[name] for name in _NAMED)


def settings_file(folder: Path, row: str, seed: int) -> Path:
    """What the pretraining of a row was, beside its cells."""
    return folder / f"{row}_seed{seed}.settings.json"


def settings_of(sweep: Sweep, row: str, seed: int) -> dict[str, Any]:
    """Of the pretraining of a row, field -> value."""
    return flat(json.loads(sweep.config(row, seed).to_json_best_effort()))


def require_same_settings(sweep: Sweep) -> None:
    """Refuses to show cells under settings that are not those they were made with.

    Raises:
      ValueError: naming the fields; or when a file of the cells cannot be read.
    """
    for row in sweep.table["rows"]:
        for seed in sweep.table["seeds"]:
            there = stored(settings_file(sweep.folder, row, seed))
            _require_equal(there, settings_of(sweep, row, seed), sweep.folder, row, seed)
    for cell, asked in sweep.asked():
        there = stored(cell_file(sweep.folder, cell, asked)) or {}
        _require_equal(there.get("asked"), asked.question(), sweep.folder, cell.row, cell.seed)


def _require_equal(
    there: dict[str, Any] | None, now: dict[str, Any], folder: Path, row: str, seed: int
) -> None:
    if there is None:  # no cell, or one of before, which does not say what was asked
        return
    before, now = flat(there), flat(now)
    differing = [
        f"{name}: {before.get(name)!r} there, {now.get(name)!r} asked" for name in differences(before, now)
    ]
    if differing:
        raise ValueError(
            f"{folder}: expected cells of {row}, seed {seed}, with the settings of this table; "
            f"{'; '.join(differing)}: choose another --workdir, or remove those cells, which other tables of "
            "this folder may have made"
        )


def stored(file: Path) -> dict[str, Any] | None:
    """What a JSON file of the cells says; None where it is not there.

    Raises:
      ValueError: when it is not JSON.
    """
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{file}: expected JSON that launch.sweep wrote, got {error}: it was cut off or changed; remove "
            "it, with the cells of its row and seed unless you know that they have the settings of this table"
        ) from error
