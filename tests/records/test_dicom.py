"""DICOM waveforms, written here by pydicom, and the one real recording that the package brings along."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_formats import (
    ROW_OF,
    refused,
    write_dicom,
)
from made_recordings import made_ecg

from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.formats.files import read_recording
from coreecg_jax.records.leads import LIMB_FROM_I_II
from coreecg_jax.records.refusals import Reason, RecordingRefused


def test_dicom_by_the_codes_of_its_channels(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    ecg = made_ecg()
    ecg[4, 100:200] = np.nan
    raw = read_recording(write_dicom(tmp_path / "r.dcm", ecg))
    np.testing.assert_allclose(raw.ecg_LT, ecg, atol=6.3e-4)
    about = parse_comments(raw.comments)
    assert (about.patient_id, about.sex, about.age) == ("P9", "F", 64.0)
    assert "SECRET" not in " ".join(raw.comments)


def test_the_recording_that_pydicom_brings(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    try:
        path = pydicom.data.get_testdata_file("waveform_ecg.dcm", download=False)
    except ValueError:
        path = None
    if path is None:
        pytest.skip("this pydicom brings no waveform_ecg.dcm")
    raw = read_recording(Path(path))  # a device's file: codes of SCP-ECG, a rhythm and a median beat
    assert (raw.ecg_LT.shape, raw.sampling_rate, raw.present_L.all()) == ((12, 10_000), 1000.0, True)
    np.testing.assert_allclose(raw.ecg_LT[:6], LIMB_FROM_I_II @ raw.ecg_LT[:2], atol=2e-3)
    group = pydicom.dcmread(path).WaveformSequence[0]  # int16, the channels of a sample together, 1.25 uV
    names = [str(one.ChannelSourceSequence[0].CodeMeaning) for one in group.ChannelDefinitionSequence]
    steps_TC = np.frombuffer(group.WaveformData, "<i2").reshape(10_000, 12)
    for name, steps in zip(names, steps_TC.T):
        row = ROW_OF[name.partition(",")[0].partition(" (")[0].removeprefix("Lead ")]
        np.testing.assert_allclose(raw.ecg_LT[row], steps * 1.25e-3)


def test_dicom_that_is_refused(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    path = write_dicom(tmp_path / "r.dcm", made_ecg())

    def changed(change: Callable) -> RecordingRefused:
        file = pydicom.dcmread(path)
        change(file.WaveformSequence[0], file)
        file.save_as(tmp_path / "changed.dcm")
        return refused(tmp_path / "changed.dcm")

    def lack_sensitivity(group, file) -> None:
        del group.ChannelDefinitionSequence[3].ChannelSensitivity

    def other_start(group, file) -> None:
        import copy

        other = copy.deepcopy(group)
        other.MultiplexGroupTimeOffset = 2500
        file.WaveformSequence.append(other)

    assert changed(lack_sensitivity).reason == Reason.UNKNOWN_UNIT
    assert "recorded together" in changed(other_start).sentence
    assert "none" in changed(lambda group, file: setattr(group, "WaveformOriginality", "DERIVED")).sentence
    assert "at most" in changed(lambda group, file: setattr(group, "NumberOfWaveformSamples", 2**30)).sentence
    path.write_bytes(b"no DICOM")
    assert refused(path).reason == Reason.UNREADABLE
