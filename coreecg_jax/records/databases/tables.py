"""Tables that come with a database: CSV, read row by row, with the columns that are needed."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

# A path below the source, of plain names: no '..', no drive, no URL, nothing absolute.
_BELOW = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", re.ASCII)

_LONGEST = 200  # characters: no file system has files of longer names


def read_table(table: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file with a header line, as they come.

    Raises:
      FileNotFoundError: when the table is not there.
      ValueError: when it lacks a column, a row is cut short, or it is no CSV in UTF-8.
    """
    if not table.is_file():
        raise FileNotFoundError(f"expected {table.name} in {table.parent}, it is not there: check --source")
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        try:
            lacking = [column for column in columns if column not in (reader.fieldnames or ())]
            if lacking:
                raise ValueError(
                    f"{table.name}: expected columns {', '.join(columns)}; lacking: {', '.join(lacking)}"
                )
            for number, row in enumerate(reader, start=2):
                if any(row[column] is None for column in columns):
                    raise ValueError(
                        f"{table.name}, row {number}: expected a field in every column; copy the table again"
                    )
                yield row
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{table.name}, line {reader.line_num}: {error}") from error


def below(table: str, column: str, text: str, example: str) -> str:
    """The path, when it lies below the source.

    Raises:
      ValueError: otherwise.
    """
    if not _BELOW.fullmatch(text) or len(text) > _LONGEST:
        raise ValueError(f"{table}: expected {column} such as {example!r}, got {text[:_LONGEST]!r}")
    return text
