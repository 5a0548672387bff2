"""Fewer leads, fewer labels: nothing of what was left out is seen, and what is left stands for the whole."""

import itertools
import time

import numpy as np
import pytest
from made_cohorts import made_recordings

from coreecg_jax.downstream.features import crop_features
from coreecg_jax.downstream.subsets import LEAD_SUBSETS, nested_fractions, only_leads
from coreecg_jax.records.leads import LEADS, UnknownLeadError
from coreecg_jax.records.schema import LeadFlag

FRACTIONS = (0.01, 0.05, 0.1, 0.31, 0.5, 0.9, 1.0)


def _everything(ecg_BLT, available_BL, length_B):
    """All that a representation is given."""
    return np.concatenate([ecg_BLT.reshape(len(ecg_BLT), -1), available_BL, length_B[:, None]], axis=1)


@pytest.mark.parametrize("leads", LEAD_SUBSETS.values(), ids=str)
def test_a_removed_lead_leaks_nothing(leads):
    recordings, other = made_recordings(3), made_recordings(3)
    removed = [index for index, name in enumerate(LEADS) if name not in leads]
    rng = np.random.default_rng(5)
    other.ecg[:, removed] = rng.integers(-3000, 3000, other.ecg[:, removed].shape)
    other.quality[:, removed] = 0 if not removed else LeadFlag.FLAT
    seen = [crop_features(_everything, only_leads(r, leads), crop_seconds=1.0) for r in (recordings, other)]
    np.testing.assert_array_equal(seen[0], seen[1])
    whole = crop_features(_everything, recordings, crop_seconds=1.0)
    samples = (whole.shape[1] - 13) // 12
    shown = np.concatenate([np.repeat([name in leads for name in LEADS], samples), np.ones(13, bool)])
    # The leads that stay are as they were, at their places; the others are zeros that are not available.
    np.testing.assert_array_equal(seen[0][:, shown][:, :-13], whole[:, shown][:, :-13])
    assert not seen[0][:, ~shown].any()
    np.testing.assert_array_equal(seen[0][:, -13:-1], [[name in leads for name in LEADS]] * 3)


def test_leads_are_taken_by_name_in_any_order():
    recordings = made_recordings(2)
    recordings.ecg[:] = np.arange(12)[None, :, None]
    kept = only_leads(recordings, ["v2", "AVF", "II"])
    assert np.flatnonzero(kept.available[0]).tolist() == [1, 5, 7]
    assert kept.ecg[0, :, 0].tolist() == [0, 1, 0, 0, 0, 5, 0, 7, 0, 0, 0, 0]
    assert kept.ecg.shape == recordings.ecg.shape


def test_the_recordings_themselves_are_not_changed():
    recordings, before = made_recordings(2), made_recordings(2)
    only_leads(recordings, ["I"])
    np.testing.assert_array_equal(recordings.ecg, before.ecg)
    assert not recordings.quality.any()


def test_flags_that_were_there_stay():
    recordings = made_recordings(1)
    recordings.quality[0, :2] = LeadFlag.FLAT
    assert only_leads(recordings, ["I"]).quality[0, :3].tolist() == [
        LeadFlag.FLAT,
        LeadFlag.FLAT | LeadFlag.MISSING,
        LeadFlag.MISSING,
    ]


def test_unknown_and_repeated_leads_are_refused():
    with pytest.raises(UnknownLeadError, match="unknown lead 'V7'"):
        only_leads(made_recordings(1), ["I", "V7"])
    with pytest.raises(ValueError, match="each lead once and at least one"):
        only_leads(made_recordings(1), ["I", "i"])


def test_subsets_hold_as_many_leads_as_they_say():
    assert all(len(set(leads)) == number for number, leads in LEAD_SUBSETS.items())
    assert all(set(leads) <= set(LEADS) for leads in LEAD_SUBSETS.values())


@pytest.fixture(scope="module")
def cohort():
    """Labels (1200, 13) from one in two to three in all, and patients of one, two or five recordings."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(1000), rng.choice([1, 2, 5], 1000, p=[0.8, 0.15, 0.05]))[:1200]
    frequent = rng.random((len(patients), 12)) < np.geomspace(0.5, 0.004, 12)[None]
    rare = np.zeros((len(patients), 1), bool)
    rare[[7, 500, 1100]] = True
    shuffled = rng.permutation(len(patients))
    return np.hstack([frequent, rare])[shuffled], patients[shuffled]


@pytest.mark.parametrize("seed", [0, 1])
def test_smaller_fractions_lie_within_larger_ones(cohort, seed):
    kept = [nested_fractions(*cohort, fraction, seed) for fraction in FRACTIONS]
    for small, large in itertools.pairwise(kept):
        assert (small <= large).all()
        assert small.sum() < large.sum()
    assert kept[-1].all()


def test_groups_stay_whole_and_sizes_are_near(cohort):
    labels, patients = cohort
    largest = np.bincount(patients).max()
    for fraction in FRACTIONS:
        kept = nested_fractions(labels, patients, fraction, 3)
        assert not set(patients[kept]) & set(patients[~kept])
        assert abs(kept.sum() - fraction * len(labels)) <= largest / 2


def test_every_class_is_there_early(cohort):
    labels, patients = cohort
    for seed in range(5):
        assert labels[nested_fractions(labels, patients, 0.01, seed)].any(axis=0).all()
    # By chance the rarest class, three recordings of 1200, is in 1 % of them once in 33 times.
    chance = [labels[_at_random(patients, 0.01, seed)].any(axis=0).all() for seed in range(5)]
    assert not any(chance)


def test_classes_keep_their_share_better_than_at_random(cohort):
    labels, patients = cohort

    def miss(kept, fraction):
        """Root mean square over classes, in recordings."""
        return np.sqrt(np.mean((labels[kept].sum(axis=0) - fraction * labels.sum(axis=0)) ** 2))

    for fraction in (0.05, 0.1, 0.3, 0.5, 0.9):
        seeds = range(5)
        stratified = [miss(nested_fractions(labels, patients, fraction, seed), fraction) for seed in seeds]
        random = [miss(_at_random(patients, fraction, seed), fraction) for seed in seeds]
        assert np.mean(stratified) < np.mean(random) / 2
        assert np.mean(stratified) < 1.5


def test_patients_of_many_recordings_and_recordings_without_a_class_keep_their_share(cohort):
    labels, patients = cohort
    size = np.bincount(patients)[patients]
    for what in (size == 1, size == 5, ~labels.any(axis=1)):
        for fraction in (0.1, 0.3, 0.5):
            kept = nested_fractions(labels, patients, fraction, 0)
            assert abs(what[kept].sum() - fraction * what.sum()) <= 5


def test_equal_seeds_give_equal_subsets_and_others_other_ones(cohort):
    first, again, other = (nested_fractions(*cohort, 0.2, seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    # Two subsets of a fifth, drawn apart, have a fifth in common.
    assert 0.1 < (first & other).sum() / first.sum() < 0.4


def test_a_large_cohort_takes_less_than_two_seconds():
    rng = np.random.default_rng(1)
    labels = rng.random((20_000, 71)) < np.geomspace(0.7, 0.0005, 71)[None]
    begin = time.process_time()
    kept = nested_fractions(labels, np.arange(20_000) // 2 * rng.integers(1, 3, 20_000), 0.1, 0)
    assert time.process_time() - begin < 2
    assert labels[kept].any(axis=0).all()


def test_a_single_group_is_kept_at_any_fraction():
    assert nested_fractions(np.ones((4, 2), bool), np.zeros(4, int), 0.01, 0).all()


def test_what_cannot_be_split_is_refused(cohort):
    for fraction in (0.0, -0.1, 1.01, float("nan")):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            nested_fractions(*cohort, fraction, 0)
    with pytest.raises(ValueError, match=r"got \(1200, 13\) and \(3,\)"):
        nested_fractions(cohort[0], np.arange(3), 0.5, 0)
    with pytest.raises(ValueError, match="one recording or more"):
        nested_fractions(np.zeros((0, 3), bool), np.zeros(0, int), 0.5, 0)


def _at_random(patients, fraction, seed):
    """Patients in random order, until the fraction is reached."""
    drawn = np.random.default_rng(seed).permutation(patients.max() + 1)
    drawn = drawn[np.isin(drawn, patients)]
    reached = np.cumsum(np.bincount(patients)[drawn])
    return np.isin(patients, drawn[: 1 + np.searchsorted(reached, fraction * len(patients))])
