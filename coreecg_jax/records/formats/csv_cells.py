"""Where in a CSV file something else than a number stands: looked for once numpy has stumbled over it."""

from collections.abc import Sequence
from pathlib import Path

MAX_LINE = 1 << 16  # characters
_LONGEST = 40  # characters of a cell that are shown
_NAN = "nan marks a sample that is missing"


def odd_cell(path: Path, leads: Sequence[str]) -> str:
    """Row, column and lead of the first cell that is no number, or the first row of another length; else ''.

    Rows are counted as an editor counts lines, from 1, with the header line where there is one.

    Args:
      path: a file that `np.loadtxt` could not read.
      leads: names of its columns, as far as they are known.
    """
    width = 0
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), ""), start=1):
            if len(line) == MAX_LINE:  # no row of twelve leads
                return ""
            cells = [cell.strip() for cell in line.split(",")]
            if cells == [""] or (number == 1 and not any(map(is_number, cells))):  # blank, or names
                continue
            for column, cell in enumerate(cells):
                if not is_number(cell):
                    named = f" ({leads[column]})" if column < len(leads) else ""
                    got = repr(cell[:_LONGEST]) if cell else "an empty cell"
                    return f"row {number}, column {column + 1}{named}: expected a number, got {got}; {_NAN}"
            width = width or len(cells)
            if len(cells) != width:
                return f"row {number}: expected {width} cells as in the rows before, got {len(cells)}"
    return ""


def is_number(text: str) -> bool:
    """Whether Python reads it as one; nan is."""
    try:
        float(text)
    except ValueError:
        return False
    return True
