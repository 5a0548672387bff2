"""PTB Diagnostic ECG Database (Bousseljot et al. 1995) as published on PhysioNet, or within the challenges.

PhysioNet's own edition (`patient001/s0010_re.hea`) says by its folders which recordings are one patient's,
and after `Reason for admission:` what the patient was treated for: that is the label. The challenge's edition
(`S0001.hea`) tells no patient, and gives SNOMED CT codes after `Dx:` where that is not empty.
"""

import dataclasses
import functools
import re
from pathlib import Path

from coreecg_jax.records.databases.listing import About, Listing
from coreecg_jax.records.databases.published import Database, header_about, headers_below, list_wfdb
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.records.wfdb_headers import read_comments

NAME = "ptbdb"
_IN_CHALLENGE = 516
_PATIENT = re.compile(r"(?:.*/)?(patient\d{3})/[^/]+")
_REASON = re.compile(r"reason for admission:\s*(.+)", re.IGNORECASE)
_NOTHING = ("n/a", "unknown", "no")


def list_recordings(source: Path) -> Listing:
    """Every `patientnnn/snnnn_re.hea`, `snnnnlre.hea` or `Snnnn.hea` below the source.

    Raises:
      FileNotFoundError: when there is none.
    """
    files = headers_below(source, "[sS][0-9][0-9][0-9][0-9]*.hea", "PTB")
    original = any(_PATIENT.fullmatch(file) for file in files)
    published = DATABASE.records if original else _IN_CHALLENGE
    return list_wfdb(
        NAME, source, files, published, DATABASE.label_sets, about=functools.partial(_about, source)
    )


def _about(source: Path, file: str) -> About | None:
    """Patient and reason for admission in PhysioNet's edition; None, what the header says, otherwise."""
    patient = _PATIENT.fullmatch(file)
    if not patient:
        return None
    header = source / file
    labels = _reasons(header)
    return dataclasses.replace(
        header_about(header),
        patient_id=patient[1],
        labels=labels,
        likelihoods=(float("nan"),) * len(labels),
    )


def _reasons(header: Path) -> tuple[str, ...]:
    try:
        comments = read_comments(header)
    except RecordingRefused:
        return ()
    found = [match[1].strip() for comment in comments if (match := _REASON.fullmatch(comment.strip()))]
    return tuple(reason for reason in found if reason.lower() not in _NOTHING)


DATABASE = Database(
    name=NAME,
    title="PTB Diagnostic",
    release="1.0.0; challenge-2021 1.0.3 (516)",
    records=549,
    sampling_rate="1000, 23 to 120 s",
    labels="reason for admission; the challenge's edition SNOMED CT",
    label_sets=("cinc2021",),
    patients="the folder, `patient001` (290); unknown in the challenge's edition",
    folds="none: made here, `fold1` to `fold10`",
    licence="ODC-By 1.0",
    citation="10.13026/C28C71",
    list_recordings=list_recordings,
)
