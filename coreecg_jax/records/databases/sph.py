"""Shandong Provincial Hospital (Liu et al. 2022, doi:10.1038/s41597-022-01403-5): HDF5 and `metadata.csv`.

One file a recording, `records/A00001.h5`, array `ecg` (12, samples) in mV at 500 Hz, leads in the usual
order. Labels are codes of the AHA statements: `60+310;147` is statement 60 with modifier 310, and statement
147. Each number is a label, the modifiers (310 and above) too; which statement a modifier belongs to is not
kept. The label set `sph` takes the statements and leaves the modifiers out.
"""

import functools
import re
from pathlib import Path

from coreecg_jax.records.databases.header_comments import parse_age
from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.databases.published import SPLIT, Database
from coreecg_jax.records.databases.tables import below, read_table
from coreecg_jax.records.formats.hdf5 import read_matrix
from coreecg_jax.records.formats.placing import placed
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused

NAME = "sph"
TABLE = "metadata.csv"
SAMPLING_RATE = 500.0  # Hz
_COLUMNS = ("ECG_ID", "AHA_Code", "Patient_ID", "Age", "Sex")


def list_recordings(source: Path) -> Listing:
    """Every recording of the table whose file is there; the others are missing.

    Raises:
      FileNotFoundError: when the table, or every file, is not there.
      ValueError: when the table cannot be read.
    """
    folder = "records/" if (source / "records").is_dir() else ""
    listed, missing = [], []
    for row in read_table(source / TABLE, _COLUMNS):
        record = below(TABLE, "ECG_ID", row["ECG_ID"].strip(), "A00001")
        file = f"{folder}{record}.h5"
        if (source / file).is_file():
            listed.append(Listed(record, file, SPLIT, _about(row)))
        else:
            missing.append(record)
    if not listed:
        raise FileNotFoundError(f"expected records/A00001.h5, … in {source}, found none: check --source")
    reader = functools.partial(read, source)
    return Listing(NAME, reader, tuple(listed), tuple(missing), label_sets=DATABASE.label_sets)


def read(source: Path, file: str) -> Recording:
    """The recording of a file.

    Raises:
      RecordingRefused: when it cannot be read, or has not twelve rows.
      MissingPackage: without h5py.
    """
    samples_LT = read_matrix(source / file, "ecg")
    if len(samples_LT) != len(LEADS):
        raise RecordingRefused(
            Reason.UNREADABLE, f"{file}: expected 'ecg' of 12 leads x samples, got shape {samples_LT.shape}"
        )
    return placed(file, LEADS, samples_LT, [1.0] * len(LEADS), SAMPLING_RATE)


def _about(row: dict[str, str]) -> About:
    labels = tuple(dict.fromkeys(re.findall(r"\d+", row["AHA_Code"])))
    return About(
        patient_id=row["Patient_ID"].strip() or None,
        labels=labels,
        likelihoods=(float("nan"),) * len(labels),
        age=parse_age(row["Age"]),
        sex=row["Sex"].strip() if row["Sex"].strip() in ("F", "M") else "",
    )


DATABASE = Database(
    name=NAME,
    title="SPH (Shandong Provincial Hospital)",
    release="1",
    records=25_770,
    sampling_rate="500, 10 to 60 s",
    labels="AHA statements and modifiers",
    label_sets=("sph",),
    patients="`Patient_ID` of `metadata.csv` (24,666)",
    folds="none: made here, `fold1` to `fold10`",
    licence="CC BY 4.0",
    citation="10.6084/m9.figshare.c.5779802.v1, 10.1038/s41597-022-01403-5",
    list_recordings=list_recordings,
)
