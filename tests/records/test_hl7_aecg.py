"""HL7 aECG, written here from its specification: no file of a device was at hand."""

from pathlib import Path

import numpy as np
import pytest
from made_formats import (
    hl7_xml,
    refused,
)
from made_recordings import made_ecg

from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.formats.files import read_recording
from coreecg_jax.records.refusals import Reason


def test_hl7_by_code_and_scale(tmp_path: Path) -> None:
    pytest.importorskip("defusedxml")
    ecg, path = made_ecg(), tmp_path / "r.xml"
    path.write_text(hl7_xml(ecg))
    raw = read_recording(path)
    np.testing.assert_allclose(raw.ecg_LT, ecg, atol=1.26e-3)
    assert raw.sampling_rate == pytest.approx(500.0)
    about = parse_comments(raw.comments)
    assert (about.patient_id, about.sex, about.age) == ("SBJ_1", "M", 49.0)
    path.write_text(hl7_xml(ecg).replace('<origin value="0"', '<origin value="100"'))
    np.testing.assert_allclose(read_recording(path).ecg_LT, ecg + 0.1, atol=1.26e-3)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('unit="uV"/><digits>', 'unit="1"/><digits>', Reason.UNKNOWN_UNIT),
        ('<scale value="2.5" unit="uV"/>', "", Reason.UNKNOWN_UNIT),
        ('value="0.002"', 'value="x"', Reason.UNREADABLE),
        ('value="0.002"', 'value="0"', Reason.SAMPLING_RATE),
        ('unit="s"', 'unit="min"', Reason.SAMPLING_RATE),
        ("LEAD_V3", "LEAD_V2", Reason.DUPLICATED_LEAD),
        ("<digits>", "<digits>1 2 3 ", Reason.UNREADABLE),  # of the first lead only
        ("<digits>", "<digits>nonsense ", Reason.UNREADABLE),
    ],
)
def test_hl7_that_is_refused(tmp_path: Path, old: str, new: str, reason: Reason) -> None:
    pytest.importorskip("defusedxml")
    text = hl7_xml(made_ecg(seconds=1))
    assert old in text
    (tmp_path / "r.xml").write_text(text.replace(old, new, 1))
    assert refused(tmp_path / "r.xml").reason == reason
