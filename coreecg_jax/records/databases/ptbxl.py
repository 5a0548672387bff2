"""PTB-XL (Wagner et al. 2020, doi:10.1038/s41597-020-0495-6) as published on PhysioNet.

Reads `ptbxl_database.csv` and the 500 Hz records that it names. Each of the ten published folds is a split of
its own, so that the test fold lies in files that training never opens.
"""

import ast
import re
import warnings
from pathlib import Path

from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.databases.published import Database
from coreecg_jax.records.databases.tables import below, read_table
from coreecg_jax.records.wfdb_files import wfdb_reader

NAME = "ptbxl"
TABLE = "ptbxl_database.csv"
FOLDS = 10
_COLUMNS = ("ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_hr")
_LONGEST = 10_000  # characters of codes: Python takes ever more memory for what is nested deep
_SEX = {"0": "M", "1": "F"}
# The table gives 300 for patients older than 89 (since release 1.0.2); stored is the youngest they can be.
_AGE_HIDDEN, _AGE_SHOWN = 300.0, 90.0


def list_recordings(source: Path) -> Listing:
    """Every recording of the table whose header is there, fold by fold; the others are missing.

    Raises:
      FileNotFoundError: when the table, or every record, is not there.
      ValueError: when the table lacks a column or holds a value that cannot be read.
    """
    rows = [(row, _about(row)) for row in read_table(source / TABLE, _COLUMNS)]
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
    return Listing(
        NAME, wfdb_reader(source), tuple(recordings), tuple(missing), label_sets=DATABASE.label_sets
    )


def _header_file(filename: str) -> str:
    """The record's header below the source, when the table names one there."""
    return f"{below(TABLE, 'filename_hr', filename, 'records500/00000/00001_hr')}.hea"


def _about(row: dict[str, str]) -> About:
    """Of one row.

    Raises:
      ValueError: with the row, and what was expected in it.
    """
    number, codes = row["ecg_id"], _codes(row)
    if not re.fullmatch(r"\d{1,9}", number, re.ASCII):
        raise ValueError(f"{TABLE}: expected a whole number as ecg_id, got {number[:40]!r}")
    try:
        fold = int(row["strat_fold"][:9])
        age = float(row["age"] or "nan")
        patient = str(int(float(row["patient_id"]))) if row["patient_id"] else None
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{TABLE}: ecg_id {number}: expected numbers as patient_id, age and strat_fold ({error})"
        ) from error
    if not 1 <= fold <= FOLDS:
        raise ValueError(f"{TABLE}: ecg_id {number}: expected strat_fold 1 to {FOLDS}, got {fold}")
    labels, likelihoods = tuple(codes), tuple(float(value) for value in codes.values())
    return About(
        patient_id=patient,
        fold=fold,
        labels=labels,
        likelihoods=likelihoods,
        age=_AGE_SHOWN if age == _AGE_HIDDEN else age,
        sex=_SEX.get(row["sex"], ""),
    )


def _codes(row: dict[str, str]) -> dict[str, float]:
    """SCP code -> likelihood of one row."""
    text = row["scp_codes"]
    try:
        with warnings.catch_warnings():  # Python warns of odd escapes
            warnings.simplefilter("ignore")
            codes = ast.literal_eval(text if len(text) < _LONGEST else "")
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        codes = None
    if not isinstance(codes, dict) or not all(
        isinstance(code, str) and type(value) in (int, float) and 0 <= value <= 100
        for code, value in codes.items()
    ):
        raise ValueError(
            f"{TABLE}: ecg_id {row['ecg_id'][:40]}: expected scp_codes such as {{'NORM': 100.0}}, "
            f"likelihoods from 0 to 100, got {text[:80]!r}"
        )
    return codes


DATABASE = Database(
    name=NAME,
    title="PTB-XL",
    release="1.0.1 (1.0.2: 21,801 records, 1.0.3: 21,799, both of 18,869 patients)",
    records=21_837,
    sampling_rate="500, 10 s",
    labels="SCP codes with likelihoods",
    label_sets=(
        "ptbxl_all",
        "ptbxl_diagnostic",
        "ptbxl_subclass",
        "ptbxl_superclass",
        "ptbxl_form",
        "ptbxl_rhythm",
    ),
    patients="`patient_id` of `ptbxl_database.csv` (18,885)",
    folds="`strat_fold`: splits `fold1` to `fold10`",
    licence="CC BY 4.0",
    citation="10.13026/x4td-x982, 10.1038/s41597-020-0495-6",
    list_recordings=list_recordings,
)
