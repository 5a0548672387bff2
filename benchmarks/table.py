"""Results as rows of one Markdown table, each measured in a fresh process of its own."""

import concurrent.futures
import concurrent.futures.process
import dataclasses
import importlib
import multiprocessing
import statistics
import traceback
from collections.abc import Iterable, Sequence

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

    @property
    def failed(self) -> bool:
        """Whether it says what went wrong in place of a number."""
        return self.result.startswith(_FAILED)

    @property
    def skipped(self) -> bool:
        """Whether it says what is not installed in place of a number."""
        return self.result.startswith(_SKIPPED)


_FAILED, _SKIPPED = "failed: ", "skipped: "
_FULL = ("RESOURCE_EXHAUSTED", "out of memory")


def measured(benchmark: str, setting: str, values: Sequence[float], unit: str, digits: int = 0) -> Row:
    """A row with the median of repeats and their range."""
    low, middle, high = min(values), statistics.median(values), max(values)
    spread = f"{low:,.{digits}f}–{high:,.{digits}f}" if len(values) > 1 else ""
    return Row(benchmark, setting, f"{middle:,.{digits}f} {unit}", spread, str(len(values)))


def printed(rows: Iterable[Row], *, asked: bool = False) -> bool:
    """Prints each, and returns whether one failed, or was skipped although it was `asked` for by name."""
    any_failed = False
    for row in rows:
        print(row.markdown(), flush=True)
        any_failed |= row.failed or (asked and row.skipped)
    return any_failed


def failed(benchmark: str, setting: str, error: BaseException) -> Row:
    """A row that says what went wrong."""
    if isinstance(error, concurrent.futures.process.BrokenProcessPool):
        reason = "the process was killed, perhaps for memory"
    elif out_of_memory(error):
        reason = "out of memory"
    else:
        reason = f"{type(error).__name__}: {first_line(error)}"
    return Row(benchmark, setting, f"{_FAILED}{reason}")


def skipped(benchmark: str, setting: str, reason: str) -> Row:
    """A row of what cannot be measured here as something is not installed."""
    return Row(benchmark, setting, f"{_SKIPPED}{reason}")


def out_of_memory(error: BaseException) -> bool:
    """Whether a host or a device has too little: XLA, PyTorch and Python each say it their own way."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in _FULL)


def first_line(error: BaseException) -> str:
    """Of what it says, as it fits a cell."""
    return str(error).strip().partition("\n")[0].replace("|", "/")[:100]


def isolated(benchmark: str, setting: str, module: str, function: str, *arguments: str) -> list[Row]:
    """The rows of a function of `benchmarks.<module>` in a fresh process: threads and memory are its own.

    The module is loaded there, too. What is not installed, a process that was killed, or whatever else went
    wrong makes a row that says so: the others of the table may still be had.
    """
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(rows_of, benchmark, setting, module, function, arguments).result()
        except concurrent.futures.process.BrokenProcessPool as error:
            return [failed(benchmark, setting, error)]


def rows_of(benchmark: str, setting: str, module: str, function: str, arguments: Sequence[str]) -> list[Row]:
    """The same in this process: a row for an error is made here, as not every library's errors can be sent to
    another process, and stands after those that came before it."""
    rows = []
    try:
        for row in getattr(importlib.import_module(f"benchmarks.{module}"), function)(*arguments):
            rows.append(row)
    except ImportError as error:
        rows.append(skipped(benchmark, setting, str(error)))
    except Exception as error:
        rows.append(failed(benchmark, setting, error))
        traceback.print_exc()
    return rows
