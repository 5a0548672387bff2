import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_signals import all_available, lead_residual, made_ecg, one_beat

from coreecg_jax.method.normalisation import normalise
from coreecg_jax.method.views import FDA, band_energy

RATE = 100.0


@functools.partial(jax.jit, static_argnums=0, static_argnames="rate")
def view_of(fda, parameters, key, ecg, available, rate=RATE):
    return fda(parameters, key, ecg, available, sampling_rate=rate)


def normal_ecg(recordings=3, samples=300, seed=0):
    ecg = made_ecg(recordings, samples, seed=seed)
    return np.array(jax.jit(normalise)(ecg, all_available(ecg)).ecg_BLT)


def parameters_of(fda, ecg, rate=RATE):
    return fda.init(ecg.shape[-1], rate)


def learned(seed=5, a=0.7):
    """Parameters as they may stand after training."""
    return {"s": jnp.asarray(np.random.default_rng(seed).normal(0, 2, 17), jnp.float32), "a": jnp.float32(a)}


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


def test_gates_differ_between_recordings_and_keys():
    ecg = np.repeat(normal_ecg(1), 4, axis=0)
    views = [view_of(FDA(), learned(), jax.random.key(k), ecg, all_available(ecg)) for k in (0, 0, 1)]
    gates = np.asarray(views[0].protected_BM)
    assert all(np.abs(gates[i] - gates[j]).max() > 0.1 for i in range(4) for j in range(i))
    np.testing.assert_array_equal(gates, views[1].protected_BM)
    assert np.abs(gates - np.asarray(views[2].protected_BM)).max() > 0.1


@pytest.mark.parametrize(
    "s", [np.zeros(17), np.full(17, 9.0), np.linspace(-5, 5, 17), np.eye(17)[3] * 1e4, np.arange(17) * -1e4]
)
@pytest.mark.parametrize("a", [0.5, -1.0])
def test_about_half_is_protected_whatever_was_learned(s, a):
    ecg = normal_ecg(256)
    parameters = {"s": jnp.asarray(s, jnp.float32), "a": jnp.float32(a)}
    view = view_of(FDA(), parameters, jax.random.key(0), ecg, all_available(ecg))
    assert 0.42 < float(view.protected_BM.mean()) < 0.58


def test_importance_chooses_which_bands_pass():
    ecg, s = normal_ecg(256), np.where(np.arange(17) < 8, 3.0, -3.0)
    parameters = {"s": jnp.asarray(s, jnp.float32), "a": jnp.float32(0)}
    view = view_of(FDA(), parameters, jax.random.key(0), ecg, all_available(ecg))
    often = np.mean(np.asarray(view.protected_BM) > 0.5, axis=0)
    logit = (s - s.mean()) / s.std()
    np.testing.assert_allclose(often, 1 / (1 + np.exp(-logit)), atol=0.12)  # of the logistic noise
    assert often[:8].min() > often[8:].max()


@pytest.mark.parametrize("mode", ["learned", "per_bin", "off"])
def test_the_importance_curve_is_the_mean_protection_near_each_centre(mode):
    fda = FDA(mode=mode)
    ecg = normal_ecg(8)
    samples = ecg.shape[-1]
    view = view_of(fda, fda.init(samples, RATE), jax.random.key(0), ecg, all_available(ecg))
    curve = fda.curve(view, samples, RATE)
    assert list(curve) == list(range(0, 49, 3))
    frequency, protected = fda.centres(samples, RATE), np.asarray(view.protected_BM)
    for hz, value in curve.items():
        near = [
            protected[b, m] for b in range(8) for m in range(len(frequency)) if abs(frequency[m] - hz) <= 1.5
        ]
        assert value == pytest.approx(np.mean(near), rel=1e-5)


@functools.partial(jax.jit, static_argnums=0)
def _gradients(fda, parameters, ecg):
    """Of a sum of cubes, since the energy itself is restored, after the parameters and the signal."""

    def made(parameters, ecg):
        view = fda(parameters, jax.random.key(2), ecg, jnp.ones((len(ecg), 12), bool), sampling_rate=RATE)
        return (view.ecg_BLT**3).sum()

    return jax.grad(made, argnums=(0, 1))(parameters, ecg)


@pytest.mark.parametrize("mode", ["learned", "energy", "uniform", "per_bin"])
@pytest.mark.parametrize("s", [0.0, "alternating", "one"])
@pytest.mark.parametrize("a", [0.0, 0.5])
def test_the_gradient_is_always_finite(mode, s, a):
    fda, ecg = FDA(mode=mode), normal_ecg()
    ecg[0, 3] = 0
    ecg[1] = 0  # a recording without any signal
    bands = fda.init(300, RATE)["s"].shape[0]
    s = {"alternating": 1e4 * (-1.0) ** np.arange(bands), "one": 1e4 * np.eye(bands)[2]}.get(
        s, np.zeros(bands)
    )
    of_parameters, of_signal = _gradients(fda, {"s": jnp.asarray(s, jnp.float32), "a": jnp.float32(a)}, ecg)
    for gradient in (*of_parameters.values(), of_signal):
        assert np.isfinite(gradient).all()


def test_a_silent_recording_stays_silent():
    ecg = np.zeros((1, 12, 300), np.float32)
    view = view_of(FDA(), learned(), jax.random.key(0), ecg, all_available(ecg))
    assert (view.ecg_BLT == 0).all()
    assert np.isfinite(view.protected_BM).all()


def test_adversarial_reverses_the_gradient_of_the_importance_and_nothing_else():
    ecg = normal_ecg()
    forward, hard = FDA(), FDA(adversarial=True)
    (one, of_signal), (other, also) = (_gradients(fda, learned(), ecg) for fda in (forward, hard))
    assert np.abs(one["s"]).max() > 1e-3
    np.testing.assert_allclose(one["s"], -other["s"], rtol=1e-5)
    np.testing.assert_allclose(one["a"], -other["a"], rtol=1e-5)
    np.testing.assert_allclose(of_signal, also, rtol=1e-5)
    views = [view_of(fda, learned(), jax.random.key(2), ecg, all_available(ecg)) for fda in (forward, hard)]
    np.testing.assert_array_equal(views[0].ecg_BLT, views[1].ecg_BLT)


def test_modes_without_learning_do_not_depend_on_the_parameters():
    ecg = normal_ecg()
    for mode in ("energy", "uniform"):
        of_parameters, _ = _gradients(FDA(mode=mode), learned(), ecg)
        assert all((gradient == 0).all() for gradient in of_parameters.values())
    half = view_of(FDA(mode="uniform"), learned(), jax.random.key(0), ecg, all_available(ecg))
    assert (half.protected_BM == 0.5).all()
    energy = view_of(FDA(mode="energy"), learned(), jax.random.key(0), ecg, all_available(ecg))
    as_learned = {"s": jnp.zeros(17), "a": jnp.float32(1)}
    np.testing.assert_allclose(
        energy.protected_BM,
        view_of(FDA(), as_learned, jax.random.key(0), ecg, all_available(ecg)).protected_BM,
        atol=1e-3,
    )


def test_leads_that_are_not_available_do_not_move_the_gates():
    ecg = normal_ecg()
    available = all_available(ecg)
    available[:, [2, 9]] = False
    other = ecg.copy()
    other[:, [2, 9]] = np.random.default_rng(0).normal(0, 9, (3, 2, 300))
    one, two = (view_of(FDA(), learned(), jax.random.key(0), x, available) for x in (ecg, other))
    np.testing.assert_array_equal(one.protected_BM, two.protected_BM)
    np.testing.assert_array_equal(one.gain_BF, two.gain_BF)


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"mode": "fixed"}, "view.mode"), ({"tau": 0.0}, "tau"), ({"sigma": -1.0}, "sigma")],
)
def test_settings_that_make_no_sense_are_refused(settings, named):
    with pytest.raises(ValueError, match=named):
        FDA(**settings)
