"""HL7 annotated ECG (aECG, ANSI/HL7 V3 ECG R1): the rhythm of its first series.

Read: one sequence set of the first series, each lead a list of digits with origin and scale. Not read:
derived series (representative beats), annotations, series of several sequence sets.
"""

import math
import re
from xml.etree.ElementTree import Element

import numpy as np

from coreecg_jax.records.formats.limits import check_values
from coreecg_jax.records.formats.numbers import digits, number
from coreecg_jax.records.formats.placing import millivolts_of, placed
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_PERSON = "componentOf/timepointEvent/componentOf/subjectAssignment/subject/trialSubject"


def hl7_recording(name: str, root: Element) -> Recording:
    """The recording of an `AnnotatedECG`.

    Raises:
      RecordingRefused: when it cannot be read, with the reason.
      ValueError: when a number is none.
    """
    sets = root.findall("component[1]/series/component/sequenceSet")
    if len(sets) != 1:
        raise RecordingRefused(
            Reason.UNREADABLE, f"{name}: expected one sequence set in the first series, got {len(sets)}"
        )
    interval, leads = math.nan, []
    for sequence in sets[0].findall("component/sequence"):
        code, value = sequence.find("code"), sequence.find("value")
        if code is None or value is None:
            continue
        if code.get("code", "").startswith("TIME_"):
            interval = _interval(name, value)
        else:
            leads.append((code.get("code", ""), *_signal(name, value)))
    if not leads:
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: expected leads in the first series, found none")
    lengths = {signal.size for _, signal, _ in leads}
    if len(lengths) > 1:
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: leads of different lengths, {sorted(lengths)}")
    if not interval > 0:
        raise RecordingRefused(Reason.SAMPLING_RATE, f"{name}: expected the time between samples, found none")
    check_values(name, len(leads), lengths.pop())
    names, signals, millivolts = zip(*leads)
    return placed(name, names, np.stack(signals), millivolts, 1.0 / interval, _comments(root))


def _interval(name: str, value: Element) -> float:
    """Seconds from one sample to the next."""
    increment = value.find("increment")
    if increment is None or increment.get("unit") not in _SECONDS:
        raise RecordingRefused(Reason.SAMPLING_RATE, f"{name}: expected an increment in s, ms or us")
    return number(increment.get("value")) * _SECONDS[increment.get("unit", "")]


def _signal(name: str, value: Element) -> tuple[np.ndarray, float]:
    """Samples in the unit of the scale, and millivolts of that unit."""
    origin, scale = value.find("origin"), value.find("scale")
    if scale is None:
        raise RecordingRefused(Reason.UNKNOWN_UNIT, f"{name}: a lead without scale (uncalibrated)")
    unit = scale.get("unit", "")
    offset = 0.0
    if origin is not None:
        offset = number(origin.get("value"))
        if offset and origin.get("unit") != unit:
            raise RecordingRefused(Reason.UNKNOWN_UNIT, f"{name}: origin and scale in different units")
    samples_T = digits(value.findtext("digits") or "")
    return offset + samples_T * number(scale.get("value")), millivolts_of(name, unit)


def _comments(root: Element) -> list[str]:
    """Id, sex, and age at the time of the recording. The name is never read."""
    subject = root.find(_PERSON)
    if subject is None:
        return []
    person = subject.find("subjectDemographicPerson")
    identity = subject.find("id")
    said = {"patient_id": "" if identity is None else identity.get("extension", "")}
    if person is not None:
        gender = person.find("administrativeGenderCode")
        said["sex"] = "" if gender is None else gender.get("code", "")
        said["age"] = _age(person.find("birthTime"), root.find("effectiveTime/low"))
    return [f"{key}: {value.strip()}" for key, value in said.items() if value.strip()]


def _age(born: Element | None, recorded: Element | None) -> str:
    """Whole years, from dates such as 19510502."""
    dates = [
        re.match(r"(\d{4})(\d{2})(\d{2})", "" if date is None else date.get("value", ""))
        for date in (born, recorded)
    ]
    if dates[0] is None or dates[1] is None:
        return ""
    birth, day = (tuple(int(part) for part in date.groups()) for date in dates if date)
    return str(day[0] - birth[0] - (day[1:] < birth[1:]))
