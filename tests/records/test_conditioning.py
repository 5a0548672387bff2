"""Resampling, filtering, windows and rounding against analytic values."""

import numpy as np
import pytest
import scipy.signal
from made_recordings import made_ecg

from coreecg_jax.records import conditioning
from coreecg_jax.records.formats import limits
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.schema import Preprocessing


@pytest.mark.parametrize("rate", [100.0, 128.0, 250.0, 257.0, 360.0, 400.0, 499.9, 500.0, 1000.0])
@pytest.mark.parametrize("new_rate", [100.0, 250.0])
def test_resampling_a_sine_gives_the_sine(rate: float, new_rate: float) -> None:
    hertz, seconds = 7.3, 10.0
    times = np.arange(int(seconds * rate)) / rate
    resampled = conditioning.resample(np.sin(2 * np.pi * hertz * times)[None], rate, new_rate)[0]
    assert resampled.size == int(np.ceil(times.size * new_rate / rate))
    inside = slice(round(new_rate), -round(new_rate))
    expected = np.sin(2 * np.pi * hertz * np.arange(resampled.size) / new_rate)
    np.testing.assert_allclose(resampled[inside], expected[inside], atol=2e-3)


def test_what_would_grow_beyond_memory_is_refused_before_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_VALUES", 12 * 2500)
    assert conditioning.resample(np.zeros((12, 800)), 80.0, 250.0).shape == (12, 2500)
    with pytest.raises(
        RecordingRefused, match=r"at 250 Hz: expected at most 2500 samples in each .* got 2504"
    ):
        conditioning.resample(np.zeros((12, 801)), 80.0, 250.0)
    # A header may claim any rate: 12 leads of 10 million samples would become 240 GB.
    claimed = np.broadcast_to(0.0, (12, 10_000_000))
    with pytest.raises(RecordingRefused, match=r"got 2500000000: cut the recording first"):
        conditioning.resample(claimed, 1.0, 250.0)
    assert conditioning.resample(np.zeros((12, 5002)), 500.0, 250.0).shape == (12, 2501)  # it shrinks


def test_resampling_removes_what_would_alias() -> None:
    times = np.arange(5000) / 500
    mains = np.sin(2 * np.pi * 60 * times)[None]  # would appear at 40 Hz when every fifth sample is taken
    resampled = conditioning.resample(mains, 500.0, 100.0)[0, 100:-100]
    assert np.abs(resampled).max() < 0.01
    assert np.abs(mains[0, ::5]).max() > 0.9


def test_the_band_passes_in_place_and_stops_outside() -> None:
    p = Preprocessing()
    times = np.arange(round(40 * p.sampling_rate)) / p.sampling_rate
    inside = slice(2500, -2500)

    def gain(hertz: float) -> float:
        wave = np.sin(2 * np.pi * hertz * times)
        passed = conditioning.band_pass(wave[None], p)[0]
        return float((passed[inside] @ wave[inside]) / (wave[inside] @ wave[inside]))

    # Forwards and backwards: the squared magnitude of an order-5 Butterworth filter.
    def butterworth(ratio: float) -> float:
        return 1 / (1 + ratio**10)

    warp = np.tan(np.pi * np.array([35.0, 40.0, 60.0]) / p.sampling_rate)
    assert gain(10.0) == pytest.approx(1.0, abs=1e-3)
    assert gain(40.0) == pytest.approx(0.5, abs=5e-3)
    assert gain(35.0) == pytest.approx(butterworth(warp[0] / warp[1]), abs=5e-3)
    assert gain(60.0) == pytest.approx(butterworth(warp[2] / warp[1]), abs=5e-3)
    assert gain(0.67) == pytest.approx(0.5, abs=5e-3)
    assert abs(gain(0.1)) < 1e-4


def test_an_offset_leaves_nothing_behind() -> None:
    p = Preprocessing()
    ecg = made_ecg(rate=p.sampling_rate)
    shifted = conditioning.condition(ecg + 300.0, p.sampling_rate, p)
    np.testing.assert_allclose(shifted, conditioning.condition(ecg, p.sampling_rate, p), atol=1e-6)


def test_a_recording_is_filtered_before_it_is_cut() -> None:
    p = Preprocessing()
    ecg = made_ecg(seconds=30.0, rate=p.sampling_rate) + np.linspace(0, 5, 7500)
    whole = conditioning.condition(ecg, p.sampling_rate, p)
    # Around the cut at 10 s the signal is that of a recording which has no edge anywhere near.
    far = conditioning.condition(ecg[:, 1000:], p.sampling_rate, p)
    np.testing.assert_allclose(whole[:, 2450:2550], far[:, 1450:1550], atol=1e-3)
    alone = conditioning.condition(ecg[:, :2500], p.sampling_rate, p)
    assert np.abs(alone[:, 2450:] - whole[:, 2450:2500]).max() > 0.02


def test_filtering_equals_scipys_own_steps() -> None:
    p = Preprocessing(sampling_rate=100.0)
    ecg = made_ecg(rate=100.0)
    expected = ecg
    for kind, cutoff in (("highpass", 0.67), ("lowpass", 40.0)):
        b_a = scipy.signal.butter(5, cutoff, kind, fs=100.0)
        expected = scipy.signal.filtfilt(*b_a, expected, axis=-1, padlen=400)
    np.testing.assert_allclose(conditioning.band_pass(ecg, p), expected, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 2, 300, 401, 402, 1000])
def test_filtering_is_scipys_to_the_bit(samples: int) -> None:
    p = Preprocessing(sampling_rate=100.0)
    ecg = made_ecg(rate=100.0)[:, :samples]
    expected = ecg
    for kind, cutoff in (("highpass", 0.67), ("lowpass", 40.0)):
        sos = scipy.signal.butter(5, cutoff, kind, fs=100.0, output="sos")
        expected = scipy.signal.sosfiltfilt(sos, expected, axis=-1, padlen=min(samples - 1, 400))
    np.testing.assert_array_equal(conditioning.band_pass(ecg, p), expected)


@pytest.mark.parametrize(("rate", "new_rate"), [(500, 250), (500, 100), (400, 250), (257, 250), (100, 250)])
def test_resampling_is_scipys_to_the_bit(rate: int, new_rate: int) -> None:
    ecg = made_ecg(rate=rate)
    expected = scipy.signal.resample_poly(ecg, new_rate, rate, axis=-1, padtype="line")
    np.testing.assert_array_equal(conditioning.resample(ecg, rate, new_rate), expected)


@pytest.mark.parametrize(
    ("seconds", "cap", "expected"),
    [
        (10.0, 6, [(0, 0, 2500)]),
        (7.0, 6, [(0, 0, 1750)]),
        (16.996, 6, [(0, 0, 2500)]),
        (17.0, 6, [(0, 0, 2500), (1, 2500, 1750)]),
        (115.0, 3, [(0, 0, 2500), (5, 12500, 2500), (10, 25000, 2500)]),
        (118.0, 2, [(0, 0, 2500), (11, 27500, 2000)]),
        (40.0, 1, [(0, 0, 2500)]),
    ],
)
def test_windows(seconds: float, cap: int, expected: list[tuple[int, int, int]]) -> None:
    assert conditioning.window_spans(round(seconds * 250), Preprocessing(), cap) == expected


def test_a_cut_window_is_followed_by_zeros() -> None:
    units = np.arange(24, dtype=np.int16).reshape(2, 12)
    window = conditioning.cut(units, start=8, length=4, window_samples=6)
    np.testing.assert_array_equal(window, [[8, 9, 10, 11, 0, 0], [20, 21, 22, 23, 0, 0]])


def test_microvolts_are_rounded_not_cut_off() -> None:
    units = conditioning.to_int16(np.array([[0.0006, -0.0006, 1.2344, 32.767]]), 1.0)
    assert units.dtype == np.dtype("<i2")
    assert units.tolist() == [[1, -1, 1234, 32767]]
    with pytest.raises(RecordingRefused) as caught:
        conditioning.to_int16(np.array([[-32.768]]), 1.0)
    assert caught.value.reason == Reason.INT16_OVERFLOW


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampling_rate": 0.0}, "sampling_rate: expected more than 0 Hz, got 0"),
        ({"sampling_rate": float("nan")}, "sampling_rate: expected more than 0 Hz, got nan"),
        ({"high_pass": 0.0}, "high_pass: expected 0 < high_pass < low_pass = 40 Hz, got 0"),
        ({"high_pass": 41.0}, "high_pass: .* got 41"),
        ({"sampling_rate": 80.0}, "low_pass: expected less than sampling_rate / 2 = 40 Hz, got 40"),
        ({"filter_order": 0}, "filter_order: expected at least 1, got 0"),
        ({"window_seconds": 5.0}, "window_seconds: expected at least 7 s, got 5"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conditioning.check_preprocessing(Preprocessing(**change))  # ty: ignore[invalid-argument-type]
