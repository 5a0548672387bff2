"""Tables that come with a database: CSV, read row by row, with the columns that are needed."""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from coreecg_jax.records.spelling import with_guess, written_for

# A path below the source, of plain names: no '..', no drive, no URL, nothing absolute.
_BELOW = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", re.ASCII)

_LONGEST = 200  # characters: no file system has files of longer names

_MOST_OPENED, _MOST_READ = 20, 4096  # of files that may be a table of another name; characters of a line


def read_table(table: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file with a header line, as they come; see `read_lines`."""
    return (row for _, row in read_lines(table, columns))


def read_lines(
    table: Path, columns: Sequence[str], only: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header line, as they come, each with the number of its (last) line.

    Args:
      table: the file.
      columns: that it must have.
      only: of a table that users write, all that it may have: another name is mostly a slip, which would
        leave a column unread, and so is a field too many. Nothing: what a publisher adds is left alone.

    Raises:
      FileNotFoundError: when the table is not there.
      ValueError: when it lacks a column or has one that it may not, a row is cut short or too long, or it is
        no CSV in UTF-8.
    """
    if not table.is_file():
        raise FileNotFoundError(f"expected {table.name} in {table.parent}, it is not there: check --source")
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        try:
            _check_names(table.name, reader.fieldnames or (), columns, only)
            for number, row in enumerate(reader, start=2):
                if any(row[column] is None for column in columns):
                    raise ValueError(
                        f"{table.name}, row {number}: expected a field in every column; copy the table again"
                    )
                if only and any(row.get(None, ())):
                    raise ValueError(
                        f"{table.name}, line {reader.line_num}: expected {len(reader.fieldnames or ())} "
                        "fields, got more: put a field with a comma in it between double quotes"
                    )
                yield reader.line_num, row
        except UnicodeDecodeError as error:
            raise ValueError(f"{table.name}{_not_utf8(table)}") from error
        except csv.Error as error:
            raise ValueError(f"{table.name}, line {reader.line_num}: {error}") from error


def _check_names(table: str, names: Sequence[str], columns: Sequence[str], known: Sequence[str]) -> None:
    """Refuses a header line that lacks columns or, where only some are known, has others or one twice."""
    lacking = [column for column in columns if column not in names]
    odd = [name for name in names if known and (name not in known or names.count(name) > 1)]
    for mark, other in ((";", "semicolons"), ("\t", "tabs")):
        if (lacking or odd) and any(mark in name for name in names):
            raise ValueError(
                f"{table}: expected commas between columns, got {other}: write it with commas (and fields "
                "with a comma in them between double quotes)"
            )
    if odd:
        raise ValueError(
            f"{table}: expected columns {', '.join(known)}, each once and commas between them, got "
            f"{', '.join(with_guess(name, known) for name in odd[:20])}: rename these or take them out"
        )
    if lacking:
        raise ValueError(f"{table}: expected columns {', '.join(columns)}; lacking: {', '.join(lacking)}")


def _not_utf8(table: Path) -> str:
    """Where a file is no UTF-8: it is decoded many lines at once, so the error does not know."""
    with table.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = f"the byte 0x{line[error.start]:02x}"
                return f", line {number}: expected text in UTF-8, got {byte}: save the table as UTF-8"
    return ": expected text in UTF-8: save the table as UTF-8"


def require_no_near_name(table: Path, column: str) -> None:
    """Refuses a CSV file of a name near that of a table, which is not there: it would not be read.

    Args:
      table: the file as it should be called.
      column: by which its header line is told from that of any other CSV file.

    Raises:
      ValueError: naming the file.
    """
    if table.is_file():
        return
    with os.scandir(table.parent) as entries:
        names = sorted(one.name for one in entries if one.name.lower().endswith(".csv") and one.is_file())
    for name in written_for(table.name, names, _MOST_OPENED):
        if column in _header(table.parent / name):
            raise ValueError(
                f"{name[:_LONGEST]!r} has a column {column} and is not read: did you mean {table.name}? "
                "Rename it; if it is another table, take it out of the folder"
            )


def _header(table: Path) -> list[str]:
    """The names of the first line, in lower case, whatever stands between them."""
    with table.open(encoding="utf-8-sig", errors="replace") as file:
        line = file.readline(_MOST_READ)
    return [name.strip(" \"'\n").lower() for name in re.split("[,;\t]", line)]


def below(table: str, column: str, text: str, example: str) -> str:
    """The path, when it lies below the source.

    Raises:
      ValueError: otherwise.
    """
    if not _BELOW.fullmatch(text) or len(text) > _LONGEST:
        raise ValueError(f"{table}: expected {column} such as {example!r}, got {text[:_LONGEST]!r}")
    return text
