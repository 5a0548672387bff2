"""The JSON file of a result, or of those of several sources: written whole, and read if it is one."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

UNSCORED = "no_scores"  # of a source: why

Report = dict[str, Any]


def write_report(numbers: Report, path: Path | str) -> None:
    """Writes the JSON whole or not at all.

    Raises:
      OSError: when the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(numbers, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".result-") as staging:
        new = Path(staging) / path.name
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)


def read_report(path: Path | str) -> Report:
    """The numbers that `write_report` wrote.

    Raises:
      FileNotFoundError: when there is no such file.
      ValueError: when it is not what `write_report` writes, or holds those of several sources.
    """
    numbers = _json(path)
    if _is_report(numbers):
        return numbers
    if numbers and _are_of_sources(numbers):
        there = ", ".join(f"{source}.json" for source, each in scored_only(numbers).items() if each)
        raise ValueError(
            f"{path}: expected one result, got those of several sources: name that of one, in "
            f"{Path(path).with_suffix('')}: {there or 'none has scores'}"
        )
    raise _other(path)


def scored_only(reports: dict[str, Report | None]) -> dict[str, Report | None]:
    """The reports of several sources, None for those that could not be scored."""
    return {source: each if each and UNSCORED not in each else None for source, each in reports.items()}


def read_reports(path: Path | str) -> dict[str, Report | None]:
    """Those of several sources in one file; where there is none, as `unscored` has it, or None (old files).

    Raises:
      FileNotFoundError: when there is no such file.
      ValueError: when it is something else.
    """
    reports = _json(path)
    if _are_of_sources(reports):
        return reports
    raise _other(path)


def _json(path: Path | str) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError:
        raise _other(path) from None


def _is_report(numbers: Any) -> bool:
    expected = {"task", "protocol", "probe", "train", "test", "methods", "scores"}
    return isinstance(numbers, dict) and expected <= set(numbers)


def _are_of_sources(reports: Any) -> bool:
    return isinstance(reports, dict) and all(
        each is None or _is_report(each) or (isinstance(each, dict) and UNSCORED in each)
        for each in reports.values()
    )


def _other(path: Path | str) -> ValueError:
    return ValueError(f"{path}: expected the JSON that launch.evaluate writes; write it again")
