"""GE MUSE XML (`RestingECG`): the rhythm waveform, 16-bit samples in base64.

MUSE stores I, II and V1 to V6; III, aVR, aVL and aVF are by definition combinations of I and II and are
computed here. Not read: median beats, pace spikes, statements (free text that may name people).
"""

import base64
import binascii
from xml.etree.ElementTree import Element

import numpy as np

from coreecg_jax.records.formats.limits import check_values
from coreecg_jax.records.formats.numbers import number
from coreecg_jax.records.formats.placing import millivolts_of, placed, positions
from coreecg_jax.records.leads import LIMB_FROM_I_II, LIMB_LEADS
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused

INVALID = -32768
_DEMOGRAPHICS = {"patient_id": "PatientID", "age": "PatientAge", "sex": "Gender"}


def muse_recording(name: str, root: Element) -> Recording:
    """The recording of a `RestingECG`.

    Raises:
      RecordingRefused: when it cannot be read, with the reason.
      ValueError: when a number is none.
    """
    rhythms = [
        one for one in root.findall("Waveform") if one.findtext("WaveformType", "").strip() == "Rhythm"
    ]
    if len(rhythms) != 1:
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: expected one rhythm waveform, got {len(rhythms)}")
    leads = rhythms[0].findall("LeadData")
    if not leads:
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: the rhythm waveform has no leads")
    names = [lead.findtext("LeadID", "").strip() for lead in leads]
    signals = [_signal(name, lead) for lead in leads]
    if len({signal.size for signal in signals}) > 1:
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: the leads are of different lengths")
    check_values(name, len(signals), signals[0].size)
    exponent = number(rhythms[0].findtext("SampleExponent", "0"))
    rate = number(rhythms[0].findtext("SampleBase")) * 10.0 ** max(-12.0, min(12.0, exponent))
    names, signals_ST = _with_limb_leads(name, names, np.stack(signals))
    return placed(name, names, signals_ST, [1.0] * len(names), rate, _comments(root))


def _signal(name: str, lead: Element) -> np.ndarray:
    """float64 (T,) in mV, NaN where a sample is marked as invalid."""
    if lead.findtext("LeadSampleSize", "2").strip() != "2":
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: expected samples of 2 bytes")
    try:
        raw = base64.b64decode("".join(lead.findtext("WaveFormData", "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: samples are no base64 ({error})") from error
    samples = number(lead.findtext("LeadSampleCountTotal"))
    if len(raw) != 2 * samples:
        raise RecordingRefused(
            Reason.UNREADABLE, f"{name}: expected {samples:g} samples in a lead, got {len(raw) / 2:g}"
        )
    scale = number(lead.findtext("LeadAmplitudeUnitsPerBit"))
    scale *= millivolts_of(name, lead.findtext("LeadAmplitudeUnits", ""))
    stored_T = np.frombuffer(raw, "<i2")
    return np.where(stored_T == INVALID, np.nan, stored_T * scale)


def _with_limb_leads(name: str, names: list[str], signals_ST: np.ndarray) -> tuple[list[str], np.ndarray]:
    """I and II, and nothing else of the limbs: the others are computed."""
    there = positions(name, names)
    if not {"I", "II"} <= set(there) or set(there) & set(LIMB_LEADS[2:]):
        return names, signals_ST
    limb_LT = LIMB_FROM_I_II[2:] @ signals_ST[[there["I"], there["II"]]]
    return [*names, *LIMB_LEADS[2:]], np.concatenate([signals_ST, limb_LT])


def _comments(root: Element) -> list[str]:
    """Id, age in years and sex. The name is never read."""
    found = root.find("PatientDemographics")
    if found is None:
        return []
    said = {key: found.findtext(tag, "").strip() for key, tag in _DEMOGRAPHICS.items()}
    if found.findtext("AgeUnits", "YEARS").strip().upper() != "YEARS":
        said["age"] = ""
    return [f"{key}: {value}" for key, value in said.items() if value]
