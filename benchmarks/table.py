"""Results as rows of one Markdown table, each measured in a fresh process of its own."""

import concurrent.futures
import concurrent.futures.process
import dataclasses
import importlib
import multiprocessing
import statistics
from collections.abc import Sequence

HEAD = "| benchmark | setting | result | range | repeats |\n|---|---|---:|---:|---:|"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line; `benchmark` is the name by which `--only` knows it."""

    benchmark: str
    setting: str
    result: str
    spread: str = ""
    repeats: str = ""

    def markdown(self) -> str:
        """The line of the table."""
        cells = (self.benchmark, self.setting, self.result, self.spread, self.repeats)
        return "| " + " | ".join(cells) + " |"


def measured(benchmark: str, setting: str, values: Sequence[float], unit: str, digits: int = 0) -> Row:
    """A row with the median of repeats and their range."""
    low, middle, high = min(values), statistics.median(values), max(values)
    spread = f"{low:,.{digits}f}–{high:,.{digits}f}" if len(values) > 1 else ""
    return Row(benchmark, setting, f"{middle:,.{digits}f} {unit}", spread, str(len(values)))


def isolated(benchmark: str, setting: str, module: str, function: str, *arguments: str) -> list[Row]:
    """The rows of a function of `benchmarks.<module>` in a fresh process: threads and memory are its own.

    The module is loaded there, too. What is not installed, or a process that was killed, makes a row that
    says so.
    """
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(_rows, module, function, arguments).result()
        except ImportError as error:
            return [Row(benchmark, setting, f"skipped: {error}")]
        except concurrent.futures.process.BrokenProcessPool:
            return [Row(benchmark, setting, "failed: the process was killed, perhaps for memory")]


def _rows(module: str, function: str, arguments: Sequence[str]) -> list[Row]:
    return list(getattr(importlib.import_module(f"benchmarks.{module}"), function)(*arguments))
