"""CODE-15% (Ribeiro et al. 2021, doi:10.5281/zenodo.4916206): HDF5 parts of recordings, and `exams.csv`.

Shorter recordings were centred in 4096 samples of zeros; these zeros are cut off again, nothing is squeezed.
No unit is published. The PhysioNet challenge of 2025 takes the numbers for millivolts, and so is it done
here; amplitudes that no heart has are refused as ever.
"""

import functools
import re
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

NAME = "code15"
TABLE = "exams.csv"
SAMPLING_RATE = 400.0  # Hz
LEAD_ORDER = ("DI", "DII", "DIII", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
LABELS = ("1dAVb", "RBBB", "LBBB", "SB", "ST", "AF", "normal_ecg")
COLUMNS = ("exam_id", "age", "is_male", "patient_id", "trace_file", *LABELS)
_SEX = {"true": "M", "1": "M", "false": "F", "0": "F"}
_TRUE = ("true", "1", "1.0")
_UNKNOWN = "unknown"  # the row of an exam in a part that cannot be read


def list_recordings(source: Path) -> Listing:
    """Every exam of the table whose part is there and holds it; the others are missing.

    Of a part that cannot be read every exam is listed that the table names there: reading it is refused.

    Raises:
      FileNotFoundError: when the table, or every part, is not there.
      ValueError: when the table cannot be read.
      MissingPackage: without h5py.
    """
    rows_of: dict[str, dict[int, int] | None] = {}
    listed, missing = [], []
    for row in read_table(source / TABLE, COLUMNS):
        part = below(TABLE, "trace_file", row["trace_file"], "exams_part0.hdf5")
        if part not in rows_of:
            rows_of[part] = _rows(source / part)
        exam, rows = _whole_number(row["exam_id"]), rows_of[part]
        if rows is None or exam in rows:
            place = _UNKNOWN if rows is None else rows[exam]
            listed.append(Listed(str(exam), f"{part}#{place}", SPLIT, _about(row)))
        else:
            missing.append(str(exam))
    if not listed:
        raise FileNotFoundError(f"expected exams_part0.hdf5, … in {source}, found none: check --source")
    reader = functools.partial(read, source)
    return Listing(NAME, reader, tuple(listed), tuple(missing), label_sets=DATABASE.label_sets)


def read(source: Path, file: str) -> Recording:
    """The recording of a row: `file` is `<part>#<row>`.

    Raises:
      RecordingRefused: when it cannot be read.
    """
    part, _, row = file.partition("#")
    if row == _UNKNOWN:
        read_column(source / part, "exam_id")  # says what is wrong with the part
        raise RecordingRefused(Reason.UNREADABLE, f"{part}: could not be read when the exams were listed")
    samples_TS = read_matrix(source / part, "tracings", int(row))
    written = np.flatnonzero((samples_TS != 0).any(axis=1))
    first, last = (written[0], written[-1] + 1) if written.size else (0, 0)
    names = [name.removeprefix("D") for name in LEAD_ORDER][: samples_TS.shape[1]]
    return placed(file, names, samples_TS[first:last].T, [1.0] * len(names), SAMPLING_RATE)


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
