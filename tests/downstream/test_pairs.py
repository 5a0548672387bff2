"""On how little an out-of-fold AUROC rests, counted by hand and by looking at each pair."""

import dataclasses
import itertools

import numpy as np
from made_tasks import NESTED, TASK, two_methods

from coreecg_jax.downstream import results, tables
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.judged import Judged
from coreecg_jax.downstream.pairs import FewPairs, few_pairs
from coreecg_jax.downstream.protocol import develop


def judged(positives, negatives, patients):
    """One class, by its positives and negatives in each fold; `patients` of the positives, then one a row."""
    labels = np.repeat([True, False], [sum(positives), sum(negatives)])
    fold = np.concatenate([np.repeat(np.arange(len(of)), of) for of in (positives, negatives)])
    groups = np.r_[patients, 100 + np.arange(len(labels) - len(patients))]
    return Judged(np.zeros((len(labels), 1)), labels[:, None], groups, fold)


def test_one_patient_with_half_of_the_positives_is_told():
    patients = [*[0] * 8, *range(1, 8)]
    asked = judged((8, 2, 2, 2, 1), (2, 6, 6, 6, 5), patients)
    assert few_pairs(asked) == [FewPairs(57, 375, "positives", 8, 15)]  # 16 + 12 + 12 + 12 + 5
    assert few_pairs(asked._replace(fold=None)) == [FewPairs(375, 375, "positives", 8, 15)]
    turned = asked._replace(labels=~asked.labels)
    assert few_pairs(turned) == [FewPairs(57, 375, "negatives", 8, 15)]
    seven = judged((7, 2, 2, 2, 2), (2, 6, 6, 6, 5), [*[0] * 7, *range(1, 9)])  # fewer than half
    assert few_pairs(seven) == [None]


def test_few_pairs_within_folds_are_told_whoever_has_them():
    # Ten positives in two folds with one negative each: 10 of 200 pairs, where even folds have 40.
    few = judged((5, 5, 0, 0, 0), (1, 1, 6, 6, 6), np.arange(10))
    assert few_pairs(few) == [FewPairs(10, 200, "positives", 1, 10)]
    assert few_pairs(judged((5, 5, 0, 0, 0), (2, 2, 6, 5, 5), np.arange(10))) == [None]  # 20: half of them
    assert few_pairs(judged((0, 0), (3, 3), [])) == [None]  # nothing to compare is not scored at all


def test_pairs_are_those_that_are_compared():
    rng = np.random.default_rng(0)
    labels, fold, groups = rng.random((40, 3)) < 0.3, rng.integers(3, 7, 40), np.repeat([0, 1], [32, 8])
    found = few_pairs(Judged(np.zeros((40, 3)), labels, groups, fold))
    for column, few in zip(labels.T, found, strict=True):
        pairs = list(itertools.product(np.flatnonzero(column), np.flatnonzero(~column)))
        assert few is not None
        assert few[:2] == (sum(fold[a] == fold[b] for a, b in pairs), len(pairs))


def test_a_result_says_it_below_its_table(data, ask, seal):
    sets, _ = data
    sets["train"] = one_patient_with_most_of(sets["train"], "LVH")
    whole = results.report(ask(NESTED), [])
    assert list(whole["few_pairs"]) == ["HYP"]
    few = whole["few_pairs"]["HYP"]
    positives = whole["test"]["positives"]["HYP"]
    assert (few["of_patient"], few["recordings"]) == (positives - 5, positives)
    said = (
        f"HYP: one patient has {positives - 5} of {positives} positives; its AUROC rests on "
        f"{few['within_folds']} of {few['pairs']} pairs (those within a fold)."
    )
    lines = tables.markdown(whole).splitlines()
    assert lines.index(said) > max(number for number, line in enumerate(lines) if line.startswith("|"))
    developed = results.report(develop(TASK, "root", two_methods, Subset(), seal), [])
    assert list(developed["few_pairs"]) == ["HYP"]
    sealed = results.report(ask(TASK), [])  # of one fit: all pairs are compared
    assert sealed["few_pairs"] == {}
    assert "one patient has" not in tables.markdown(sealed)
    before = {name: each for name, each in whole.items() if name != "few_pairs"}
    assert said not in tables.markdown(before)


def test_one_patient_with_most_of_a_sealed_test_is_told(data, ask):
    """Resamples of patients have all of his recordings or none: intervals say little of others."""
    sets, _ = data
    sets["test"] = one_patient_with_most_of(sets["test"], "LVH")
    numbers = results.report(ask(TASK), [])
    positives = numbers["test"]["positives"]["HYP"]
    said = f"HYP: one patient has {positives - 5} of {positives} positives, so its intervals are too narrow."
    assert said in tables.markdown(numbers).splitlines()


def test_folds_that_are_even_need_no_word(ask):
    assert results.report(ask(NESTED), [])["few_pairs"] == {}


def one_patient_with_most_of(recordings, code):
    """All but five recordings of that code are of one patient."""
    rows = np.flatnonzero([codes == (code,) for codes in recordings.labels])[5:]
    patients, keys = recordings.patient_id.copy(), recordings.patient_key.copy()
    patients[rows], keys[rows] = patients[rows[0]], keys[rows[0]]
    return dataclasses.replace(recordings, patient_id=patients, patient_key=keys)
