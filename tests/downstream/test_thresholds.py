import numpy as np
import pytest
from sklearn.metrics import f1_score

from coreecg_jax.downstream.scores import class_f1s
from coreecg_jax.downstream.thresholds import best_f1_thresholds


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("grid", [1, 4, 20, 10**6])
def test_thresholds_are_the_smallest_of_the_best(seed, grid):
    rng = np.random.default_rng(seed)
    labels = rng.random((30, 3)) < np.array([0.05, 0.3, 0.9])[None]
    labels[0] = True
    probabilities = np.round((rng.random((30, 3)) + 0.5 * labels) / 1.5 * grid) / grid
    found = best_f1_thresholds(probabilities, labels)
    for c in range(3):
        tried = sorted(set(probabilities[:, c]))
        f1s = [f1_score(labels[:, c], probabilities[:, c] >= threshold) for threshold in tried]
        equals = [threshold for threshold, f1 in zip(tried, f1s) if f1 > max(f1s) - 1e-12]
        assert found[c] == equals[0]
    np.testing.assert_allclose(
        class_f1s(probabilities, labels, found),
        [f1_score(labels[:, c], probabilities[:, c] >= found[c]) for c in range(3)],
        atol=1e-12,
    )


def test_equal_f1_takes_the_smallest_threshold():
    labels = np.array([True, False, False, True])[:, None]
    probabilities = np.array([0.9, 0.7, 0.5, 0.3])[:, None]
    # F1 is 2/3 from 0.9 (one found of one called) and from 0.3 (two found of four called).
    assert best_f1_thresholds(probabilities, labels).tolist() == [0.3]


def test_single_precision_probabilities_reach_their_own_threshold():
    labels = np.array([False, True, True])[:, None]
    probabilities = np.array([0.1, 0.3, 0.7], np.float32)[:, None]
    threshold = best_f1_thresholds(probabilities, labels)
    assert class_f1s(probabilities, labels, threshold).tolist() == [1.0]


def test_a_class_without_a_positive_is_never_predicted():
    labels = np.array([[True, False], [False, False]])
    thresholds = best_f1_thresholds(np.array([[0.9, 1.0], [0.1, 1.0]]), labels)
    assert thresholds.tolist() == [0.9, np.inf]


def test_scores_are_refused():
    with pytest.raises(ValueError, match=r"probabilities in \[0, 1\]"):
        best_f1_thresholds(np.array([[3.0]]), np.array([[True]]))
