"""What the comments of a WFDB header say about patient and findings.

Three dialects: PhysioNet challenges (`Age: 56`, `Sex: Female`, `Dx: 426177001,…` with SNOMED CT codes), LUDB
(`<age>: 51`, and one finding a line after `<diagnoses>:`) and MIMIC (`<subject_id>: …`).
"""

import re
from collections.abc import Sequence

from coreecg_jax.records.databases.listing import About

_PATIENT_KEYS = ("patient", "patient_id", "patient id", "subject_id", "subject id")
_SEX = {"f": "F", "female": "F", "m": "M", "male": "M"}
_UNKNOWN = ("", "unknown", "nan", "n/a", "none")


def parse_comments(comments: Sequence[str]) -> About:
    """What the comment lines say; what they do not say, or not legibly, stays unknown."""
    fields = _fields(comments)
    patient = next(
        (fields[key] for key in _PATIENT_KEYS if fields.get(key, "").lower() not in _UNKNOWN), None
    )
    labels = _snomed_codes(fields.get("dx", "")) + _ludb_findings(comments)
    return About(
        patient_id=patient,
        labels=labels,
        likelihoods=(float("nan"),) * len(labels),
        age=parse_age(fields.get("age", "")),
        sex=_SEX.get(fields.get("sex", "").lower(), ""),
    )


def parse_age(text: str) -> float:
    """Years; '>89' and the like give the bound plus one (90), anything else but a number NaN."""
    match = re.fullmatch(r"(>?)\s*(\d{1,3}(?:\.\d+)?)", text.strip())
    return float(match[2]) + bool(match[1]) if match else float("nan")


def _fields(comments: Sequence[str]) -> dict[str, str]:
    """`key: value` and `<key>: value` lines; the first of a key counts."""
    fields: dict[str, str] = {}
    for comment in comments:
        key, colon, value = comment.partition(":")
        if colon:
            fields.setdefault(key.strip().strip("<>").lower(), value.strip())
    return fields


def _snomed_codes(text: str) -> tuple[str, ...]:
    """Each code once, in the order of the header."""
    codes = [code.strip() for code in text.split(",")]
    return tuple(dict.fromkeys(code for code in codes if code.lower() not in _UNKNOWN))


def _ludb_findings(comments: Sequence[str]) -> tuple[str, ...]:
    """The lines after `<diagnoses>:`, each without its final full stop."""
    stripped = [comment.strip() for comment in comments]
    if "<diagnoses>:" not in stripped:
        return ()
    lines = stripped[stripped.index("<diagnoses>:") + 1 :]
    findings = [line.removesuffix(".").strip() for line in lines if not line.startswith("<")]
    return tuple(dict.fromkeys(finding for finding in findings if finding))
