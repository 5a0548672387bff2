"""Reading by name, with gains, baselines and units; every way a file can be refused."""

from pathlib import Path

import numpy as np
import pytest
from made_recordings import LEADS, change, made_ecg, write_record

from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.wfdb_files import read_wfdb


def refusal(header: Path) -> RecordingRefused:
    """The refusal that reading raises."""
    with pytest.raises(RecordingRefused) as caught:
        read_wfdb(header)
    assert str(caught.value.sentence)
    return caught.value


@pytest.mark.parametrize("suffix", ["dat", "mat"])
def test_reads_what_was_written(tmp_path: Path, suffix: str) -> None:
    ecg = made_ecg()
    recording = read_wfdb(write_record(tmp_path, ecg=ecg, suffix=suffix))
    assert recording.sampling_rate == 500
    assert recording.present_L.all()
    assert recording.ignored_signals == ()
    np.testing.assert_allclose(recording.ecg_LT, ecg, atol=0.5001e-3)


def test_leads_are_found_by_name(tmp_path: Path) -> None:
    ecg = made_ecg()
    order = np.random.default_rng(1).permutation(12)
    spellings = {"aVR": "AVR", "aVL": "avl", "aVF": "lead aVF", "V1": "v1", "I": "i"}
    names = [spellings.get(LEADS[k], LEADS[k]) for k in order]
    recording = read_wfdb(write_record(tmp_path, ecg=ecg[order], names=names))
    np.testing.assert_allclose(recording.ecg_LT, ecg, atol=0.5001e-3)


def test_each_lead_has_its_own_gain_and_baseline(tmp_path: Path) -> None:
    ecg = made_ecg()
    gains = np.linspace(698, 2317, 12)
    recording = read_wfdb(write_record(tmp_path, ecg=ecg, gains=gains, baselines=range(-60, 60, 10)))
    assert np.abs(recording.ecg_LT - ecg).max() < 0.5 / 697


@pytest.mark.parametrize(("unit", "gain"), [("mV", 1e3), ("uV", 1), ("µV", 1), ("μV", 1), ("V", 1e6)])
def test_units_become_millivolts(tmp_path: Path, unit: str, gain: float) -> None:
    ecg = made_ecg()
    per_unit = {"mV": 1.0, "V": 1e-3}.get(unit, 1e3)
    recording = read_wfdb(write_record(tmp_path, ecg=ecg * per_unit, gains=gain, units=unit))
    np.testing.assert_allclose(recording.ecg_LT, ecg, atol=0.5001e-3)


def test_invalid_samples_are_nan(tmp_path: Path) -> None:
    ecg = made_ecg()
    ecg[4, 100:110] = np.nan
    recording = read_wfdb(write_record(tmp_path, ecg=ecg))
    np.testing.assert_array_equal(np.isnan(recording.ecg_LT), np.isnan(ecg))


def test_other_signals_are_ignored_and_named(tmp_path: Path) -> None:
    ecg = made_ecg()
    names = ("vx", *LEADS, "Resp")
    recording = read_wfdb(write_record(tmp_path, ecg=np.vstack([ecg[:1], ecg, ecg[:1]]), names=names))
    assert recording.ignored_signals == ("vx", "Resp")
    np.testing.assert_allclose(recording.ecg_LT, ecg, atol=0.5001e-3)


def test_a_missing_lead_is_nan_and_not_present(tmp_path: Path) -> None:
    recording = read_wfdb(write_record(tmp_path, ecg=made_ecg()[:11], names=LEADS[:11]))
    assert recording.present_L.tolist() == [True] * 11 + [False]
    assert np.isnan(recording.ecg_LT[11]).all()


@pytest.mark.parametrize(
    "file",
    ["../rec.dat", "/etc/hostname", "sub/rec.dat", "..", "sub\\rec.dat", "http://host/rec.dat", "~", "s3:x"],
)
def test_files_outside_the_folder_are_never_opened(tmp_path: Path, file: str) -> None:
    write_record(tmp_path)
    write_record(tmp_path / "sub")
    header = change(write_record(tmp_path / "inner"), "rec.dat", file)
    assert refusal(header).reason == Reason.OUTSIDE_FOLDER


def test_a_folder_named_like_a_chained_url_is_refused(tmp_path: Path) -> None:
    header = write_record(tmp_path / "simplecache::http:")
    assert refusal(header).reason == Reason.OUTSIDE_FOLDER


def test_segments_are_refused(tmp_path: Path) -> None:
    write_record(tmp_path, "part")
    header = tmp_path / "whole.hea"
    header.write_text("whole/2 12 500 10000\npart 5000\n../part 5000\n")
    assert refusal(header).reason == Reason.UNREADABLE


@pytest.mark.parametrize("rate", ["0", "-500", "nan", "1e9", "50000", "abc", ""])
def test_a_rate_that_cannot_be_is_refused(tmp_path: Path, rate: str) -> None:
    header = write_record(tmp_path)
    header.write_text(header.read_text().replace("rec 12 500 5000", f"rec 12 {rate} {5000 if rate else ''}"))
    assert refusal(header).reason == Reason.SAMPLING_RATE


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("/mV", "/mmHg", Reason.UNKNOWN_UNIT),
        ("/mV", "/bpm", Reason.UNKNOWN_UNIT),
        ("1000(0)/mV", "0(0)/mV", Reason.UNKNOWN_UNIT),
        ("1000(0)/mV", "x", Reason.UNKNOWN_UNIT),
        (" V6", " V5", Reason.DUPLICATED_LEAD),
        ("rec 12", "rec 13", Reason.UNREADABLE),
        ("rec 12", "rec none", Reason.UNREADABLE),
        ("rec 12 500 5000", "rec 12 500 6000", Reason.UNREADABLE),
        (".dat 16 ", ".dat 16x2 ", Reason.UNREADABLE),
        (".dat 16 ", ".dat 99 ", Reason.UNREADABLE),
        ("rec.dat", "other.dat", Reason.UNREADABLE),
    ],
)
def test_a_broken_header_is_refused(tmp_path: Path, old: str, new: str, reason: Reason) -> None:
    assert refusal(change(write_record(tmp_path), old, new)).reason == reason


def test_broken_files_are_refused(tmp_path: Path) -> None:
    truncated = write_record(tmp_path, "truncated")
    signal = tmp_path / "truncated.dat"
    signal.write_bytes(signal.read_bytes()[:-1000])
    empty, noise = tmp_path / "empty.hea", tmp_path / "noise.hea"
    empty.write_bytes(b"\n")
    noise.write_bytes(np.random.default_rng(0).bytes(1000))
    huge = tmp_path / "huge.hea"
    huge.write_bytes(b"#" * (1 << 21))
    for header in (truncated, empty, noise, huge, tmp_path / "absent.hea"):
        assert refusal(header).reason == Reason.UNREADABLE
