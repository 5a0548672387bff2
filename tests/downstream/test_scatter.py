"""How far trainings scatter is in the interval of their mean, and of a difference what both do not share."""

import numpy as np
import pytest
from scipy.stats import norm

from coreecg_jax.downstream.bootstrap import bootstrap_macro, paired_difference, patient_resamples
from coreecg_jax.downstream.drawn_runs import drawn_of, told_of_scatter, trainings
from coreecg_jax.downstream.methods import JOINED, PRETRAINED, RIVAL
from coreecg_jax.downstream.scatter import scattered

R = 4000
SEEDS = [{"seed": 0}, {"seed": 1}, {"seed": 2}]
VALUES = np.array([0.80, 0.83, 0.87])


def added(values, drawn):
    """To resamples that are all alike."""
    return scattered(values, np.zeros((len(values), R)), drawn)


def test_a_mean_is_as_uncertain_as_its_runs_scatter():
    error = VALUES.std(ddof=1) / np.sqrt(3)
    assert added(VALUES, SEEDS).std() == pytest.approx(error, rel=0.05)
    assert added(VALUES, SEEDS).mean() == pytest.approx(0, abs=0.05 * error)
    resamples = np.random.default_rng(0).normal(size=(3, R))
    np.testing.assert_allclose(
        scattered(VALUES, resamples, SEEDS), resamples.mean(axis=0) + added(VALUES, SEEDS)
    )
    np.testing.assert_allclose(added(np.full(3, 0.8), SEEDS), 0, atol=1e-15)
    assert not added(VALUES, [{}] * 3).any()
    assert not added(VALUES[:1], SEEDS[:1]).any()  # of one run nothing is known


def test_of_a_seed_that_both_have_the_difference_alone_scatters():
    gap = added(VALUES, SEEDS) - added(VALUES - 0.1, SEEDS)
    np.testing.assert_allclose(gap, 0, atol=1e-15)
    order = [2, 0, 1]
    shuffled = added(VALUES[order], [SEEDS[number] for number in order])
    np.testing.assert_allclose(shuffled, added(VALUES, SEEDS), atol=1e-15)
    kernels = [{"kernels": f"kernels {number}"} for number in range(3)]
    assert abs(np.corrcoef(added(VALUES, SEEDS), added(VALUES, kernels))[0, 1]) < 0.05
    later = [{"seed": number} for number in (3, 4, 5)]
    assert abs(np.corrcoef(added(VALUES, SEEDS), added(VALUES, later))[0, 1]) < 0.05


@pytest.mark.parametrize("seeds", [[0, 1, 2], [2, 0, 1], [9, 10, 11]])
def test_what_is_drawn_together_counts_once_and_what_is_crossed_twice(seeds):
    together = [{"seed": seed, "kernels": f"kernels {number}"} for number, seed in enumerate(seeds)]
    assert added(VALUES, together).std() == pytest.approx(added(VALUES, SEEDS).std(), rel=0.05)
    crossed = [{"seed": seed, "labels": draw} for seed in range(3) for draw in range(2)]
    of_both = np.array([VALUES[each["seed"]] + 0.04 * each["labels"] for each in crossed])
    variance = VALUES.var(ddof=1) / 3 + np.var([0, 0.04], ddof=1) / 2
    assert added(of_both, crossed).var() == pytest.approx(variance, rel=0.1)


def test_runs_are_of_seeds_and_kernels():
    encoders = [{"name": "runs/a", "seed": 4}, {"name": "runs/b", "seed": 5}]
    assert drawn_of(PRETRAINED, ["runs/a", "runs/b"], encoders) == [{"seed": 4}, {"seed": 5}]
    assert drawn_of(PRETRAINED, ["run"], []) == [{"run": "run"}]
    rivals = ["kernels 0", "kernels 1, linear probe"]
    assert drawn_of(RIVAL, rivals, encoders) == [{"kernels": "kernels 0"}, {"kernels": "kernels 1"}]
    joined = drawn_of(JOINED, ["runs/a, kernels 0", "runs/b, kernels 1"], encoders)
    assert joined == [{"seed": 4, "kernels": "kernels 0"}, {"seed": 5, "kernels": "kernels 1"}]
    assert trainings(JOINED, ["runs/a, kernels 0", "runs/a, kernels 1"], encoders[:1]) == 1
    assert trainings(RIVAL, rivals, encoders) == trainings(PRETRAINED, ["runs/a", "runs/b"], encoders) == 2
    twins = [each | {"seed": 4} for each in encoders]
    assert drawn_of(PRETRAINED, ["x", "y"], twins) == [{"seed": "runs/a"}, {"seed": "runs/b"}]


def test_what_one_run_cannot_say_is_said():
    both = told_of_scatter({"pretrained": 3, "random convolutions": 3})
    assert both == "with what the scatter of runs adds to that of their mean"
    one = told_of_scatter({"pretrained": 1, "random convolutions": 3})
    assert one.endswith(
        "; of one run each is pretrained: how far trainings scatter is not in those intervals"
    )
    assert told_of_scatter({"A": 1, "B": 1}).startswith("of one run each is A, B: how")


@pytest.mark.slow
def test_two_recipes_that_are_one_differ_in_about_one_of_twenty_comparisons():
    # 300 comparisons of three seeds each, whose true AUROCs scatter by 0.03: the standard error is 1.3 %.
    labels = (np.arange(136) < 30)[:, None]
    beyond = {"scatter": 0, "patients alone": 0}
    held = 0
    truth = norm.cdf(np.random.default_rng(1).normal(1.5, 0.15, 10**5) / np.sqrt(2)).mean()
    for number in range(300):
        rng = np.random.default_rng([0, number])
        common = rng.normal(size=labels.shape)

        def recipe(rng=rng, common=common):
            return [
                np.sqrt(0.9) * common + np.sqrt(0.1) * rng.normal(size=labels.shape) + shift * labels
                for shift in rng.normal(1.5, 0.15, 3)
            ]

        one, other = recipe(), recipe()
        counts = patient_resamples(np.arange(136), resamples=300, seed=number)
        drawn = SEEDS, [{"seed": f"other {each['seed']}"} for each in SEEDS]
        for name, levels in (("scatter", drawn), ("patients alone", (None, None))):
            found = paired_difference(one, other, labels, counts, drawn=levels)
            beyond[name] += not found.low <= 0 <= found.high
        (mean,) = bootstrap_macro(one, labels, counts, drawn=SEEDS).intervals()
        held += mean.low <= truth <= mean.high
    assert beyond["scatter"] <= 0.09 * 300  # 5 %; docs/evaluation.md
    assert beyond["patients alone"] >= 0.2 * 300  # 33 %
    assert held >= 0.89 * 300
