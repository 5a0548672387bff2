"""EDF, written here from its specification: no file of a device was at hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_formats import (
    refused,
    write_edf,
)
from made_recordings import LEADS, made_ecg

from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.formats.files import read_recording
from coreecg_jax.records.refusals import Reason


@pytest.mark.parametrize("prefix", ["", "ECG ", "EKG-"])
def test_edf_by_label_and_unit(tmp_path: Path, prefix: str) -> None:
    pytest.importorskip("pyedflib")
    ecg, names = made_ecg(), [prefix + name.upper() for name in reversed(LEADS)]
    raw = read_recording(write_edf(tmp_path / "r.EDF", ecg[::-1], names=names))
    np.testing.assert_allclose(raw.ecg_LT, ecg, atol=5.1e-4)
    assert (raw.sampling_rate, raw.present_L.all(), raw.ignored_signals) == (500.0, True, ())
    about = parse_comments(raw.comments)
    assert (about.patient_id, about.sex) == ("MCH-0234567", "F")
    assert "Haagse" not in " ".join(raw.comments)


def test_edf_takes_the_leads_among_other_signals(tmp_path: Path) -> None:
    pytest.importorskip("pyedflib")
    raw = read_recording(
        write_edf(tmp_path / "r.edf", made_ecg()[:3], names=("Resp", "II", "V2"), patient="X X X X")
    )
    assert raw.present_L.tolist() == [name in ("II", "V2") for name in LEADS]
    assert (raw.ignored_signals, raw.comments) == (("Resp",), ())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: raw[:-100], Reason.UNREADABLE),  # cut short
        (lambda raw: raw[:200], Reason.UNREADABLE),
        (lambda raw: raw.replace(b"uV      ", b"degC    "), Reason.UNKNOWN_UNIT),
        (lambda raw: raw.replace(b"EDF+C", b"EDF+D"), Reason.UNREADABLE),
        (lambda raw: raw.replace(b"V3  ", b"V2  "), Reason.DUPLICATED_LEAD),
        (lambda raw: raw[:236] + b"99999999" + raw[244:], Reason.UNREADABLE),  # records
        (lambda raw: raw[:252] + b"9999" + raw[256:], Reason.UNREADABLE),  # signals
    ],
)
def test_edf_that_is_refused(tmp_path: Path, change: Callable[[bytes], bytes], reason: Reason) -> None:
    pytest.importorskip("pyedflib")
    path = write_edf(tmp_path / "r.edf", made_ecg())
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before
    assert refused(path).reason == reason
