"""GE MUSE XML, written here as it is documented: no file of a device was at hand."""

from pathlib import Path

import numpy as np
import pytest
from made_formats import (
    MUSE_LEADS,
    ROW_OF,
    lawful_ecg,
    muse_xml,
    refused,
)
from made_recordings import LEADS, made_ecg

from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.formats.files import read_recording
from coreecg_jax.records.refusals import Reason


def test_muse_computes_the_limb_leads_that_it_leaves_out(tmp_path: Path) -> None:
    pytest.importorskip("defusedxml")
    ecg, path = lawful_ecg(), tmp_path / "r.xml"
    path.write_text(muse_xml(ecg[[ROW_OF[name] for name in MUSE_LEADS]]), encoding="latin-1")
    raw = read_recording(path)
    np.testing.assert_allclose(raw.ecg_LT, ecg, atol=2 * 2.45e-3)
    assert (raw.sampling_rate, raw.present_L.all()) == (500.0, True)
    about = parse_comments(raw.comments)
    assert (about.patient_id, about.sex, about.age, about.labels) == ("P 17", "F", 64.0, ())
    assert "SECRET" not in " ".join(raw.comments)


def test_muse_with_all_twelve_keeps_them_and_marks_invalid_samples(tmp_path: Path) -> None:
    pytest.importorskip("defusedxml")
    ecg = made_ecg()
    ecg[3, :10] = -32768 * 4.88e-3
    (tmp_path / "r.xml").write_text(muse_xml(ecg, names=LEADS))
    raw = read_recording(tmp_path / "r.xml")
    assert np.isnan(raw.ecg_LT[3, :10]).all()
    assert np.isnan(raw.ecg_LT).sum() == 10
    np.testing.assert_allclose(raw.ecg_LT[4], ecg[4], atol=2.45e-3)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("MICROVOLTS", "PARSECS", Reason.UNKNOWN_UNIT),
        ("<SampleBase>500", "<SampleBase>0", Reason.SAMPLING_RATE),
        ("<WaveformType>Rhythm", "<WaveformType>Median", Reason.UNREADABLE),
        ("<LeadSampleCountTotal>500", "<LeadSampleCountTotal>501", Reason.UNREADABLE),
        ("<LeadSampleSize>2", "<LeadSampleSize>4", Reason.UNREADABLE),
        ("<WaveFormData>\n", "<WaveFormData>%", Reason.UNREADABLE),
        ("<LeadID>V2", "<LeadID>V1", Reason.DUPLICATED_LEAD),
        ("</RestingECG>", "", Reason.UNREADABLE),
        ("RestingECG>", "HolterECG>", Reason.UNREADABLE),
    ],
)
def test_muse_that_is_refused(tmp_path: Path, old: str, new: str, reason: Reason) -> None:
    pytest.importorskip("defusedxml")
    text = muse_xml(made_ecg(seconds=1)[:8])
    assert old in text
    (tmp_path / "r.xml").write_text(text.replace(old, new))
    assert refused(tmp_path / "r.xml").reason == reason
