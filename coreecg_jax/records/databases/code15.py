"""CODE-15% (Ribeiro et al. 2021, doi:10.5281/zenodo.4916206): HDF5 parts of recordings, and `exams.csv`.

Instead of the parts, WFDB records named by the exam, as the PhysioNet challenge of 2025 converts them
(prepare_code15_data.py), with the publisher's table in the same folder.

Shorter recordings were centred in 4096 samples of zeros; these zeros are cut off again, nothing is squeezed.
No unit is published. The PhysioNet challenge of 2025 takes the numbers for millivolts, and so is it done
here; amplitudes that no heart has are refused as ever.
"""

import dataclasses
import functools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from coreecg_jax.records.databases.header_comments import parse_age
from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.databases.published import SPLIT, Database
from coreecg_jax.records.databases.tables import below, read_table
from coreecg_jax.records.formats.hdf5 import read_column, read_matrix
from coreecg_jax.records.formats.placing import placed
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.wfdb_files import read_wfdb

NAME = "code15"
TABLE = "exams.csv"
SAMPLING_RATE = 400.0  # Hz
LEAD_ORDER = ("DI", "DII", "DIII", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
LABELS = ("1dAVb", "RBBB", "LBBB", "SB", "ST", "AF", "normal_ecg")
COLUMNS = ("exam_id", "age", "is_male", "patient_id", "trace_file", *LABELS)
_SEX = {"true": "M", "1": "M", "false": "F", "0": "F"}
_TRUE = ("true", "1", "1.0")
_UNKNOWN = "unknown"  # the row of an exam in a part that cannot be read
_RECORD = re.compile(
    r"(?:code_15_)?(\d{1,18})"
)  # name of a WFDB record: the exam, in some copies with a prefix

# Exam, and its part by the table -> what `read` is given; None where it is missing.
_PlaceOf = Callable[[int, str], str | None]


def list_recordings(source: Path) -> Listing:
    """Every exam of the table that is there; the others are missing.

    Where there is no HDF5 file, WFDB records are looked for. Of a part that cannot be read every exam is
    listed that the table names there: reading it is refused.

    Raises:
      FileNotFoundError: when the table, or every recording, is not there.
      ValueError: when the table cannot be read, or two records are of one exam.
      MissingPackage: without h5py, where there are parts.
    """
    _require_table(source)
    place_of = _in_parts(source) if any(source.glob("*.hdf5")) else _in_records(source)
    listed, missing = [], []
    for row in read_table(source / TABLE, COLUMNS):
        part = below(TABLE, "trace_file", row["trace_file"], "exams_part0.hdf5")
        exam = _whole_number(row["exam_id"])
        if (place := place_of(exam, part)) is None:
            missing.append(str(exam))
        else:
            listed.append(Listed(str(exam), place, SPLIT, _about(row)))
    if not listed:
        raise FileNotFoundError(
            f"expected exams_part0.hdf5, …, or WFDB records such as 1167029.hea in {source}, found none that "
            f"{TABLE} names: check --source"
        )
    reader = functools.partial(read, source)
    return Listing(NAME, reader, tuple(listed), tuple(missing), label_sets=DATABASE.label_sets)


def read(source: Path, file: str) -> Recording:
    """The recording of a row, `<part>#<row>`, or of a WFDB header.

    Raises:
      RecordingRefused: when it cannot be read.
    """
    if file.endswith(".hea"):
        raw = read_wfdb(source / file, source)
        return dataclasses.replace(raw, ecg_LT=raw.ecg_LT[:, _written(raw.ecg_LT[raw.present_L])])
    part, _, row = file.partition("#")
    if row == _UNKNOWN:
        read_column(source / part, "exam_id")  # says what is wrong with the part
        raise RecordingRefused(Reason.UNREADABLE, f"{part}: could not be read when the exams were listed")
    samples_ST = read_matrix(source / part, "tracings", int(row)).T
    names = [name.removeprefix("D") for name in LEAD_ORDER][: len(samples_ST)]
    return placed(file, names, samples_ST[:, _written(samples_ST)], [1.0] * len(names), SAMPLING_RATE)


def _written(samples_ST: np.ndarray) -> slice:
    """From the first sample to the last at which not all signals are zero."""
    places = np.flatnonzero((samples_ST != 0).any(axis=0))
    return slice(places[0], places[-1] + 1) if places.size else slice(0)


def _require_table(source: Path) -> None:
    """Says what to do with records that lie without the table; where there are none, `read_table` does."""
    if not (source / TABLE).is_file() and any(source.rglob("*.hea")):
        raise FileNotFoundError(
            f"expected {TABLE} of CODE-15% with the WFDB records in {source}, it is not there: copy it there "
            "(patients and labels stand in it), or do without these by --database=folder; check --source"
        )


def _in_parts(source: Path) -> _PlaceOf:
    rows_of = functools.cache(lambda part: _rows(source / part))

    def place_of(exam: int, part: str) -> str | None:
        rows = rows_of(part)
        if rows is None:
            return f"{part}#{_UNKNOWN}"
        return f"{part}#{rows[exam]}" if exam in rows else None

    return place_of


def _in_records(source: Path) -> _PlaceOf:
    headers: dict[int, str] = {}
    for path in sorted(source.rglob("*.hea")):
        if not (named := _RECORD.fullmatch(path.stem)):
            continue
        exam, file = int(named[1]), path.relative_to(source).as_posix()
        if exam in headers:
            raise ValueError(
                f"{NAME}: expected each exam once, {exam} is in {headers[exam]} and {file}: "
                "give the folder of one copy as --source"
            )
        headers[exam] = file
    return lambda exam, part: headers.get(exam)


def _rows(part: Path) -> dict[int, int] | None:
    """Exam id -> row; nothing where the part is not there, None where it cannot be read."""
    if not part.is_file():
        return {}
    try:
        return {exam: row for row, exam in enumerate(read_column(part, "exam_id").tolist())}
    except RecordingRefused:
        return None


def _about(row: dict[str, str]) -> About:
    labels = tuple(label for label in LABELS if row[label].strip().lower() in _TRUE)
    return About(
        patient_id=row["patient_id"].strip() or None,
        labels=labels,
        likelihoods=(float("nan"),) * len(labels),
        age=parse_age(row["age"]),
        sex=_SEX.get(row["is_male"].strip().lower(), ""),
    )


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text.strip()):
        raise ValueError(f"{TABLE}: expected a whole number as exam_id, got {text!r}")
    return int(text)


DATABASE = Database(
    name=NAME,
    title="CODE-15%",
    release="1.0.0",
    records=345_779,
    sampling_rate="400, 7 or 10 s",
    labels="six flags and `normal_ecg`",
    label_sets=("code15",),
    patients="`patient_id` of `exams.csv` (233,770)",
    folds="none: made here, `fold1` to `fold10`",
    licence="CC BY 4.0",
    citation="10.5281/zenodo.4916206, 10.1038/s41467-020-15432-4",
    list_recordings=list_recordings,
)
