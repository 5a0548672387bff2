"""The three references on made ECG whose answer is known, and the beat template on real recordings."""

import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfiltfilt

from coreecg_jax.downstream.leakage import lead_covariance
from coreecg_jax.downstream.reconstruction import explained_by_kind_and_lead
from coreecg_jax.downstream.references import (
    beat_template_prediction,
    find_beats,
    leave_one_out_template,
    linear_prediction,
    mean_prediction,
)
from coreecg_jax.records.leads import LIMB_FROM_I_II

HZ, PATCH, COLUMNS = 100, 50, 18
SAMPLES = PATCH * COLUMNS


def made_ecg(beat_samples, seed=0):
    """One 12-lead recording, unit variance: P, QRS and T of every lead at each of the beat times."""
    rng = np.random.default_rng(seed)
    time_T = np.arange(SAMPLES)[:, None]
    waves = []
    for delay, width, height in ((-16, 2.5, 0.15), (0, 1.5, 1.0), (3, 1.5, -0.3), (28, 5.0, 0.3)):
        shape_T = np.exp(-0.5 * ((time_T - np.asarray(beat_samples) - delay) / width) ** 2).sum(axis=1)
        waves.append(height * shape_T)
    chest_LT = rng.normal(1, 0.4, size=(6, 4)) @ np.array(waves)
    limb_LT = LIMB_FROM_I_II @ (rng.normal(1, 0.4, size=(2, 4)) @ np.array(waves))
    ecg_LT = np.concatenate([limb_LT, chest_LT])
    ecg_LT -= ecg_LT.mean(axis=1, keepdims=True)
    return ecg_LT / ecg_LT.std()


def periodic(count=4):
    """Recordings of exactly periodic beats (RR of 83 samples, so that columns cut them differently)."""
    return np.stack([made_ecg(np.arange(20 + 7 * b, SAMPLES, 83), seed=b) for b in range(count)])


def drawn_mask(recordings, seed=0):
    """Half of the columns and ten of the leads kept."""
    rng = np.random.default_rng(seed)
    column_BN = rng.permuted(np.tile(np.arange(COLUMNS), (recordings, 1)), axis=1) < COLUMNS // 2
    return column_BN, rng.permuted(np.tile(np.arange(12), (recordings, 1)), axis=1) < 10


def test_mean_explains_nothing():
    ecg_BLT = periodic()
    got = explained_by_kind_and_lead(ecg_BLT, mean_prediction(ecg_BLT), *drawn_mask(4), patch=PATCH)
    assert list(got.by_kind.values()) == [0, 0, 0]


def independent_chest(count, seed):
    rng = np.random.default_rng(seed)
    source_BLT = rng.normal(size=(count, 8, SAMPLES))
    return np.concatenate([LIMB_FROM_I_II @ source_BLT[:, :2], source_BLT[:, 2:]], axis=1)


def test_regression_gives_dropped_limb_leads_and_no_independent_chest_lead():
    ecg_BLT = independent_chest(6, seed=1)
    column_BN, _ = drawn_mask(6)
    lead_BL = np.ones((6, 12), bool)
    lead_BL[:3, [0, 4]], lead_BL[3:, [2, 7]] = False, False
    prediction_BLT = linear_prediction(
        ecg_BLT, column_BN, lead_BL, covariance_LL=lead_covariance(independent_chest(20, seed=2)), patch=PATCH
    )
    got = explained_by_kind_and_lead(ecg_BLT, prediction_BLT, column_BN, lead_BL, patch=PATCH)
    by_lead_L = got.by_kind_and_lead["dropped_lead"]
    np.testing.assert_allclose(by_lead_L[[0, 2, 4]], 1, atol=1e-9)
    assert by_lead_L[7] == pytest.approx(0, abs=0.01)
    assert got.by_kind["hidden_column"] == got.by_kind["both"] == 0


def test_regression_sees_neither_hidden_columns_nor_dropped_leads_nor_missing_leads():
    ecg_BLT = independent_chest(2, seed=1)
    column_BN, lead_BL = drawn_mask(2)
    available_BL = np.ones((2, 12), bool)
    available_BL[:, np.flatnonzero(lead_BL.all(axis=0))[0]] = False
    settings = {"covariance_LL": lead_covariance(ecg_BLT), "patch": PATCH, "available_BL": available_BL}
    seen_BLT = np.repeat(column_BN, PATCH, axis=1)[:, None] & (lead_BL & available_BL)[:, :, None]
    altered_BLT = np.where(seen_BLT, ecg_BLT, ecg_BLT + 5.0)
    np.testing.assert_array_equal(
        linear_prediction(ecg_BLT, column_BN, lead_BL, **settings),
        linear_prediction(altered_BLT, column_BN, lead_BL, **settings),
    )


def test_template_explains_exactly_periodic_beats():
    ecg_BLT = periodic()
    column_BN, lead_BL = drawn_mask(4)
    prediction_BLT = beat_template_prediction(ecg_BLT, column_BN, patch=PATCH, sampling_rate=HZ)
    got = explained_by_kind_and_lead(ecg_BLT, prediction_BLT, column_BN, lead_BL, patch=PATCH)
    assert min(got.by_kind.values()) > 0.98


def test_template_explains_irregular_beats_by_time_from_the_nearest_r():
    beats = np.cumsum(np.random.default_rng(0).integers(65, 115, size=9)) - 40
    ecg_BLT = made_ecg(beats)[None]
    column_BN, lead_BL = np.arange(COLUMNS)[None] % 2 == 0, np.arange(12)[None] != 8
    prediction_BLT = beat_template_prediction(ecg_BLT, column_BN, patch=PATCH, sampling_rate=HZ)
    got = explained_by_kind_and_lead(ecg_BLT, prediction_BLT, column_BN, lead_BL, patch=PATCH)
    assert min(got.by_kind.values()) > 0.9


def test_template_does_not_explain_noise():
    ecg_BLT = np.random.default_rng(0).normal(size=(4, 12, SAMPLES))
    column_BN, lead_BL = drawn_mask(4)
    prediction_BLT = beat_template_prediction(ecg_BLT, column_BN, patch=PATCH, sampling_rate=HZ)
    got = explained_by_kind_and_lead(ecg_BLT, prediction_BLT, column_BN, lead_BL, patch=PATCH)
    assert max(got.by_kind.values()) < 0.05


def test_template_never_uses_the_beat_itself():
    rng = np.random.default_rng(0)
    ecg_LT = rng.normal(size=(12, SAMPLES))
    beats = np.array([40, 130, 190, 300, 380, 500, 560, 700, 800])
    everything_T = np.ones(SAMPLES, bool)
    own = slice(190 + round(0.6 * 110) + 1, 300 + round(0.6 * 80))  # what belongs to the beat at 300
    altered_LT = ecg_LT.copy()
    altered_LT[:, own] += rng.normal(size=altered_LT[:, own].shape)
    before_LT = leave_one_out_template(ecg_LT, beats, everything_T)
    after_LT = leave_one_out_template(altered_LT, beats, everything_T)
    np.testing.assert_array_equal(before_LT[:, own], after_LT[:, own])
    assert np.abs(before_LT - after_LT).max() > 0.01


def test_template_of_hidden_columns_uses_kept_columns_only():
    ecg_LT = made_ecg(np.arange(20, SAMPLES, 83))
    beats = find_beats(ecg_LT, HZ)
    shown_T = np.repeat(np.arange(COLUMNS) % 2 == 0, PATCH)
    altered_LT = np.where(shown_T, ecg_LT, 100.0)
    np.testing.assert_array_equal(
        leave_one_out_template(ecg_LT, beats, shown_T), leave_one_out_template(altered_LT, beats, shown_T)
    )


def test_hidden_columns_get_the_template_of_kept_ones_and_dropped_leads_that_of_all():
    ecg_BLT = periodic(1) + 0.1 * np.random.default_rng(0).normal(size=(1, 12, SAMPLES))
    column_BN, _ = drawn_mask(1)
    shown_T = np.repeat(column_BN[0], PATCH)
    got_LT = beat_template_prediction(ecg_BLT, column_BN, patch=PATCH, sampling_rate=HZ)[0]
    beats = find_beats(ecg_BLT[0], HZ)
    for columns_T, usable_T in ((~shown_T, shown_T), (shown_T, np.ones(SAMPLES, bool))):
        expected_LT = leave_one_out_template(ecg_BLT[0], beats, usable_T)
        np.testing.assert_array_equal(got_LT[:, columns_T], expected_LT[:, columns_T])


def test_template_equals_a_loop_over_beats():
    ecg_LT = np.random.default_rng(0).normal(size=(2, 300))
    beats, usable_T = np.array([30, 110, 220]), np.random.default_rng(1).random(300) < 0.7
    limits = [0, 30 + 48, 110 + 66, 300]  # 60 % of the RR intervals of 80 and 110 samples
    expected_LT = np.zeros((2, 300))
    for t in range(300):
        i = np.searchsorted(limits[1:], t, side="right")
        sources = [beats[j] + t - beats[i] for j in range(3) if j != i]
        owners = [j for j in range(3) if j != i]
        usable = [s for j, s in zip(owners, sources) if limits[j] <= s < limits[j + 1] and usable_T[s]]
        if usable:
            expected_LT[:, t] = ecg_LT[:, usable].mean(axis=1)
    np.testing.assert_allclose(leave_one_out_template(ecg_LT, beats, usable_T), expected_LT, atol=1e-12)


def test_fewer_than_three_beats_predict_zero():
    ecg_LT, everything_T = made_ecg([200, 500]), np.ones(SAMPLES, bool)
    assert not leave_one_out_template(ecg_LT, np.array([200, 500]), everything_T).any()
    flat_BLT, column_BN = np.zeros((1, 12, SAMPLES)), np.arange(COLUMNS)[None] % 2 == 0
    assert not beat_template_prediction(flat_BLT, column_BN, patch=PATCH, sampling_rate=HZ).any()


@pytest.mark.parametrize("interval", [32, 50, 83, 140, 220])
def test_beats_are_found_where_they_are(interval):
    beats = np.arange(25, SAMPLES - 20, interval)
    noise_LT = 0.05 * np.random.default_rng(0).normal(size=(12, SAMPLES))
    found = find_beats(made_ecg(beats) + noise_LT, HZ)
    assert len(found) == len(beats)
    offsets = found - beats
    assert np.abs(offsets).max() <= 5
    assert np.ptp(offsets[1:-1]) <= 1


def test_beats_are_aligned_to_each_other_in_noise():
    beats = np.arange(45, SAMPLES - 40, 83)
    noise_LT = 0.6 * np.random.default_rng(0).normal(size=(12, SAMPLES))
    found = find_beats(made_ecg(beats) + noise_LT, HZ)
    assert np.ptp(found - beats) == 0  # 3 samples by the smoothed derivative alone


def test_a_flat_signal_has_no_beats():
    assert len(find_beats(np.ones((12, SAMPLES)), HZ)) == 0
    assert len(find_beats(np.zeros((0, SAMPLES)), HZ)) == 0


def test_missing_leads_do_not_make_beats():
    ecg_BLT = periodic(1)
    ecg_BLT[0, 11] = 50 * np.random.default_rng(0).normal(size=SAMPLES)
    available_BL = np.arange(12)[None] != 11
    column_BN, lead_BL = drawn_mask(1)
    prediction_BLT = beat_template_prediction(
        ecg_BLT, column_BN, patch=PATCH, sampling_rate=HZ, available_BL=available_BL
    )
    got = explained_by_kind_and_lead(
        ecg_BLT, prediction_BLT, column_BN, lead_BL, patch=PATCH, available_BL=available_BL
    )
    assert got.overall > 0.98


def test_misfits_are_told():
    ecg_BLT = periodic(2)
    with pytest.raises(ValueError, match="kept columns: expected 2 recordings"):
        beat_template_prediction(ecg_BLT, np.ones((2, 17), bool), patch=PATCH, sampling_rate=HZ)
    with pytest.raises(ValueError, match="available leads: expected shape"):
        beat_template_prediction(
            ecg_BLT,
            np.ones((2, COLUMNS), bool),
            patch=PATCH,
            sampling_rate=HZ,
            available_BL=np.ones((12, 2), bool),
        )


def test_template_explains_most_of_real_recordings(real_ecg):
    wfdb = pytest.importorskip("wfdb")
    headers = sorted((real_ecg / "ptbxl").rglob("*.hea"))[:30]
    if not headers:
        pytest.skip("no PTB-XL recordings in the folder of real recordings")
    high_pass = butter(3, 0.67, "highpass", fs=HZ, output="sos")
    ecg_BLT = np.stack([wfdb.rdrecord(str(path.with_suffix(""))).p_signal.T for path in headers])
    ecg_BLT = sosfiltfilt(high_pass, resample_poly(ecg_BLT, HZ, 500, axis=-1), axis=-1)[..., 50:950]
    ecg_BLT = ecg_BLT / ecg_BLT.std(axis=(1, 2), keepdims=True)
    column_BN, lead_BL = drawn_mask(len(ecg_BLT))
    prediction_BLT = beat_template_prediction(ecg_BLT, column_BN, patch=PATCH, sampling_rate=HZ)
    got = explained_by_kind_and_lead(ecg_BLT, prediction_BLT, column_BN, lead_BL, patch=PATCH)
    assert min(got.by_kind.values()) > 0.8
