"""What FDA protects, how that is drawn, and how it is learned."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_signals import all_available
from made_views import RATE, learned, normal_ecg, view_of

from coreecg_jax.method.views import FDA


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
