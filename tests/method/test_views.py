"""What FDA does to a recording."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_signals import all_available, lead_residual, one_beat
from made_views import RATE, learned, normal_ecg, parameters_of, view_of

from coreecg_jax.method.views import FDA, band_energy


def slow_view(fda, s, a, logistic, z, ecg, available, rate):
    """One recording in float64, band by band and frequency by frequency, as in docs/method.md."""
    samples = ecg.shape[-1]
    spectrum = np.fft.rfft(ecg.astype(np.float64), axis=-1)
    hertz = [i * rate / samples for i in range(spectrum.shape[-1])]
    weight = [[max(0.0, 1 - abs(f - 3.0 * k) / 3.0) for f in hertz] for k in range(17)]
    power = sum(np.abs(spectrum[lead]) ** 2 for lead in np.flatnonzero(available))
    logs = [np.log(sum(w * p for w, p in zip(weight[k], power)) + 1e-6 * power.sum()) for k in range(17)]
    informed = logs[:14]  # 0, 3, ... 39 Hz
    e = [(x - np.mean(informed)) / np.std(informed) for x in informed] + [0.0] * 3
    raw = np.array([s[k] + a * e[k] for k in range(17)])
    logit = (raw - raw.mean()) / raw.std()
    g = 1 / (1 + np.exp(-(logit + logistic) / fda.tau))
    gain = [
        np.exp(sum(weight[k][i] * (1 - g[k]) * fda.sigma * z[k] for k in range(17)))
        for i in range(len(hertz))
    ]
    view = np.fft.irfft(spectrum * np.array(gain), n=samples, axis=-1)
    return np.array(e), g, np.array(gain), view * np.sqrt((ecg**2).sum() / (view**2).sum())


@pytest.mark.parametrize("samples", [300, 225])  # even and odd
def test_the_view_is_the_slow_transcription(samples):
    fda, ecg = FDA(tau=0.4, sigma=0.6), normal_ecg(samples=samples)
    available = all_available(ecg)
    available[1, 8:] = False
    ecg[1, 8:] = 0
    parameters, key = learned(), jax.random.key(3)
    view = view_of(fda, parameters, key, ecg, available)
    gate_key, gain_key = jax.random.split(key)
    logistic, z = (np.asarray(draw(k, (3, 17))) for draw, k in
                   ((jax.random.logistic, gate_key), (jax.random.normal, gain_key)))  # fmt: skip
    for b in range(3):
        _, g, gain, expected = slow_view(
            fda, np.asarray(parameters["s"]), 0.7, logistic[b], z[b], ecg[b], available[b], RATE
        )
        np.testing.assert_allclose(view.protected_BM[b], g, atol=1e-4)
        np.testing.assert_allclose(view.gain_BF[b], gain, rtol=1e-4)
        np.testing.assert_allclose(view.ecg_BLT[b], expected, atol=2e-4)


def test_band_energy_is_the_slow_transcription_and_neutral_above_40_hz():
    ecg, fda = normal_ecg(), FDA()
    power = (np.abs(np.fft.rfft(ecg, axis=-1)) ** 2).sum(1)
    informed = fda.centres(300, RATE) <= 40
    e = np.asarray(band_energy(jnp.asarray(power, jnp.float32), fda.bands(300, RATE), informed))
    nothing = np.zeros(17)
    for b in range(3):
        expected, *_ = slow_view(fda, nothing, 1.0, nothing, nothing, ecg[b], np.ones(12, bool), RATE)
        np.testing.assert_allclose(e[b], expected, atol=1e-4)
    assert (e[:, 14:] == 0).all()
    np.testing.assert_allclose(e[:, :14].mean(1), 0, atol=1e-5)


@pytest.mark.parametrize(("samples", "rate"), [(2250, 250.0), (900, 100.0), (300, 500.0)])
def test_bands_share_out_every_frequency_below_48_hz(samples, rate):
    hertz, total = np.fft.rfftfreq(samples, 1 / rate), FDA().bands(samples, rate).sum(0)
    np.testing.assert_allclose(total[hertz <= 48], 1, atol=1e-6)
    assert (total[hertz >= 51] == 0).all()
    assert (FDA().bands(samples, rate) >= 0).all()


def test_the_limb_relations_survive_fda_and_what_breaks_them_is_filtered_alike():
    ecg = normal_ecg()
    view = view_of(FDA(), learned(), jax.random.key(0), ecg, all_available(ecg))
    assert np.abs(np.asarray(view.ecg_BLT) - ecg).max() > 0.1  # something was done
    assert np.abs(lead_residual(view.ecg_BLT)).max() <= 1e-5
    rounded = ecg + np.random.default_rng(1).normal(0, 0.1, ecg.shape).astype(np.float32)
    rounded -= rounded.mean(-1, keepdims=True)
    view = view_of(FDA(), learned(), jax.random.key(0), rounded, all_available(ecg))
    before = np.fft.irfft(np.fft.rfft(lead_residual(rounded)) * np.asarray(view.gain_BF)[:, None], n=300)
    restored = np.fft.irfft(np.fft.rfft(rounded) * np.asarray(view.gain_BF)[:, None], n=300)
    before *= np.sqrt((rounded**2).sum((1, 2)) / (restored**2).sum((1, 2)))[:, None, None]
    np.testing.assert_allclose(lead_residual(view.ecg_BLT), before, atol=1e-5)


def _share_near(view, rate, seconds=0.3):
    """Of the view's energy, the share within `seconds` of the beat at 4.5 s."""
    near = np.abs(np.arange(view.shape[-1]) / rate - 4.5) <= seconds
    return float((view[..., near] ** 2).sum() / (view**2).sum())


@pytest.mark.parametrize("rate", [250.0, 100.0])
def test_a_beat_stays_where_it_is(rate):
    """Sharp gains in frequency are long echoes in time, which would undo the time mask."""
    beat = one_beat(rate)
    fda, available = FDA(), all_available(beat)
    shares, changed = [], []
    for seed in range(12):
        parameters = learned(seed) if seed % 2 else fda.init(beat.shape[-1], rate)
        view = view_of(fda, parameters, jax.random.key(seed), beat, available, rate=rate)
        ecg = np.asarray(view.ecg_BLT)
        shares.append(_share_near(ecg, rate))
        changed.append(np.abs(ecg - beat).max())
        assert (np.abs(ecg).argmax(-1) == round(4.5 * rate)).all(), "the R peak moved"
    assert min(shares) > 0.99
    assert np.median(changed) > 0.1


def test_per_bin_smears_a_beat_over_the_recording():
    """Why `per_bin` is an ablation: independent gains of all bins put a beat's energy far from it."""
    beat, fda = one_beat(100.0), FDA(mode="per_bin")
    view = view_of(fda, fda.init(900, 100.0), jax.random.key(0), beat, all_available(beat), rate=100.0)
    assert view.protected_BM.shape == (1, 451)
    assert _share_near(np.asarray(view.ecg_BLT), 100.0) < 0.9


def test_modes_that_change_nothing():
    ecg, key = normal_ecg(), jax.random.key(0)
    off = view_of(FDA(mode="off"), parameters_of(FDA(), ecg), key, ecg, all_available(ecg))
    np.testing.assert_array_equal(off.ecg_BLT, ecg)
    assert (off.gain_BF == 1).all()
    still = view_of(FDA(sigma=0.0), learned(), key, ecg, all_available(ecg))
    np.testing.assert_allclose(still.ecg_BLT, ecg, atol=1e-5)


@pytest.mark.parametrize("mode", ["learned", "per_bin"])
def test_it_is_the_identity_when_all_is_protected(monkeypatch, mode):
    monkeypatch.setattr(FDA, "_gate", lambda self, key, logit_BM: jnp.ones_like(logit_BM))
    ecg, fda = normal_ecg(), FDA(mode=mode, sigma=5.0)
    view = fda(fda.init(300, RATE), jax.random.key(0), ecg, all_available(ecg), sampling_rate=RATE)
    np.testing.assert_array_equal(view.gain_BF, np.ones((3, 151)))
    np.testing.assert_allclose(view.ecg_BLT, ecg, atol=1e-5)


def test_a_protected_band_passes_and_an_unprotected_one_does_not():
    """A cold gate opens only the bands of high logit: gain 1 there, random elsewhere."""
    fda, ecg = FDA(tau=1e-3), normal_ecg(256)
    view = view_of(fda, learned(), jax.random.key(0), ecg, all_available(ecg))
    centre_bin = np.arange(17) * 9  # of 300 samples at 100 Hz
    gain, open_ = np.asarray(view.gain_BF)[:, centre_bin], np.asarray(view.protected_BM) > 0.999
    shut = np.asarray(view.protected_BM) < 0.001
    np.testing.assert_allclose(gain[open_], 1, atol=1e-2)
    assert np.log(gain[shut]).std() == pytest.approx(0.8, abs=0.1)
    assert 0.3 < open_.mean() < 0.7


def test_energy_is_preserved_and_one_gain_serves_all_leads():
    ecg = normal_ecg()
    view = view_of(FDA(), learned(), jax.random.key(1), ecg, all_available(ecg))
    energy = np.asarray(view.ecg_BLT**2).sum((1, 2))
    np.testing.assert_allclose(energy, (ecg**2).sum((1, 2)), rtol=1e-4)
    ratio = np.fft.rfft(np.asarray(view.ecg_BLT, np.float64))[..., 1:120] / np.fft.rfft(ecg)[..., 1:120]
    assert np.abs(ratio.imag).max() < 1e-2 * np.abs(ratio).max()  # real: no phase is moved
    shape = ratio.real / np.asarray(view.gain_BF)[:, None, 1:120]
    np.testing.assert_allclose(shape, np.broadcast_to(shape[:, :1, 10:11], shape.shape), rtol=1e-2)
    assert view.gain_BF.dtype == jnp.float32


def test_a_silent_recording_stays_silent():
    ecg = np.zeros((1, 12, 300), np.float32)
    view = view_of(FDA(), learned(), jax.random.key(0), ecg, all_available(ecg))
    assert (view.ecg_BLT == 0).all()
    assert np.isfinite(view.protected_BM).all()
