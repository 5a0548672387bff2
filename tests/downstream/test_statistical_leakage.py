"""Linear leakage against regression over samples, and against what algebra says."""

import numpy as np
import pytest

from coreecg_jax.downstream.leakage import (
    held_out_r2,
    lead_covariance,
    regression_weights,
    statistical_leakage,
)
from coreecg_jax.records.leads import LEADS, LIMB_FROM_I_II

V1, V2 = LEADS.index("V1"), LEADS.index("V2")


def recordings(count, seed, *, coupling=0.7):
    """float[count, 12, 300]: limb leads from I and II; V2 partly V1; V3-V6 on their own."""
    rng = np.random.default_rng(seed)
    independent_BLT = rng.normal(size=(count, 8, 300))
    limb_BLT = LIMB_FROM_I_II @ independent_BLT[:, :2]
    chest_BLT = independent_BLT[:, 2:].copy()
    chest_BLT[:, 1] = coupling * chest_BLT[:, 0] + np.sqrt(1 - coupling**2) * chest_BLT[:, 1]
    return np.concatenate([limb_BLT, chest_BLT], axis=1)


@pytest.fixture(scope="module")
def covariances():
    return lead_covariance(recordings(40, 1)), lead_covariance(recordings(20, 2))


def only(*names):
    return np.isin(LEADS, names)


def without(name):
    return np.array([lead != name for lead in LEADS])


def test_covariance_is_over_samples_with_means_removed_by_recording():
    ecg_BLT = recordings(3, 0)
    shifted_BLT = ecg_BLT + np.arange(3.0)[:, None, None]
    centred_LT = np.concatenate(list(ecg_BLT - ecg_BLT.mean(axis=2, keepdims=True)), axis=1)
    np.testing.assert_allclose(
        lead_covariance(shifted_BLT), centred_LT @ centred_LT.T / centred_LT.shape[1], atol=1e-12
    )


def test_covariance_leaves_out_recordings_that_lack_a_lead():
    ecg_BLT = recordings(4, 0)
    ecg_BLT[1, 7] = np.nan
    available_BL = ~np.isnan(ecg_BLT).any(axis=2)
    np.testing.assert_allclose(lead_covariance(ecg_BLT, available_BL), lead_covariance(ecg_BLT[[0, 2, 3]]))
    with pytest.raises(ValueError, match="finite samples"):
        lead_covariance(ecg_BLT)
    with pytest.raises(ValueError, match="recording with all leads"):
        lead_covariance(ecg_BLT, np.zeros((4, 12), bool))


def test_r2_equals_regression_over_samples(covariances):
    train, test = recordings(40, 1), recordings(20, 2)
    stack = [np.concatenate(list(x - x.mean(axis=2, keepdims=True)), axis=1) for x in (train, test)]
    visible = only("I", "V1", "V4")
    weights, *_ = np.linalg.lstsq(stack[0][visible].T, stack[0].T)
    residual_LT = stack[1] - weights.T @ stack[1][visible]
    expected_L = 1 - residual_LT.var(axis=1) / stack[1].var(axis=1)
    np.testing.assert_allclose(held_out_r2(*covariances, visible), expected_L, atol=1e-9)


def test_two_limb_leads_give_all_limb_leads_away_and_no_chest_lead(covariances):
    r2_L = held_out_r2(*covariances, only("aVR", "III"))
    np.testing.assert_allclose(r2_L[:6], 1, atol=1e-9)
    np.testing.assert_allclose(r2_L[6:], 0, atol=5e-3)


def test_coupled_chest_leads_leak_their_share(covariances):
    assert held_out_r2(*covariances, without("V2"))[V2] == pytest.approx(0.49, abs=0.03)
    assert held_out_r2(*covariances, without("V5"))[LEADS.index("V5")] == pytest.approx(0, abs=0.01)


def test_many_sets_at_once_equal_one_by_one(covariances):
    sets = np.random.default_rng(0).random((3, 4, 12)) < 0.5
    together = held_out_r2(*covariances, sets)
    for place in np.ndindex(3, 4):
        np.testing.assert_allclose(together[place], held_out_r2(*covariances, sets[place]), atol=1e-12)


def test_weights_use_visible_leads_only_and_keep_them(covariances):
    visible = only("I", "V1", "V6")
    weights_LL = regression_weights(covariances[0], visible)
    assert not weights_LL[:, ~visible].any()
    np.testing.assert_allclose(weights_LL[np.ix_(visible, visible)], np.eye(3), atol=1e-10)


def test_leakage_equals_a_loop_over_tokens(covariances):
    hidden_BLN = np.random.default_rng(3).random((5, 12, 6)) < 0.75
    available_BL = np.random.default_rng(4).random((5, 12)) < 0.9
    got = statistical_leakage(*covariances, hidden_BLN, available_BL)
    by_lead = [[] for _ in LEADS]
    for b, lead, n in np.ndindex(hidden_BLN.shape):
        if hidden_BLN[b, lead, n] and available_BL[b, lead]:
            visible_L = ~hidden_BLN[b, :, n] & available_BL[b]
            by_lead[lead].append(held_out_r2(*covariances, visible_L)[lead])
    assert got.mean == pytest.approx(np.mean(np.concatenate(by_lead)))
    np.testing.assert_allclose(got.by_lead, [np.mean(values) for values in by_lead])


def test_hidden_columns_leak_nothing(covariances):
    hidden_BLN = np.zeros((2, 12, 4), bool)
    hidden_BLN[:, :, 1] = True
    assert statistical_leakage(*covariances, hidden_BLN).mean == 0
    hidden_BLN[:, 0] = True  # lead I, whose other three columns show II, III, aVR, aVL, aVF
    got = statistical_leakage(*covariances, hidden_BLN)
    assert got.by_lead[0] == pytest.approx(3 / 4)
    assert got.mean == pytest.approx(3 / 15)


def test_leads_never_masked_have_no_leakage(covariances):
    hidden_BLN = np.zeros((1, 12, 4), bool)
    hidden_BLN[:, V1] = True
    got = statistical_leakage(*covariances, hidden_BLN)
    assert np.isnan(got.by_lead[V2])
    assert got.by_lead[V1] == pytest.approx(got.mean)


def test_misfits_are_told(covariances):
    train_LL, test_LL = covariances
    with pytest.raises(ValueError, match="at least one masked token"):
        statistical_leakage(train_LL, test_LL, np.zeros((1, 12, 4), bool))
    with pytest.raises(ValueError, match=r"covariance: expected shape \(3, 3\)"):
        statistical_leakage(train_LL, test_LL, np.ones((1, 3, 4), bool))
    with pytest.raises(ValueError, match="available leads: expected shape"):
        statistical_leakage(train_LL, test_LL, np.ones((2, 12, 4), bool), np.ones((1, 12), bool))
    with pytest.raises(ValueError, match="held-out covariance: expected shape"):
        held_out_r2(train_LL, test_LL[:3, :3], without("I"))
    with pytest.raises(ValueError, match="every lead to vary"):
        held_out_r2(train_LL, test_LL * np.outer(without("V1"), without("V1")), without("I"))
