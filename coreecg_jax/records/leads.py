"""The twelve leads: their names, their order, and the algebra of the limb leads.

Everything that knows a lead by its position takes the position from here; files are read by name.
"""

import re
from collections.abc import Sequence

import numpy as np

LIMB_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF")
CHEST_LEADS = ("V1", "V2", "V3", "V4", "V5", "V6")
LEADS = LIMB_LEADS + CHEST_LEADS

# Each limb lead as a combination of I and II (Einthoven 1912, Goldberger 1942); float64[6, 2].
LIMB_FROM_I_II = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]], dtype=np.float64)

# DI, DII and DIII are I, II and III in Romance languages. C1 to C6, which IEC 60601 has for chest leads, are
# no names here: recordings of sleep call electrodes on the scalp so.
_BY_LOWER_NAME: dict[str, str] = {name.lower(): name for name in LEADS} | {
    f"d{name.lower()}": name for name in LIMB_LEADS[:3]
}
# 'lead I', 'ECG II', 'EKG-V1' (EDF), 'MDC_ECG_LEAD_AVR' (HL7 and DICOM), 'Ableitung I'. One hyphen belongs to
# the word; a second is a minus.
_PREFIX = re.compile(r"(?:mdc_ecg_lead_|(?:lead|ableitung|ecg|ekg)(?:\s*[-_]\s+|[\s_-])?)", re.IGNORECASE)
_SUFFIX = re.compile(r"\s*(?:\([^()]*\)|\[mv\])$", re.IGNORECASE)  # 'Lead I (Einthoven)' (DICOM), 'I [mV]'
_MINUS = ("-", "\u2212", "\u2013")  # hyphen, minus, dash


class UnknownLeadError(ValueError):
    """A lead name that is none of the twelve."""


def canonical_name(name: str) -> str:
    """The standard spelling of a lead name: ``'AVR'``, ``' aV R '``, ``'lead aVR'`` and ``'ECG aVR'`` give
    ``'aVR'``.

    Raises:
      UnknownLeadError: when the name is none of the twelve; also for ``'-aVR'``, whose signal is that of aVR
        upside down (order of Cabrera).
    """
    bare = _SUFFIX.sub("", _PREFIX.sub("", name.strip(), count=1))
    key = re.sub(r"[\s_]", "", bare).lower()
    if key[:1] in _MINUS and key[1:] in _BY_LOWER_NAME:
        lead = _BY_LOWER_NAME[key[1:]]
        raise UnknownLeadError(f"lead {name!r} is {lead} upside down: hand in its signal times -1 as {lead}")
    if key not in _BY_LOWER_NAME:
        raise UnknownLeadError(f"unknown lead {name!r}: expected one of {', '.join(LEADS)} (any case)")
    return _BY_LOWER_NAME[key]


def lead_indices(names: Sequence[str]) -> tuple[int, ...]:
    """Positions of the named leads in `LEADS`, in the order in which they are named.

    Raises:
      UnknownLeadError: when a name is none of the twelve.
      ValueError: when a lead is named twice, or none is named.
    """
    canonical = [canonical_name(name) for name in names]
    repeated = sorted({name for name in canonical if canonical.count(name) > 1})
    if repeated or not canonical:
        raise ValueError(
            f"expected each lead once and at least one, got {list(names)} (repeated: {repeated})"
        )
    return tuple(LEADS.index(name) for name in canonical)
