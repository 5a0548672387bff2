import time

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score

from coreecg_jax.downstream.bootstrap import (
    METRICS,
    bootstrap_aurocs,
    bootstrap_macro,
    bootstrap_metrics,
    difference,
    mean_of_runs,
    paired_difference,
    patient_resamples,
)
from coreecg_jax.downstream.scores import (
    auroc,
    class_aurocs,
    class_average_precisions,
    class_briers,
    class_calibration_errors,
    class_f1s,
    macro_auroc,
    scored_classes,
)

THRESHOLDS = np.array([0.5, 0.25, np.inf])


def _cohort(seed=0, recordings=60, patients=40):
    """Probabilities with many ties, three classes of falling frequency."""
    rng = np.random.default_rng(seed)
    probabilities = rng.integers(0, 13, (recordings, 3)) / 12
    labels = rng.random((recordings, 3)) < np.array([0.5, 0.3, 0.15])[None]
    return probabilities, labels, rng.integers(0, patients, recordings)


def _pairs(scores, labels):
    """The definition of AUROC: every positive against every negative."""
    wins = [(p > n) + 0.5 * (p == n) for p in scores[labels] for n in scores[~labels]]
    return np.mean(wins) if wins else np.nan


def _slow(probabilities, labels, threshold, strata=None):
    """All metrics of one class, recording by recording; NaN where undefined."""
    found = labels.any()
    bins = np.digitize(probabilities, np.arange(1, 15) / 15)
    gaps = [
        abs(probabilities[bins == b].mean() - labels[bins == b].mean()) * np.mean(bins == b)
        for b in set(bins)
    ]
    return {
        "auroc": _pairs(probabilities, labels) if strata is None else auroc(probabilities, labels, strata),
        "auprc": average_precision_score(labels, probabilities) if found else np.nan,
        "f1": f1_score(labels, probabilities >= threshold, zero_division=0.0) if found else np.nan,
        "brier": brier_score_loss(labels, probabilities, pos_label=True, labels=[False, True]),
        "ece": sum(gaps),
    }


@pytest.mark.parametrize("stratified", [False, True])
def test_every_metric_equals_that_of_the_repeated_recordings(stratified):
    probabilities, labels, patients = _cohort()
    strata = np.arange(60) % 3 if stratified else None
    counts = patient_resamples(patients, resamples=150, seed=1)  # more than one chunk
    counts[3, labels[:, 1] | labels[:, 2]] = 0  # no positive of two classes, one of which is called
    metrics = bootstrap_metrics(probabilities, labels, counts, THRESHOLDS, strata=strata)
    scored = scored_classes(labels)
    for r in [*range(0, 150, 11), 3, 127, 128, 149]:
        rows = np.repeat(np.arange(60), counts[r])
        slow = [
            _slow(
                probabilities[rows, c],
                labels[rows, c],
                THRESHOLDS[c],
                strata if strata is None else strata[rows],
            )
            for c in range(3)
        ]
        for name in METRICS:
            each = np.array([of_class[name] for of_class in slow])
            np.testing.assert_allclose(metrics.classes[name].resamples[r], each, atol=1e-12, err_msg=name)
            np.testing.assert_allclose(metrics.macro[name].resamples[r], np.nanmean(each[scored]), atol=1e-12)


def test_values_are_the_metrics_of_the_test_set():
    probabilities, labels, patients = _cohort(1)
    counts = patient_resamples(patients, resamples=3)
    metrics = bootstrap_metrics(probabilities, labels, counts, THRESHOLDS)
    points = {
        "auroc": class_aurocs(probabilities, labels),
        "auprc": class_average_precisions(probabilities, labels),
        "f1": class_f1s(probabilities, labels, THRESHOLDS),
        "brier": class_briers(probabilities, labels),
        "ece": class_calibration_errors(probabilities, labels),
    }
    assert tuple(metrics.classes) == METRICS
    for name, point in points.items():
        np.testing.assert_allclose(metrics.classes[name].value, point, atol=1e-12, err_msg=name)
        assert metrics.macro[name].value == pytest.approx(point.mean(), abs=1e-12)


def test_rare_classes_have_values_and_no_share_in_the_macro():
    probabilities, labels, patients = _cohort(2)
    labels[:, 2] = np.arange(60) < 4
    metrics = bootstrap_metrics(probabilities, labels, patient_resamples(patients, resamples=9), THRESHOLDS)
    for name in METRICS:
        assert np.isfinite(metrics.classes[name].value).all()
        assert metrics.macro[name].value == pytest.approx(metrics.classes[name].value[:2].mean())
        means = metrics.classes[name].resamples[:, :2].mean(axis=1)
        np.testing.assert_allclose(metrics.macro[name].resamples, means)


def test_runs_are_averaged_and_differences_paired():
    runs, counts = [], patient_resamples(_cohort(3)[2], resamples=30)
    labels = _cohort(3)[1]
    for seed in (3, 4, 5):
        runs.append(bootstrap_metrics(_cohort(seed)[0], labels, counts, THRESHOLDS))
    mean = mean_of_runs(runs[:2], [{}, {}])
    gap = difference(mean, runs[2])
    for part in ("classes", "macro"):
        for name in METRICS:
            a, b, c = (getattr(run, part)[name] for run in runs)
            each, both = getattr(mean, part)[name], getattr(gap, part)[name]
            np.testing.assert_allclose(each.resamples, (a.resamples + b.resamples) / 2)
            np.testing.assert_allclose(both.value, (a.value + b.value) / 2 - c.value, atol=1e-15)
            np.testing.assert_allclose(both.resamples, each.resamples - c.resamples, atol=1e-15)
    (nothing,) = difference(mean, mean).macro["brier"].intervals()
    assert nothing == (0, 0, 0)
    assert len(gap.classes["ece"].intervals()) == 3


def test_runs_that_scatter_widen_the_interval_of_their_mean_alone():
    probabilities, labels, patients = _cohort(3)
    counts = patient_resamples(patients, resamples=500)
    other = np.clip(probabilities + 0.3 * labels, 0, 1)
    runs = [bootstrap_metrics(each, labels, counts, THRESHOLDS) for each in (probabilities, other)]
    known, seeds = mean_of_runs(runs, [{}, {}]), [{"seed": 0}, {"seed": 1}]
    mean = mean_of_runs(runs, seeds)
    for name in METRICS:
        gap = abs(runs[0].macro[name].value - runs[1].macro[name].value)
        added = mean.macro[name].resamples - known.macro[name].resamples
        assert added.std() == pytest.approx(gap / 2, rel=0.1)  # the standard error of a mean of two
        assert mean.macro[name].value == known.macro[name].value
        of_classes = mean.classes[name].resamples - known.classes[name].resamples
        np.testing.assert_allclose(of_classes.mean(axis=1), added, atol=1e-12)
    (nothing,) = difference(mean, mean).macro["brier"].intervals()
    assert nothing == (0, 0, 0)
    of_functions = bootstrap_macro([probabilities, other], labels, counts, drawn=seeds)
    np.testing.assert_allclose(of_functions.resamples, mean.macro["auroc"].resamples, atol=1e-12)
    change = paired_difference([probabilities, other], [other] * 2, labels, counts, drawn=(seeds, seeds))
    expected = mean.macro["auroc"].resamples - runs[1].macro["auroc"].resamples
    np.testing.assert_allclose(change[1:], np.percentile(expected, [2.5, 97.5]), atol=1e-12)


def test_macro_auroc_is_that_of_the_functions_for_any_scores():
    probabilities, labels, patients = _cohort(6)
    counts = patient_resamples(patients, resamples=40)
    metrics = bootstrap_metrics(probabilities, labels, counts, THRESHOLDS)
    macro = bootstrap_macro([5 * probabilities - 7], labels, counts)
    np.testing.assert_allclose(metrics.macro["auroc"].resamples, macro.resamples, atol=1e-12)


def test_mistakes_are_named():
    probabilities, labels, patients = _cohort()
    counts = patient_resamples(patients, resamples=5)
    with pytest.raises(ValueError, match=r"probabilities in \[0, 1\], got 0 to 2"):
        bootstrap_metrics(2 * probabilities, labels, counts, THRESHOLDS)
    with pytest.raises(ValueError, match="one number for each of 3 classes"):
        bootstrap_metrics(probabilities, labels, counts, THRESHOLDS[:2])
    with pytest.raises(ValueError, match=r"counts \(R, n\)"):
        bootstrap_metrics(probabilities, labels, counts[:, 1:], THRESHOLDS)
    with pytest.raises(ValueError, match="labels bool, got int64"):
        bootstrap_metrics(probabilities, labels.astype(int), counts, THRESHOLDS)
    one, two = (bootstrap_metrics(probabilities, labels, counts[:r], THRESHOLDS) for r in (4, 5))
    with pytest.raises(ValueError, match="same resamples"):
        difference(one, two)
    with pytest.raises(ValueError, match="at least one run"):
        mean_of_runs([], [])


def test_seventy_classes_and_a_thousand_resamples_are_fast():
    rng = np.random.default_rng(0)
    labels = rng.random((2200, 71)) < np.geomspace(0.005, 0.5, 71)[None]
    probabilities = rng.random((2200, 71))
    counts = patient_resamples(rng.integers(0, 2000, 2200))
    start = time.process_time()
    bootstrap_metrics(probabilities, labels, counts, np.full(71, 0.5))
    assert time.process_time() - start < 20  # 2 s of processor time, 1.3 s on two idle cores


def test_resamples_draw_patients_with_all_their_recordings():
    patients = np.array(["a", "b", "b", "c", "c", "c"])
    counts = patient_resamples(patients, resamples=200, seed=3)
    assert (counts[:, 1] == counts[:, 2]).all()
    assert (counts[:, 3] == counts[:, 5]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()  # as many patients as there are
    assert len(np.unique(counts, axis=0)) > 5


def test_bootstrap_equals_a_loop_with_the_same_draws():
    scores, labels, patients = _cohort(2)
    unique = np.unique(patients)
    drawn = np.random.default_rng(7).integers(0, len(unique), (60, len(unique)))
    slow = []
    for draw in drawn:
        rows = np.concatenate([np.flatnonzero(patients == unique[number]) for number in draw])
        slow.append(np.mean([_pairs(scores[rows, c], labels[rows, c]) for c in range(3)]))
    counts = patient_resamples(patients, resamples=60, seed=7)
    (interval,) = bootstrap_macro(
        [scores], labels, counts, scored=scored_classes(labels, min_positives=2)
    ).intervals()
    np.testing.assert_allclose(interval[1:], np.nanpercentile(slow, [2.5, 97.5]), atol=1e-12)
    assert interval.value == pytest.approx(np.mean([_pairs(scores[:, c], labels[:, c]) for c in range(3)]))


def test_a_resample_without_a_positive_does_not_count_for_its_class():
    scores = np.array([[0.1, 0.9], [0.2, 0.1], [0.3, 0.5], [0.9, 0.2]])
    labels = np.array([[True, False], [False, True], [True, False], [False, True]])
    counts = np.array([[1, 1, 1, 1], [2, 0, 2, 0]])  # the second holds no positive of class 1
    resamples = bootstrap_aurocs(scores, labels, counts).resamples
    assert np.isfinite(resamples[0]).all()
    assert np.isnan(resamples[1]).all()
    macro = bootstrap_macro([scores], labels, counts, scored=np.array([True, True]))
    (interval,) = macro.intervals()
    assert interval.low == interval.high == pytest.approx(macro.value)


def test_difference_is_paired():
    scores, labels, patients = _cohort(3, recordings=200)
    better = scores + labels / 2
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
