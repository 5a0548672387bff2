"""The table that `launch.sweep` is asked for; what is wrong with it is said before anything is trained."""

from collections.abc import Collection
from typing import Any

import ml_collections

from configs.ablation import tables
from coreecg_jax.downstream.methods import BESIDE, PROTOCOLS
from coreecg_jax.downstream.subsets import LEAD_SUBSETS
from coreecg_jax.downstream.tasks import named_task
from coreecg_jax.records.spelling import with_guess
from launch.known_tasks import known_tasks

_OF_SUBSET = {"leads", "fraction", "repeats"}


def named_table(config: ml_collections.ConfigDict, name: str, rows: Collection[str]) -> dict[str, Any]:
    """One of the tables of a file such as `configs/ablation/tables.py`.

    Args:
      config: of the file, after overrides.
      name: of the table.
      rows: names of the rows of pretraining that there are.

    Raises:
      ValueError: when there is no such table, or a field of it is not what `launch.sweep` can ask.
    """
    there = config.to_dict()
    if name not in there:
        raise ValueError(f"--table: expected one of {', '.join(there)}, got {with_guess(name, list(there))}")
    table = there[name]
    where = f"--tables: {name}"
    _require_fields(table, where)
    _require_known(table["rows"], list(rows), f"{where}.rows")
    _require_known([table["reference"]], list(table["rows"]), f"{where}.reference")
    _require_known([table["protocol"]], list(PROTOCOLS), f"{where}.protocol")
    _require_known(table["beside"], list(BESIDE), f"{where}.beside")
    _require_tasks(table, where)
    for subset in table["subsets"]:
        _require_subset(subset, f"{where}.subsets")
    return table


def _require_fields(table: Any, where: str) -> None:
    expected = set(tables.get_config()["main"].to_dict())
    got = set(table) if isinstance(table, dict) else set()
    if expected != got:
        names = ", ".join(sorted(got)) or "none"
        raise ValueError(f"{where}: expected the fields {', '.join(sorted(expected))}, got {names}")
    for name in ("rows", "tasks", "subsets", "seeds", "beside"):
        if not isinstance(table[name], list | tuple) or not (table[name] or name == "beside"):
            raise ValueError(f"{where}.{name}: expected a tuple of one or more, got {table[name]!r}")
    if not all(isinstance(seed, int) for seed in table["seeds"]):
        raise ValueError(f"{where}.seeds: expected whole numbers, got {table['seeds']!r}")


def _require_known(asked: Collection[Any], known: list[str], where: str) -> None:
    unknown = [with_guess(str(each), known) for each in asked if each not in known]
    if unknown:
        raise ValueError(f"{where}: expected some of {', '.join(known)}, got {', '.join(unknown)}")


def _require_tasks(table: dict[str, Any], where: str) -> None:
    for name in table["tasks"]:
        task = named_task(known_tasks(), name)
        if task.sources:
            raise ValueError(
                f"{where}.tasks: {name} holds each source out in turn, which is no single result: ask "
                "launch.evaluate"
            )
        if table["development"] and task.test is None:
            raise ValueError(
                f"{where}.development: {name} has no test split, all of it is test: leave it out of this "
                "table, or set development to False"
            )


def _require_subset(subset: Any, where: str) -> None:
    if not isinstance(subset, dict) or set(subset) != _OF_SUBSET:
        raise ValueError(f"{where}: expected dicts of {', '.join(sorted(_OF_SUBSET))}, got {subset!r}")
    if subset["leads"] not in LEAD_SUBSETS:
        known = ", ".join(map(str, LEAD_SUBSETS))
        raise ValueError(f"{where}: expected leads to be one of {known}, got {subset['leads']!r}")
    if not 0 < subset["fraction"] <= 1 or subset["repeats"] < 1:
        raise ValueError(
            f"{where}: expected a fraction above 0 and at most 1 and one or more repeats, got {subset!r}"
        )
