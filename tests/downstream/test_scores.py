import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from coreecg_jax.downstream.scores import (
    auroc,
    bootstrap_aurocs,
    bootstrap_macro,
    class_aurocs,
    macro_auroc,
    paired_difference,
    patient_resamples,
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


def test_resamples_draw_patients_with_all_their_recordings():
    patients = np.array(["a", "b", "b", "c", "c", "c"])
    counts = patient_resamples(patients, resamples=200, seed=3)
    assert (counts[:, 1] == counts[:, 2]).all()
    assert (counts[:, 3] == counts[:, 5]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()  # as many patients as there are
    assert len(np.unique(counts, axis=0)) > 5


def test_weighted_auroc_is_that_of_the_repeated_recordings():
    scores, labels, patients = _cohort(1)
    counts = patient_resamples(patients, resamples=50, seed=1)
    fast = weighted_auroc(scores[:, 0], labels[:, 0], counts)
    slow = [_pairs(np.repeat(scores[:, 0], row), np.repeat(labels[:, 0], row)) for row in counts]
    np.testing.assert_allclose(fast, slow, atol=1e-12)


def test_bootstrap_equals_a_loop_with_the_same_draws():
    scores, labels, patients = _cohort(2)
    unique = np.unique(patients)
    drawn = np.random.default_rng(7).integers(0, len(unique), (60, len(unique)))
    slow = []
    for draw in drawn:
        rows = np.concatenate([np.flatnonzero(patients == unique[number]) for number in draw])
        slow.append(np.mean([_pairs(scores[rows, c], labels[rows, c]) for c in range(3)]))
    counts = patient_resamples(patients, resamples=60, seed=7)
    (interval,) = bootstrap_macro([scores], labels, counts, min_positives=2).intervals()
    np.testing.assert_allclose(interval[1:], np.nanpercentile(slow, [2.5, 97.5]), atol=1e-12)
    assert interval.value == pytest.approx(np.mean([_pairs(scores[:, c], labels[:, c]) for c in range(3)]))


def test_a_resample_without_a_positive_does_not_count_for_its_class():
    scores = np.array([[0.1, 0.9], [0.2, 0.1], [0.3, 0.5], [0.9, 0.2]])
    labels = np.array([[True, False], [False, True], [True, False], [False, True]])
    counts = np.array([[1, 1, 1, 1], [2, 0, 2, 0]])  # the second holds no positive of class 1
    resamples = bootstrap_aurocs(scores, labels, counts).resamples
    assert np.isfinite(resamples[0]).all()
    assert np.isnan(resamples[1]).all()
    macro = bootstrap_macro([scores], labels, counts, min_positives=1)
    (interval,) = macro.intervals()
    assert interval.low == interval.high == pytest.approx(macro.value)


def test_rare_classes_are_left_out_of_the_macro():
    rng = np.random.default_rng(0)
    labels = np.zeros((50, 3), bool)
    labels[:20, 0], labels[:4, 1], labels[:46, 2] = True, True, True
    scores = rng.random((50, 3))
    assert scored_classes(labels).tolist() == [True, False, False]
    assert macro_auroc(scores, labels) == pytest.approx(auroc(scores[:, 0], labels[:, 0]))
    assert macro_auroc(scores, labels, min_positives=4) == pytest.approx(class_aurocs(scores, labels).mean())
    with pytest.raises(ValueError, match="no class has 30 positives"):
        macro_auroc(scores, labels, min_positives=30)


def test_difference_is_paired():
    scores, labels, patients = _cohort(3, recordings=200)
    better = scores + 2 * labels
    counts = patient_resamples(patients, resamples=300)
    gain = paired_difference([better], [scores], labels, counts)
    assert gain.low > 0
    assert gain.value == pytest.approx(macro_auroc(better, labels) - macro_auroc(scores, labels))
    assert paired_difference([scores], [scores], labels, counts) == (0, 0, 0)
    flipped = paired_difference([scores], [better], labels, counts)
    np.testing.assert_allclose(flipped, [-gain.value, -gain.high, -gain.low])


def test_runs_are_averaged_by_score():
    scores, labels, patients = _cohort(4)
    other = _cohort(5)[0]
    counts = patient_resamples(patients, resamples=20)
    both = bootstrap_macro([scores, other], labels, counts)
    each = [bootstrap_macro([run], labels, counts) for run in (scores, other)]
    assert both.value == pytest.approx(np.mean([run.value for run in each]))
    np.testing.assert_allclose(both.resamples, np.mean([run.resamples for run in each], axis=0))


def test_a_thousand_resamples_are_fast():
    scores, labels, patients = _cohort(0, recordings=136, patients=130)
    start = time.process_time()
    bootstrap_macro([scores], labels, patient_resamples(patients))
    assert time.process_time() - start < 3


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
