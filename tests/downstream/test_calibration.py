import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from coreecg_jax.downstream.calibration import FLOOR, Platt, fit_platt
from coreecg_jax.downstream.scores import class_calibration_errors


def _cohort(seed=0, recordings=400):
    """Overconfident probabilities of three classes that are too high by different amounts."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(recordings, 3)) * 1.5 + np.array([0.0, -1.5, -3.0])[None]
    labels = rng.random((recordings, 3)) < expit(truth)
    return expit(2 * truth + np.array([0.5, 1.0, 2.0])[None]), labels


def test_fit_is_the_logistic_regression_on_smoothed_labels():
    probabilities, labels = _cohort()
    platt = fit_platt(probabilities, labels)
    for c in range(3):
        label = labels[:, c]
        target = np.where(label, (label.sum() + 1) / (label.sum() + 2), 1 / ((~label).sum() + 2))
        # A smoothed label is a positive and a negative, each weighted with its share.
        features = logit(np.tile(probabilities[:, c], 2))[:, None]
        weights = np.r_[target, 1 - target]
        regression = LogisticRegression(C=np.inf, tol=1e-10, solver="newton-cholesky")
        regression.fit(features, np.repeat([1, 0], len(label)), sample_weight=weights)
        assert platt.slope[c] == pytest.approx(regression.coef_[0, 0], rel=1e-6)
        assert platt.intercept[c] == pytest.approx(regression.intercept_[0], rel=1e-6, abs=1e-6)


def test_fit_mends_what_was_done_to_the_probabilities():
    probabilities, labels = _cohort(1, recordings=20_000)
    platt = fit_platt(probabilities, labels)
    np.testing.assert_allclose(platt.slope, 0.5, atol=0.05)
    np.testing.assert_allclose(platt.intercept, [-0.25, -0.5, -1.0], atol=0.1)
    other, other_labels = _cohort(2, recordings=20_000)  # a hospital with the same patients
    before, after = (class_calibration_errors(each, other_labels) for each in (other, platt(other)))
    assert (before > 0.05).all()
    assert (after < 0.02).all()


def test_fit_stays_finite_where_the_labels_are_parted():
    labels = (np.arange(50) < 2)[:, None]
    probabilities = np.where(labels, 0.9, 0.1) + np.linspace(0, 0.05, 50)[:, None]
    platt = fit_platt(probabilities, labels)
    calibrated = platt(probabilities)
    assert np.abs([platt.slope, platt.intercept]).max() < 20
    assert calibrated[~labels].mean() == pytest.approx(1 / 50, abs=0.01)
    assert 0.6 < calibrated[labels].mean() < 0.8  # (2 + 1) / (2 + 2)


def test_a_class_of_which_nothing_is_known_is_left_as_it_is():
    probabilities, labels = _cohort()
    known = np.ones_like(labels)
    known[:, 1], known[:100, 2] = False, False
    platt = fit_platt(probabilities, labels, known)
    assert (platt.slope[1], platt.intercept[1]) == (1, 0)
    alone = fit_platt(probabilities[100:], labels[100:])
    assert platt.slope[2] == alone.slope[2]
    assert platt.intercept[2] == alone.intercept[2]


def test_fit_of_one_recording_far_from_all_others_is_found():
    # Newton's whole steps leave the minimum here: the far recording is predicted with certainty at once.
    labels = (np.arange(244) < 4)[:, None]
    probabilities = np.where(np.arange(244) == 0, 0.9, 0.1)[:, None]
    calibrated = fit_platt(probabilities, labels)(probabilities)[:, 0]
    assert calibrated[0] == pytest.approx(5 / 6, abs=1e-6)
    np.testing.assert_allclose(calibrated[1:], (3 * 5 / 6 + 240 / 242) / 243, atol=1e-9)


def test_certain_probabilities_and_single_labels_are_fitted():
    probabilities = np.array([[0.0, 0.3, 1.0], [1.0, 0.3, 0.0]] * 10)
    labels = np.array([[False, True, True], [True, False, True]] * 10)
    platt = fit_platt(probabilities, labels)
    calibrated = platt(probabilities)
    assert np.isfinite(calibrated).all()
    np.testing.assert_allclose(calibrated[:2, 0], [1 / 12, 11 / 12], atol=1e-9)
    assert platt.slope[1] == 0  # nothing to tell the recordings apart by
    np.testing.assert_allclose(calibrated[:, 1], 0.5, atol=1e-9)
    np.testing.assert_allclose(calibrated[:, 2], 21 / 22, atol=1e-9)


def test_slope_one_and_intercept_zero_change_nothing():
    probabilities = np.array([[0.0], [0.3], [1.0]])
    same = Platt(np.ones(1), np.zeros(1))(probabilities)
    np.testing.assert_allclose(same, np.clip(probabilities, FLOOR, 1 - FLOOR), rtol=1e-9)
    with pytest.raises(ValueError, match=r"\(n, 1\) of the classes"):
        Platt(np.ones(1), np.zeros(1))(np.full((3, 2), 0.5))
