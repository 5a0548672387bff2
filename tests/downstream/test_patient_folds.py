import numpy as np
import pytest

from coreecg_jax.downstream.folds import patient_folds
from coreecg_jax.downstream.probes import fit_probe
from coreecg_jax.downstream.scores import class_average_precisions

# 40 recordings of 20 patients, ten of whom have several; half of the recordings are positive.
SIZES = np.r_[np.full(5, 4), np.full(5, 2), np.ones(10, int)]
PATIENTS = np.repeat(np.arange(20), SIZES)
POSITIVE = {4: 2, 2: 3, 1: 6}  # patients by their recordings: 8 + 6 + 6


def half_positive(seed):
    """Whole patients are positive; with odd seeds any of their recordings. Bool (40, 1)."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        return (rng.permutation(40) < 20)[:, None]
    positive = [rng.permutation((size == SIZES).sum()) < count for size, count in POSITIVE.items()]
    return np.concatenate(positive)[PATIENTS][:, None]


@pytest.mark.parametrize("seed", range(20))
def test_each_fold_has_the_prevalence_of_the_whole_within_one_patient(seed):
    labels = half_positive(seed)
    assert labels.sum() == 20
    fold = patient_folds(PATIENTS, labels, seed=seed)
    assert all(
        len(set(fold[recordings])) == 1 for recordings in np.split(np.arange(40), np.cumsum(SIZES)[:-1])
    )
    for each in (fold == number for number in range(5)):
        off = labels[each].sum() - 0.5 * each.sum()  # by a patient of four of one label: 2
        assert abs(off) <= 0.5 * SIZES.max()
        assert abs(each.sum() - 8) <= SIZES.max()


def test_scores_that_know_nothing_rank_as_chance_does():
    """Where patients are dealt without labels, noise has an AUPRC of 0.39, the prevalence alone 0.41."""
    found = []
    for seed in range(20):
        labels = half_positive(seed)
        fold = patient_folds(PATIENTS, labels, seed=1)
        noise = np.random.default_rng(seed).normal(size=(40, 30))
        by_noise, by_prevalence = np.empty((2, 40, 1))
        for asked in (fold == number for number in range(5)):
            probe = fit_probe([noise[~asked]], labels[~asked], PATIENTS[~asked], strengths=[0.01])
            by_noise[asked] = probe.predict([noise[asked]])
            by_prevalence[asked] = labels[~asked].mean()
        scores = np.concatenate([by_noise, by_prevalence], axis=1)
        found.append(class_average_precisions(scores, np.repeat(labels, 2, axis=1)))
    first = np.mean(1 / np.arange(1, 41))  # 1 of the k recordings down to a positive is itself
    expected = first + (1 - first) * 19 / 39, 0.5  # mean of 40 recordings in a random order: 0.54; one step
    np.testing.assert_allclose(np.mean(found, axis=0), expected, atol=0.05)


def test_each_of_many_classes_is_spread_however_rare():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(200), rng.integers(1, 6, 200))
    base = rng.random((200, 8)) < np.geomspace(0.5, 0.03, 8)
    labels = base[patients] ^ (rng.random((len(patients), 8)) < 0.03)
    fold = patient_folds(patients, labels)
    by_fold = np.array([labels[fold == number].sum(axis=0) for number in range(5)])
    assert np.abs(by_fold - labels.sum(axis=0) / 5).max() <= 5  # the recordings of one patient
    sizes = np.bincount(fold, minlength=5)
    assert np.ptp(sizes) <= 2 * 5


def test_a_seed_says_the_folds_and_another_gives_others():
    labels = half_positive(1)
    folds = [patient_folds(PATIENTS, labels, seed=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(folds[0], folds[1])
    same = folds[0][:, None] == folds[0][None, :]
    assert (same != (folds[2][:, None] == folds[2][None, :])).any()  # not the same ones renamed


def test_every_fold_has_a_patient_or_it_is_refused():
    labels = np.array([[True]] + [[False]] * 11)
    assert sorted(patient_folds(np.r_[np.zeros(8, int), 1:5], labels)[7:]) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="at least 5 patients, got 2"):
        patient_folds(np.array([1, 1, 2]), labels[:3])
