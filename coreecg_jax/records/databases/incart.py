"""St Petersburg INCART 12-lead Arrhythmia Database as published on PhysioNet, or within the challenges: WFDB.

Half-hour pieces of Holter recordings at 257 Hz. PhysioNet's own headers (`I01.hea`) have comments of a form
of their own: `<age>: 65 <sex>: F <diagnoses> …`, `patient 1`, and a line of findings, which are the labels,
parted at commas. The challenge's (`I0001.hea`) have SNOMED CT codes after `Dx:`, and tell no patient.
"""

import functools
import re
from pathlib import Path

from coreecg_jax.records.databases.header_comments import parse_age
from coreecg_jax.records.databases.listing import About, Listing
from coreecg_jax.records.databases.published import Database, headers_below, list_wfdb
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.records.wfdb_headers import read_comments

NAME = "incart"
_IN_CHALLENGE = 74
_PATIENT = re.compile(r"patient\s+(\d{1,2})")
_PERSON = re.compile(r"<age>:\s*(?P<age>[\d.]*)\s*<sex>:\s*(?P<sex>[FM]?).*")


def list_recordings(source: Path) -> Listing:
    """Every `Inn.hea`, or `Innnn.hea` of the challenge, below the source.

    Raises:
      FileNotFoundError: when there is none.
    """
    files = headers_below(source, "I[0-9][0-9]*.hea", "INCART")
    original = any(len(Path(file).stem) == len("I01") for file in files)
    published = DATABASE.records if original else _IN_CHALLENGE
    return list_wfdb(
        NAME, source, files, published, DATABASE.label_sets, about=functools.partial(_about, source)
    )


def _about(source: Path, file: str) -> About | None:
    """What PhysioNet's own comments say; None where they have the challenge's form."""
    try:
        comments = [comment.strip() for comment in read_comments(source / file)]
    except RecordingRefused:
        return None
    patients = [match for comment in comments if (match := _PATIENT.fullmatch(comment))]
    if not patients:
        return None
    people = [match for comment in comments if (match := _PERSON.fullmatch(comment))]
    findings = comments[comments.index(patients[0].group()) + 1 :]
    parts = [part.strip().rstrip(".") for line in findings for part in line.split(",")]
    labels = tuple(dict.fromkeys(part for part in parts if part))
    return About(
        patient_id=patients[0][1],
        labels=labels,
        likelihoods=(float("nan"),) * len(labels),
        age=parse_age(people[0]["age"]) if people else float("nan"),
        sex=people[0]["sex"] if people else "",
    )


DATABASE = Database(
    name=NAME,
    title="St Petersburg INCART",
    release="1.0.0; challenge-2021 1.0.3 (74)",
    records=75,
    sampling_rate="257, 30 min",
    labels="findings as phrases; the challenge's edition SNOMED CT",
    label_sets=("cinc2021",),
    patients="`patient n` in the header (32); unknown in the challenge's edition",
    folds="none: made here, `fold1` to `fold10`",
    licence="ODC-By 1.0",
    citation="10.13026/C2V88N",
    list_recordings=list_recordings,
)
