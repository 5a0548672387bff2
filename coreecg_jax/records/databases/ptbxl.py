"""PTB-XL (Wagner et al. 2020, doi:10.1038/s41597-020-0495-6) as published on PhysioNet.

Reads `ptbxl_database.csv` and the 500 Hz records that it names. Each of the ten published folds is a split of
its own, so that the test fold lies in files that training never opens.
"""

import ast
import csv
import re
from pathlib import Path

from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.wfdb_files import wfdb_reader

NAME = "ptbxl"
TABLE = "ptbxl_database.csv"
FOLDS = 10
_COLUMNS = ("ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_hr")
_SEX = {"0": "M", "1": "F"}
# The table gives 300 for patients older than 89 (since release 1.0.2); stored is the youngest they can be.
_AGE_HIDDEN, _AGE_SHOWN = 300.0, 90.0


def list_recordings(source: Path) -> Listing:
    """Every recording of the table whose header is there, fold by fold; the others are missing.

    Raises:
      FileNotFoundError: when the table, or every record, is not there.
      ValueError: when the table lacks a column or holds a value that cannot be read.
    """
    rows = [(row, _about(row)) for row in _rows(source / TABLE)]
    recordings, missing = [], []
    for row, about in sorted(rows, key=lambda pair: (pair[1].fold, int(pair[0]["ecg_id"]))):
        file = _header_file(row["filename_hr"])
        if (source / file).is_file():
            recordings.append(Listed(row["ecg_id"], file, f"fold{about.fold}", about))
        else:
            missing.append(row["ecg_id"])
    if not recordings:
        raise FileNotFoundError(
            f"expected records500/… as {TABLE} names them below {source}, found none: check --source"
        )
    return Listing(NAME, wfdb_reader(source), tuple(recordings), tuple(missing))


def _rows(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        raise FileNotFoundError(f"expected {TABLE} in {table.parent}, it is not there: check --source")
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        lacking = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if lacking:
            raise ValueError(
                f"{TABLE}: expected columns {', '.join(_COLUMNS)}; lacking: {', '.join(lacking)}"
            )
        try:
            rows = list(reader)
        except csv.Error as error:
            raise ValueError(f"{TABLE}, line {reader.line_num}: {error}") from error
    for number, row in enumerate(rows, start=2):
        if any(row[column] is None for column in _COLUMNS):
            raise ValueError(f"{TABLE}, row {number}: expected a field in every column; copy the table again")
    return rows


def _header_file(filename: str) -> str:
    """The record's header below the source, when the table names one there."""
    if not re.fullmatch(r"[\w-]+(/[\w-]+)*", filename):
        raise ValueError(
            f"{TABLE}: expected filename_hr such as 'records500/00000/00001_hr', got {filename!r}"
        )
    return f"{filename}.hea"


def _about(row: dict[str, str]) -> About:
    try:
        codes = ast.literal_eval(row["scp_codes"])
        fold = int(row["strat_fold"])
        age = float(row["age"] or "nan")
        patient = str(int(float(row["patient_id"]))) if row["patient_id"] else None
        labels, likelihoods = tuple(codes), tuple(float(value) for value in codes.values())
    except (ValueError, SyntaxError, AttributeError) as error:
        raise ValueError(f"{TABLE}: ecg_id {row['ecg_id']}: {error}") from error
    if not 1 <= fold <= FOLDS:
        raise ValueError(f"{TABLE}: ecg_id {row['ecg_id']}: expected strat_fold 1 to {FOLDS}, got {fold}")
    return About(
        patient_id=patient,
        fold=fold,
        labels=labels,
        likelihoods=likelihoods,
        age=_AGE_SHOWN if age == _AGE_HIDDEN else age,
        sex=_SEX.get(row["sex"], ""),
    )
