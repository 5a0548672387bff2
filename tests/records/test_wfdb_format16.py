"""Format 16 is decoded to the bit as the `wfdb` package decodes it; all else is left to that package."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from made_recordings import LEADS, change, made_ecg, write_record

from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.wfdb_files import read_wfdb
from coreecg_jax.records.wfdb_format16 import is_format16, read_format16
from coreecg_jax.records.wfdb_headers import read_header

with warnings.catch_warnings():  # as in wfdb_files
    warnings.simplefilter("ignore", DeprecationWarning)
    import wfdb


def by_wfdb(header: Path) -> np.ndarray:
    """float64[signals, T]."""
    return wfdb.rdrecord(str(header.with_suffix(""))).p_signal.T


def ours(header: Path) -> np.ndarray:
    """float64[signals, T], and the file is one that we decode."""
    info = read_header(header)
    assert is_format16(info)
    return read_format16(header, info)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_equals_wfdb_on_real_records(real_ecg: Path, every: int) -> None:
    headers = sorted(real_ecg.rglob("*.hea"))
    assert len(headers) >= 695
    for header in headers[::every]:
        np.testing.assert_array_equal(ours(header), by_wfdb(header), str(header))


@pytest.mark.parametrize("suffix", ["dat", "mat"])
def test_equals_wfdb_with_gains_baselines_and_invalid_samples(tmp_path: Path, suffix: str) -> None:
    ecg = made_ecg()
    ecg[3, 17:29] = np.nan
    gains, baselines = np.linspace(-698.5, 2317, 12), range(-600, 600, 100)
    header = write_record(tmp_path, ecg=ecg, gains=gains, baselines=baselines, suffix=suffix)
    np.testing.assert_array_equal(ours(header), by_wfdb(header))
    assert np.isnan(ours(header)).sum() == 12


@pytest.mark.parametrize(("gain", "zero"), [("1000", 512), ("1e3/mV", -512), ("200.5", 0)])
def test_without_a_baseline_the_zero_of_the_adc_is_it(tmp_path: Path, gain: str, zero: int) -> None:
    header = change(write_record(tmp_path), "1000(0)/mV 16 0", f"{gain} 16 {zero}")
    assert {signal.baseline for signal in read_header(header).signals} == {zero}
    np.testing.assert_array_equal(ours(header), by_wfdb(header))


def test_a_signal_line_may_end_after_the_gain(tmp_path: Path) -> None:
    header = write_record(tmp_path)
    lines = [line.split(" 16 0 0 0 0 ")[0] for line in header.read_text().splitlines()]
    header.write_text("\n".join(lines) + "\n")
    np.testing.assert_array_equal(ours(header), by_wfdb(header))


def test_signals_may_lie_in_several_files(tmp_path: Path) -> None:
    ecg = made_ecg()
    lines = []
    for name, part in {"chest": slice(6, 12), "first": slice(0, 2), "others": slice(2, 6)}.items():
        header = write_record(tmp_path, name, ecg[part], names=LEADS[part])
        lines += header.read_text().splitlines()[1:]
    header = tmp_path / "all.hea"
    header.write_text("\n".join(["all 12 500 5000", *lines]) + "\n")
    np.testing.assert_array_equal(ours(header), by_wfdb(header))
    np.testing.assert_allclose(read_wfdb(header).ecg_LT, ecg, atol=0.5001e-3)
    header.write_text("\n".join(["all 12 500 5000", *lines[1:], lines[0]]) + "\n")
    assert not is_format16(read_header(header))  # a file in two stretches: not a valid header


def test_samples_beyond_those_of_the_header_are_not_read(tmp_path: Path) -> None:
    header = change(write_record(tmp_path), "rec 12 500 5000", "rec 12 500 4000")
    assert ours(header).shape == (12, 4000)
    np.testing.assert_array_equal(ours(header), by_wfdb(header))


@pytest.mark.parametrize("suffix", ["dat", "mat"])
@pytest.mark.parametrize("samples", [5001, 10**15])
def test_a_file_shorter_than_the_header_says_is_refused(tmp_path: Path, suffix: str, samples: int) -> None:
    header = change(write_record(tmp_path, suffix=suffix), "rec 12 500 5000", f"rec 12 500 {samples}")
    with pytest.raises(RecordingRefused, match=r"bytes in rec|at most 2000000 samples in each") as caught:
        read_wfdb(header)
    assert caught.value.reason == Reason.UNREADABLE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rec 12 500 5000", "rec 12 500"),
        ("rec.dat 16 1000(0)/mV 16 0 0 0 0 V6", "rec.dat 16+0 1000/mV 16 x 0 0 0 V6"),
        ("dat 16 ", "dat 61 "),
    ],
)
def test_what_is_unusual_is_left_to_wfdb(tmp_path: Path, old: str, new: str) -> None:
    header = change(write_record(tmp_path), old, new)
    assert not is_format16(read_header(header))


def test_the_number_of_samples_may_be_left_to_the_file(tmp_path: Path) -> None:
    header = write_record(tmp_path)
    expected = read_wfdb(header).ecg_LT
    np.testing.assert_array_equal(read_wfdb(change(header, "rec 12 500 5000", "rec 12 500")).ecg_LT, expected)
