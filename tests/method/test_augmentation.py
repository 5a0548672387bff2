import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_networks import parameters_of, tiny_network
from made_signals import made_ecg

from coreecg_jax.method.augmentation import USUAL, Augmentation, on_own_scale
from coreecg_jax.method.normalisation import normalise
from coreecg_jax.method.objective import Objective

QUIET = Augmentation()
RATE = 20.0  # Hz: ten seconds
B, T = 400, 200
NETWORK = tiny_network(depth=1, zero_output=False)


def augment(ecg_BLT, available_BL=None, key=0, **strengths):
    """With those strengths alone."""
    available_BL = np.ones(ecg_BLT.shape[:2], bool) if available_BL is None else available_BL
    augmentation = dataclasses.replace(QUIET, **strengths)
    out = augmentation(jax.random.key(key), jnp.asarray(ecg_BLT), available_BL, sampling_rate=RATE)
    return tuple(map(np.asarray, out))


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


def test_own_scale_is_that_of_normalise_where_nothing_is_derived():
    rng = np.random.default_rng(0)
    ecg = (rng.normal(size=(3, 12, 50)) + 5).astype(np.float32)
    available = np.ones((3, 12), bool)
    available[1, 6:9] = False
    ecg[1, 6:9] = 0
    expected = normalise(jnp.asarray(ecg), jnp.asarray(available))
    got = on_own_scale(jnp.asarray(ecg), jnp.asarray(available))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), got, expected)


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        ({"noise": -0.1}, r"augment\.noise: expected 0 or more, got -0\.1"),
        ({"amplitude": float("nan")}, r"augment\.amplitude: expected 0 or more, got nan"),
        ({"lead_dropout": 1.0}, r"augment\.lead_dropout: expected 0 or more and less than 1, got 1\.0"),
        ({"cutout": 1.5}, r"augment\.cutout: expected 0 or more and less than 1, got 1\.5"),
    ],
)
def test_strengths_that_are_none_are_refused(strengths, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**strengths)


def _forward(augmentation, ecg):
    objective = Objective(NETWORK, crop_samples=150, sampling_rate=100.0, augmentation=augmentation)
    parameters = {"network": parameters_of(NETWORK), "fda": objective.fda.init(150, 100.0)}
    available = np.ones(ecg.shape[:2], bool)
    length = np.full(len(ecg), ecg.shape[-1])
    return jax.jit(objective.forward)(parameters, jax.random.key(0), ecg, length, available)


def test_the_method_reads_augmented_crops_and_rebuilds_them_as_they_were():
    """Crops and masks are those without it; a lead that was dropped is neither read nor rebuilt."""
    ecg = np.round(made_ecg(4, T, seed=0) * 1000).astype(np.int16)
    plain, augmented = _forward(QUIET, ecg), _forward(USUAL, ecg)
    np.testing.assert_array_equal(augmented.clean_BLT, plain.clean_BLT)
    np.testing.assert_array_equal(augmented.mask.kept_BK, plain.mask.kept_BK)
    available = np.asarray(augmented.available_BL)
    assert np.asarray(plain.available_BL).all()
    assert 0.6 < available.mean() < 0.95
    first = np.asarray(augmented.view.ecg_BLT)
    np.testing.assert_allclose(first[~available[:4]], 0, atol=1e-5)
    assert (np.abs(first - plain.view.ecg_BLT)[available[:4]].max(-1) > 0.01).all()


def test_it_sees_leads_that_neither_mask_nor_augmentation_takes():
    objective = Objective(NETWORK, crop_samples=150, sampling_rate=100.0)
    augmenting = dataclasses.replace(objective, augmentation=USUAL)
    plain, fewer = (np.asarray(one.leads_seen(jax.random.key(0), B)) for one in (objective, augmenting))
    assert (plain.sum(-1) == 10).all()  # STDM hides two
    assert fewer.mean() == pytest.approx(0.8 * 10 / 12, abs=0.03)
