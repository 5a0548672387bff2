"""MIMIC-IV-ECG (Gow et al. 2023, doi:10.13026/4nqg-sb35) as published on PhysioNet.

Reads `record_list.csv`, `machine_measurements.csv` and the records that the former names. aVF stands before
aVL in these headers; leads are found by name. Labels are the statements of the machine's report, as they are
spelled, `report_0` to `report_17`. Age and sex stand in MIMIC-IV itself and are not known here.
"""

import sys
from pathlib import Path

from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.databases.published import SPLIT, Database
from coreecg_jax.records.databases.tables import below, read_table
from coreecg_jax.records.wfdb_files import wfdb_reader

NAME = "mimic_iv_ecg"
TABLE, REPORTS = "record_list.csv", "machine_measurements.csv"
_COLUMNS = ("subject_id", "study_id", "path")
_STATEMENTS = tuple(f"report_{number}" for number in range(18))


def list_recordings(source: Path) -> Listing:
    """Every recording of the table whose header is there; the others are missing.

    Without the table of the reports no recording has labels, which a note says.

    Raises:
      FileNotFoundError: when `record_list.csv`, or every record, is not there.
      ValueError: when a table cannot be read.
    """
    told = (source / REPORTS).is_file()
    reports = _reports(source / REPORTS) if told else {}
    unknown: dict[int, tuple[float, ...]] = {}
    listed, missing = [], []
    for row in read_table(source / TABLE, _COLUMNS):
        study = row["study_id"].strip()
        file = below(TABLE, "path", row["path"], "files/p1000/p10000032/s40689238/40689238") + ".hea"
        if not (source / file).is_file():
            missing.append(study)
            continue
        labels = reports.get(study, ())
        likelihoods = unknown.setdefault(len(labels), (float("nan"),) * len(labels))
        about = About(sys.intern(row["subject_id"].strip()) or None, labels=labels, likelihoods=likelihoods)
        listed.append(Listed(study, file, SPLIT, about))
    if not listed:
        raise FileNotFoundError(
            f"expected files/p1000/… as {TABLE} names them below {source}, found none: check --source"
        )
    note = "" if told else f"{REPORTS} is not in {source}: the recordings have no labels"
    return Listing(NAME, wfdb_reader(source), tuple(listed), tuple(missing), note=note)


def _reports(table: Path) -> dict[str, tuple[str, ...]]:
    """study_id -> its statements, each once; equal ones share their memory."""
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    reports = {}
    for row in read_table(table, ("study_id", *_STATEMENTS)):
        found = (row[column].strip() for column in _STATEMENTS)
        statements = tuple(dict.fromkeys(sys.intern(text) for text in found if text))
        reports[row["study_id"].strip()] = shared.setdefault(statements, statements)
    return reports


DATABASE = Database(
    name=NAME,
    title="MIMIC-IV-ECG",
    release="1.0",
    records=800_035,
    sampling_rate="500, 10 s",
    labels="statements of the machine's report",
    label_sets=(),
    patients="`subject_id` of `record_list.csv` (about 160,000)",
    folds="none: made here, `fold1` to `fold10`",
    licence="ODbL 1.0",
    citation="10.13026/4nqg-sb35",
    list_recordings=list_recordings,
)
