import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, roc_auc_score

from coreecg_jax.downstream.bootstrap import patient_resamples
from coreecg_jax.downstream.scores import (
    TooFewRecordings,
    auroc,
    bin_of,
    class_aurocs,
    class_average_precisions,
    class_briers,
    class_calibration_errors,
    class_f1s,
    macro_auroc,
    scored_classes,
    weighted_auroc,
)


def _pairs(scores, labels):
    """The definition: every positive against every negative."""
    wins = [(p > n) + 0.5 * (p == n) for p in scores[labels] for n in scores[~labels]]
    return np.mean(wins) if wins else np.nan


def _cohort(seed=0, recordings=60, classes=3, patients=40):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 12, (recordings, classes)) / 4  # many ties
    labels = rng.random((recordings, classes)) < [0.5, 0.3, 0.15][:classes]
    return scores, labels, rng.integers(0, patients, recordings)


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_the_share_of_pairs_won(seed):
    scores, labels, _ = _cohort(seed)
    assert auroc(scores[:, 0], labels[:, 0]) == pytest.approx(_pairs(scores[:, 0], labels[:, 0]), abs=1e-12)
    assert auroc(scores[:, 1], labels[:, 1]) == pytest.approx(roc_auc_score(labels[:, 1], scores[:, 1]))


def test_auroc_of_one_label_is_unknown():
    assert np.isnan(auroc(np.arange(4.0), np.ones(4, bool)))
    assert np.isnan(auroc(np.arange(4.0), np.zeros(4, bool)))


def test_auroc_refuses_scores_that_are_not_numbers():
    with pytest.raises(ValueError, match="finite"):
        auroc(np.array([0.1, np.nan]), np.array([True, False]))


def test_weighted_auroc_is_that_of_the_repeated_recordings():
    scores, labels, patients = _cohort(1)
    counts = patient_resamples(patients, resamples=50, seed=1)
    fast = weighted_auroc(scores[:, 0], labels[:, 0], counts)
    slow = [_pairs(np.repeat(scores[:, 0], row), np.repeat(labels[:, 0], row)) for row in counts]
    np.testing.assert_allclose(fast, slow, atol=1e-12)


def test_rare_classes_are_left_out_of_the_macro():
    rng = np.random.default_rng(0)
    labels = np.zeros((50, 3), bool)
    labels[:20, 0], labels[:4, 1], labels[:46, 2] = True, True, True
    scores = rng.random((50, 3))
    assert scored_classes(labels).tolist() == [True, False, False]
    assert macro_auroc(scores, labels) == pytest.approx(auroc(scores[:, 0], labels[:, 0]))
    assert macro_auroc(scores, labels, min_positives=4) == pytest.approx(class_aurocs(scores, labels).mean())
    with pytest.raises(ValueError, match=r"no class has 30 positives .*; use more recordings$"):
        macro_auroc(scores, labels, min_positives=30)


def test_a_class_of_too_few_patients_is_left_out_of_the_macro():
    labels = np.zeros((60, 3), bool)
    labels[:20, 0], labels[:20, 1], labels[:40, 2] = True, True, True
    patients = np.arange(60)
    patients[4:20] = 4  # 20 positives of 5 patients: enough
    assert scored_classes(labels, patients).tolist() == [True, True, True]
    patients[3:20] = 3
    assert scored_classes(labels, patients).tolist() == [False, False, True]
    patients[44:] = 44  # nor are there enough patients without the third
    patients[:40] = np.arange(40)
    assert scored_classes(labels, patients).tolist() == [True, True, True]
    patients[43:] = 43
    assert scored_classes(labels, patients).tolist() == [True, True, False]
    patients[:] = 0
    with pytest.raises(
        TooFewRecordings, match=r"positives: \[20, 20, 40\], of so many patients: \[1, 1, 1\]"
    ):
        scored_classes(labels, patients)


def test_strata_compare_pairs_within_one_stratum():
    scores, labels, patients = _cohort(6)
    strata = np.arange(60) % 4
    pairs = [
        (positive > negative) + 0.5 * (positive == negative)
        for stratum in range(4)
        for positive in scores[(strata == stratum) & labels[:, 0], 0]
        for negative in scores[(strata == stratum) & ~labels[:, 0], 0]
    ]
    assert auroc(scores[:, 0], labels[:, 0], strata) == pytest.approx(np.mean(pairs))
    moved = scores + 100 * strata[:, None]  # offsets of the fits do not matter
    assert macro_auroc(moved, labels, strata=strata) == pytest.approx(
        macro_auroc(scores, labels, strata=strata)
    )
    counts = patient_resamples(patients, resamples=30)
    drawn = [np.repeat(np.arange(60), row) for row in counts]
    slow = [auroc(scores[rows, 0], labels[rows, 0], strata[rows]) for rows in drawn]
    np.testing.assert_allclose(weighted_auroc(scores[:, 0], labels[:, 0], counts, strata), slow)


def test_pooled_out_of_fold_scores_of_a_constant_fit_are_turned_round():
    labels = np.arange(40) % 8 == 0  # five positives in five folds of eight
    fold = np.minimum(np.arange(40) // 10, 3)
    base_rate = np.array([labels[fold != number].mean() for number in fold])  # knows nothing of the recording
    assert auroc(base_rate, labels) < 0.45
    assert auroc(base_rate, labels, fold) == 0.5


@st.composite
def _predictions(draw):
    """Probabilities of one class, from all equal to all different, with at least one of either label."""
    recordings = draw(st.integers(2, 40))
    grid = draw(st.sampled_from([1, 3, 15, 10**6]))
    numbers = draw(st.lists(st.integers(0, grid), min_size=recordings, max_size=recordings))
    labels = draw(st.lists(st.booleans(), min_size=recordings - 2, max_size=recordings - 2))
    return np.array(numbers) / grid, np.array([True, False, *labels])


@settings(max_examples=100, deadline=None)
@given(_predictions(), st.floats(0, 1))
def test_metrics_are_those_of_scikit_learn(predictions, threshold):
    probabilities, labels = predictions
    column, labels_n1 = probabilities[:, None], labels[:, None]
    near = {"abs": 1e-12, "rel": 0}
    assert auroc(probabilities, labels) == pytest.approx(roc_auc_score(labels, probabilities), **near)
    assert class_average_precisions(column, labels_n1)[0] == pytest.approx(
        average_precision_score(labels, probabilities), **near
    )
    assert class_f1s(column, labels_n1, np.array([threshold]))[0] == pytest.approx(
        f1_score(labels, probabilities >= threshold, zero_division=0.0), **near
    )
    assert class_briers(column, labels_n1)[0] == pytest.approx(
        brier_score_loss(labels, probabilities), **near
    )
    assert class_calibration_errors(column, labels_n1)[0] == pytest.approx(
        _calibration_error(probabilities, labels), **near
    )


def _calibration_error(probabilities, labels, bins=15):
    """The definition: bin by bin, recording by recording."""
    error = 0.0
    for b in range(bins):
        top = np.inf if b == bins - 1 else (b + 1) / bins
        inside = [i for i, p in enumerate(probabilities) if b / bins <= p < top]
        if inside:
            confidence = sum(probabilities[i] for i in inside) / len(inside)
            share = sum(bool(labels[i]) for i in inside) / len(inside)
            error += len(inside) / len(labels) * abs(confidence - share)
    return error


def test_bins_hold_their_lower_edge():
    assert bin_of(np.arange(16) / 15).tolist() == [*range(15), 14]
    assert bin_of(np.array([0.0, 0.4999, 0.5, 1.0]), bins=2).tolist() == [0, 0, 1, 1]


def test_calibration_error_of_shares_is_nothing_and_of_certainty_the_share_of_mistakes():
    labels = (np.arange(100) % 4 == 0)[:, None]
    assert class_calibration_errors(np.full((100, 1), 0.25), labels)[0] == pytest.approx(0, abs=1e-12)
    assert class_calibration_errors(np.ones((100, 1)), labels)[0] == pytest.approx(0.75)
    assert class_briers(np.full((100, 1), 0.25), labels)[0] == pytest.approx(0.25 * 0.75)


def test_metrics_of_a_class_without_a_positive_are_unknown_where_they_need_one():
    probabilities, labels = np.array([[0.2, 0.2], [0.9, 0.9]]), np.array([[False, True], [False, True]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no division by zero behind the NaN
        precision = class_average_precisions(probabilities, labels)
        f1 = class_f1s(probabilities, labels, np.array([0.5, np.inf]))
    np.testing.assert_array_equal(precision, [np.nan, 1.0])
    np.testing.assert_array_equal(f1, [np.nan, 0.0])  # positives, and none called


def test_average_precision_takes_scores_that_only_rank():
    scores, labels, _ = _cohort(7)
    slow = [average_precision_score(labels[:, c], scores[:, c]) for c in range(3)]
    np.testing.assert_allclose(class_average_precisions(-3 + 8 * scores, labels), slow, atol=1e-12)


def test_probabilities_are_asked_for():
    scores, labels, _ = _cohort()
    for metric in (class_briers, class_calibration_errors):
        with pytest.raises(ValueError, match="only rank"):
            metric(scores, labels)
    with pytest.raises(ValueError, match=r"\(n, C\)"):
        class_briers(np.full(60, 0.5), labels[:, 0])
    with pytest.raises(ValueError, match="1 NaN"):
        class_f1s(scores / 10, labels, np.array([0.5, np.nan, 0.5]))
