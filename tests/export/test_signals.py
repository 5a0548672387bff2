"""Signals that a user hands to a bundle: what is read, and errors that say what to do."""

import weakref

import jax
import numpy as np
import pytest
from made_bundle import rows

from coreecg_jax.records.leads import LEADS, UnknownLeadError
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import RecordingRefused


def test_what_cannot_be_used_is_refused_before_the_first_filter(bundle, ecg, monkeypatch) -> None:
    monkeypatch.setattr("coreecg_jax.export.bundle.filters_are_imported", lambda: False)
    test_what_cannot_be_used_is_refused(bundle, ecg)


def test_what_cannot_be_used_is_refused(bundle, ecg) -> None:
    flat = ecg.copy()
    flat[8] = 0.0
    for arguments, error, said in (
        (([ecg, ecg[:, :3000]], 500, LEADS), RecordingRefused, "too_short: recording 1: .* got 6.00 s"),
        ((ecg * 1000, 500, LEADS), RecordingRefused, "wrong_unit: "),
        ((flat, 500, LEADS), RecordingRefused, "flat_lead: .*V3: leave these leads out, or mask"),
        ((ecg[:3], 500, LEADS), ValueError, r"expected shape \(12 leads, samples\)"),
        ((ecg, 500, ("I", *LEADS[:11])), ValueError, "expected each lead once"),
        ((ecg[:1], 500, ("MLII",)), UnknownLeadError, "unknown lead 'MLII'"),
        ((np.int16(ecg * 1000), 500, LEADS), ValueError, "divided by the gain"),
        ((ecg, 0, LEADS), ValueError, "fs: expected the sampling rate, .* got 0"),
        (([], 500, LEADS), ValueError, "at least one recording"),
    ):
        signal, fs, leads = arguments
        with pytest.raises(error, match=said):
            bundle.embed(signal, fs=fs, leads=leads)
    with pytest.raises(ValueError, match="bad_leads: expected one of refuse, mask"):
        bundle.embed(ecg, fs=500, bad_leads="zero")


def test_common_slips_are_told_with_the_way_out(bundle, ecg) -> None:
    """Of several recordings the number of the wrong one."""
    ragged = [row[: 4000 + place].tolist() for place, row in enumerate(ecg)]
    for arguments, said in (
        (([ecg] * 65 + [ecg[:11]], 500, LEADS), r"recording 65: signal: expected shape .* got \(11, 5000\)"),
        (([ecg, np.int16(ecg * 1000)], 500, LEADS), "recording 1: .* divided by the gain"),
        (([ecg, ragged], 500, LEADS), "recording 1: signal: expected as many samples of each lead"),
        ((ragged, 500, LEADS), "signal: expected rows of one recording, all as long"),
        ((ecg.T, 500, LEADS), r"^signal: .* got \(5000, 12\): transpose it, signal\.T"),
        ((ecg[0], 500, ("I",)), r"expected \[leads, samples\].* one lead alone is signal\[None\]"),
        ((None, 500, LEADS), "got NoneType"),
        ((ecg[1:2], 500, "II"), r"got the text 'II': write leads=\('II',\)"),
        ((ecg, 500, None), "got None: leave leads out"),
        ((ecg, 500, range(12)), r"got range\(0, 12\): leave leads out"),
        *(((ecg, fs, LEADS), "fs: expected .* number of Hz") for fs in ("500", None, [500], np.nan, np.inf)),
    ):
        signal, fs, leads = arguments
        with pytest.raises(ValueError, match=said):
            bundle.embed(signal, fs=fs, leads=leads)


def test_two_dimensions_of_any_kind_are_one_recording(bundle, ecg, embedding) -> None:
    pandas = pytest.importorskip("pandas")
    for one in (pandas.DataFrame(ecg), jax.numpy.asarray(ecg), ecg.tolist(), list(ecg)):
        np.testing.assert_allclose(bundle.embed(one, fs=np.float32(500)), embedding, atol=1e-4)
    both = bundle.embed([ecg.tolist(), pandas.DataFrame(ecg)], fs=np.int64(500))
    np.testing.assert_allclose(both, np.repeat(embedding, 2, 0), atol=1e-4)


def test_what_numpy_masks_is_not_read(bundle, ecg) -> None:
    masked = np.ma.masked_array(ecg, mask=False)
    masked[8, 100:400] = np.ma.masked
    masked.data[8, 100:400] = 3.0
    for one in (masked, masked[None], list(masked)):
        with pytest.raises(RecordingRefused, match=r"nan: .*V3: leave these leads out"):
            bundle.embed(one, fs=500)
    expected = bundle.embed(np.where(masked.mask, np.nan, ecg), fs=500, bad_leads="mask")
    np.testing.assert_array_equal(bundle.embed(masked, fs=500, bad_leads="mask"), expected)


def test_recordings_are_held_one_after_the_other(bundle, ecg, monkeypatch) -> None:
    """As float64 at their own rate they are many times as large as their windows."""
    made, alive = [], []

    def placed(*arguments):
        made.append(weakref.ref(one := Recording(*arguments)))
        alive.append(sum(each() is not None for each in made))
        return one

    monkeypatch.setattr("coreecg_jax.export.recordings.Recording", placed)
    monkeypatch.setattr("coreecg_jax.export.bundle.filters_are_imported", lambda: False)
    bundle.embed([ecg] * 4, fs=500)
    assert len(made) == 4  # none to know what to compile
    assert max(alive) <= 2


@pytest.mark.parametrize("sample", [np.inf, -np.inf, 1e30, -1e300, np.nan])
def test_a_sample_that_is_none_is_a_bad_lead(bundle, ecg, embedding, sample) -> None:
    bad = ecg.copy()
    bad[8, 100] = sample
    said = r"nan: recording 1: .* invalid or beyond 1e\+06 mV: V3: leave these leads out, or mask them"
    with pytest.raises(RecordingRefused, match=said):
        bundle.embed([ecg, bad], fs=500)
    eleven = [lead for lead in LEADS if lead != "V3"]
    expected = bundle.embed(rows(ecg, eleven), fs=500, leads=eleven)
    np.testing.assert_allclose(bundle.embed([ecg, bad], fs=500, bad_leads="mask")[1], expected[0], atol=1e-5)
    assert np.abs(expected - embedding).max() > 0.1


def test_a_lead_that_no_window_of_training_could_hold_is_bad(bundle, ecg) -> None:
    """Preparing refuses it, and its size would hide all other leads from the encoder."""
    bad = ecg.copy()
    bad[8, 2500:2520] = 100.0  # mV
    said = r"int16_overflow: recording 0: expected at most 32.767 mV once filtered, got 1[0-9]+ mV in V3"
    with pytest.raises(RecordingRefused, match=said):
        bundle.embed(bad, fs=500)
    eleven = [lead for lead in LEADS if lead != "V3"]
    expected = bundle.embed(rows(ecg, eleven), fs=500, leads=eleven)
    np.testing.assert_allclose(bundle.embed(bad, fs=500, bad_leads="mask"), expected, atol=1e-5)
    with pytest.raises(RecordingRefused, match="no_good_lead: recording 0: expected at least one"):
        bundle.embed(bad[8:9], fs=500, leads=("V3",), bad_leads="mask")
