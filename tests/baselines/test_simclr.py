import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_objectives import RATE, cmsc, parameters_of, simclr, windows

from coreecg_jax.baselines.simclr import Augmentation, on_own_scale
from coreecg_jax.method.masking import STDM
from coreecg_jax.method.normalisation import normalise

OBJECTIVE = simclr()
QUIET = Augmentation(amplitude=0.0, noise=0.0, wander=0.0, cutout=0.0, lead_dropout=0.0)
B, T = 400, 200


def augment(ecg_BLT, available_BL=None, key=0, **strengths):
    """With those strengths alone."""
    available_BL = np.ones(ecg_BLT.shape[:2], bool) if available_BL is None else available_BL
    augmentation = dataclasses.replace(QUIET, **strengths)
    out = augmentation(jax.random.key(key), jnp.asarray(ecg_BLT), available_BL, sampling_rate=RATE)
    return tuple(map(np.asarray, out))


@functools.cache
def forward_of():
    return jax.jit(OBJECTIVE.forward)


def forward(key, data):
    return forward_of()(_parameters(), jax.random.key(key), data["ecg"], data["length"], data["available"])


@functools.cache
def _parameters():
    return parameters_of(OBJECTIVE)


def test_views_differ_by_recording_by_side_and_by_key():
    data = windows()
    data["ecg"][1] = data["ecg"][0]
    one, again, other = (forward(key, data) for key in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one, again)
    z = np.concatenate([one.output.projection_BE, other.output.projection_BE])
    assert len(np.unique(z.round(5), axis=0)) == len(z)
    assert np.abs(np.asarray(one.view.ecg_BLT[0] - one.view.ecg_BLT[1])).max() > 0.1
    assert (one.clean_BLT[:4].std((1, 2)) > 0.99).all()  # what is augmented is kept beside


def test_a_dropped_lead_has_no_influence():
    data = windows()
    one = forward(0, data)
    available = np.asarray(one.available_BL)
    dropped = ~available[:4] & ~available[4:]  # in both views
    b, lead = np.argwhere(dropped)[0]
    data["ecg"][b, lead] = 9 * data["ecg"][b, lead, ::-1]
    two = forward(0, data)
    np.testing.assert_allclose(one.output.projection_BE, two.output.projection_BE, atol=1e-5)
    kept = np.flatnonzero(available[b] & available[4 + b])[0]
    data["ecg"][b, kept] = data["ecg"][b, kept, ::-1]
    three = forward(0, data)
    assert np.abs(two.output.projection_BE[b] - three.output.projection_BE[b]).max() > 1e-3


def test_nothing_strong_changes_nothing():
    ecg = np.random.default_rng(0).normal(size=(B, 12, T)).astype(np.float32)
    out, available = augment(ecg)
    np.testing.assert_array_equal(out, ecg)
    assert available.all()


def test_amplitude_is_one_factor_a_lead():
    out, _ = augment(np.ones((B, 12, T), np.float32), amplitude=0.2)
    np.testing.assert_array_equal(out, np.broadcast_to(out[..., :1], out.shape))
    assert np.log(out[..., 0]).std() == pytest.approx(0.2, rel=0.05)


def test_noise_is_white_and_as_strong_as_said_at_most():
    out, _ = augment(np.zeros((B, 12, T), np.float32), noise=0.05)
    deviation = out.std((1, 2))
    assert 0.045 < deviation.max() < 0.052
    assert deviation.mean() == pytest.approx(0.025, rel=0.1)
    normal = out / deviation[:, None, None]
    assert np.abs((normal[..., 1:] * normal[..., :-1]).mean()) < 0.01


def test_wander_is_one_slow_sinusoid():
    out, _ = augment(np.zeros((B, 12, T), np.float32), wander=0.2)
    assert 0.15 < np.abs(out).max() <= 0.2
    ranks = np.linalg.matrix_rank(out, tol=1e-4)
    assert ranks.max() == 1  # one course of time, each lead its own amount of it
    of_most = np.take_along_axis(out, np.abs(out).max(-1).argmax(1)[:, None, None], 1)[:, 0]
    crossings = (np.diff(np.sign(of_most)) != 0).sum(-1)
    assert crossings.max() <= 2 * 0.5 * T / RATE + 1
    assert crossings.max() >= 8


def test_cutout_is_one_stretch_in_all_leads():
    out, _ = augment(np.ones((B, 12, T), np.float32), cutout=0.3)
    gone = out == 0
    np.testing.assert_array_equal(gone, np.broadcast_to(gone[:, :1], gone.shape))
    edges = np.abs(np.diff(np.pad(gone[:, 0], ((0, 0), (1, 1))).astype(int))).sum(-1)
    assert set(edges) <= {0, 2}
    length = gone[:, 0].sum(-1)
    assert length.max() <= 0.3 * T + 1
    assert length.mean() == pytest.approx(0.15 * T, rel=0.1)
    assert gone[:, 0, 0].any() or gone[:, 0, :10].any()
    assert gone[:, 0, -10:].any()


def test_dropped_leads_are_zero_and_not_available_and_one_is_left():
    available = np.ones((B, 12), bool)
    available[:, 3] = False
    available[0] = np.arange(12) == 5
    ecg = np.ones((B, 12, T), np.float32)
    out, left = augment(ecg, available, lead_dropout=0.2)
    assert not (left & ~available).any()
    np.testing.assert_array_equal(out != 0, np.broadcast_to(left[:, :, None], out.shape))
    assert left[1:, :3].mean() == pytest.approx(0.8, abs=0.03)
    _, left = augment(ecg, available, lead_dropout=0.99)
    assert left.any(1).all()


def test_leads_that_it_sees_are_those_that_it_leaves():
    """No mask hides any, and yet it seldom sees twelve."""
    seen = np.asarray(OBJECTIVE.leads_seen(jax.random.key(0), B))
    assert (seen.shape, seen.dtype) == ((B, 12), bool)
    assert seen.mean() == pytest.approx(0.8, abs=0.03)
    assert np.asarray(cmsc().leads_seen(jax.random.key(0), B)).all()


def test_own_scale_is_that_of_normalise_where_nothing_is_derived():
    rng = np.random.default_rng(0)
    ecg = (rng.normal(size=(3, 12, 50)) + 5).astype(np.float32)
    available = np.ones((3, 12), bool)
    available[1, 6:9] = False
    ecg[1, 6:9] = 0
    expected = normalise(jnp.asarray(ecg), jnp.asarray(available))
    got = on_own_scale(jnp.asarray(ecg), jnp.asarray(available))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), got, expected)


def test_other_settings_are_not_simclr():
    with pytest.raises(ValueError, match=r"method 'simclr': expected mask\.mode 'off', got 'dual': set"):
        simclr(stdm=STDM())
