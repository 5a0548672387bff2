import pytest

from coreecg_jax.records.formats.placing import positions
from coreecg_jax.records.leads import UnknownLeadError, canonical_name


@pytest.mark.parametrize(
    ("name", "lead"),
    [
        *(
            (name, "aVR")
            for name in ("aVR", "AVR", " avr ", "aV R", "lead aVR", "lead_avr", "MDC_ECG_LEAD_AVR")
        ),
        *(
            (name, "V1")
            for name in ("V1", "v 1", "V_1", "EKG-V1", "ECG V1", "ECG - V1", "V1 [mV]", "V1(chest)")
        ),
        *((name, "I") for name in ("I", "DI", "D I", "Ableitung I", "Lead I (Einthoven)", "ECG I")),
    ],
)
def test_a_lead_has_many_spellings(name, lead):
    assert canonical_name(name) == lead
    assert positions("f", ["vx", name]) == {lead: 1}


@pytest.mark.parametrize("name", ["-aVR", "- aVR", "lead -aVR", "ECG -aVR", "\N{MINUS SIGN}aVR", "-I"])
def test_a_lead_upside_down_is_not_its_opposite(name):
    """Recordings in the order of Cabrera have it: taken for aVR, it was embedded without a word."""
    with pytest.raises(UnknownLeadError, match=r"upside down: hand in its signal times -1 as (aVR|I)$"):
        canonical_name(name)
    assert positions("f", ["II", name]) == {"II": 0}


@pytest.mark.parametrize(
    "name", ["", "lead", "V7", "V0", "C3", "EEG C3-A2", "1", "vx", "II+", "aVR2", "I [uV]"]
)
def test_others_are_none_of_the_twelve(name):
    with pytest.raises(UnknownLeadError, match=r"unknown lead .*: expected one of I, II, III, aVR"):
        canonical_name(name)
