import itertools

import numpy as np
import pytest
from sklearn.metrics import log_loss

from coreecg_jax.downstream.choosing import Standing, best_setting, choosing_auroc, standing
from coreecg_jax.downstream.probes import fit_probe, fit_validated_probe
from coreecg_jax.downstream.scores import TooFewRecordings, class_aurocs, macro_auroc

STRENGTHS = (0.01, 1.0, 100.0)


def test_few_recordings_are_chosen_by_whatever_can_be_ranked():
    rng = np.random.default_rng(0)
    labels = np.zeros((12, 3), bool)
    labels[:4, 0], labels[:11, 1] = True, True
    scores = rng.random((12, 3))
    of_two = class_aurocs(scores[:, :2], labels[:, :2]).mean()  # the third has one label
    assert choosing_auroc(scores, labels) == pytest.approx(of_two)
    labels[:5, 0] = True  # enough for a macro mean: by that alone, as ever
    assert choosing_auroc(scores, labels) == macro_auroc(scores, labels)
    with pytest.raises(TooFewRecordings, match="no fold of 12 recordings has both labels"):
        choosing_auroc(scores[:, :1], labels[:, :1], strata=labels[:, 0])
    with pytest.raises(TooFewRecordings, match="no class has 1 positives"):
        choosing_auroc(scores, np.zeros_like(labels))


def _predictions(seed=0, recordings=40, classes=4):
    rng = np.random.default_rng(seed)
    labels = rng.random((recordings, classes)) < [0.5, 0.4, 0.3, 0.05]
    return rng.random((recordings, classes)), labels


def test_a_standing_is_the_auroc_and_the_log_loss_of_the_classes_that_count():
    probabilities, labels = _predictions()
    probabilities[:2, 0] = 1.0, 0.0
    labels[:2, 0], labels[:, 3] = [False, True], False
    labels[0, 3] = True  # one positive: does not count
    found = standing(probabilities, labels)
    assert found.auroc == choosing_auroc(probabilities, labels)
    expected = np.mean([log_loss(labels[:, c], probabilities[:, c]) for c in range(3)])
    assert found.log_loss == pytest.approx(expected, rel=1e-12)


def test_a_class_without_a_pair_in_any_stratum_counts_in_neither():
    probabilities, labels = _predictions()
    labels[:, 3] = np.arange(40) < 20
    found = standing(probabilities, labels, strata=labels[:, 3])
    expected = np.mean([log_loss(labels[:, c], probabilities[:, c]) for c in range(3)])
    assert found.log_loss == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_log_loss_decides_between_equals_and_the_smaller_setting_where_it_is_the_same(order):
    def chosen(*standings):
        pairs = list(zip((1, 2, 3), standings, strict=True))
        return best_setting(pairs[number] for number in order)

    assert chosen(Standing(1.0, 0.6), Standing(1.0, 0.2), Standing(0.9, 0.1)) == 2
    assert chosen(Standing(1.0 - 1e-12, 0.2), Standing(1.0, 0.6), Standing(1.0, 0.6)) == 1  # rounding
    assert chosen(Standing(0.5, 0.7), Standing(0.8, 0.3), Standing(0.8, 0.3)) == 2
    assert (
        chosen(Standing(0.8, 0.1), Standing(0.8 + 1e-6, 0.9), Standing(0.7, 0.0)) == 2
    )  # no tie: AUROC alone


@pytest.mark.parametrize("seed", range(20))
def test_without_a_tie_the_best_auroc_is_taken_whatever_the_log_loss(seed):
    rng = np.random.default_rng(seed)
    aurocs, losses = rng.random(11), rng.random(11)
    settings = dict(enumerate(map(Standing, aurocs.tolist(), losses.tolist())))
    assert best_setting(settings.items()) == int(aurocs.argmax())


def _told_apart(recordings, seed):
    """Two classes that features tell without a mistake, of few recordings."""
    rng = np.random.default_rng(seed)
    labels = np.stack([np.arange(recordings) % 4 == 0, np.arange(recordings) % 3 == 0], axis=1)
    return 8.0 * labels + rng.normal(size=labels.shape), labels, np.arange(recordings)


def test_of_strengths_that_rank_alike_the_probe_takes_the_one_that_says_most():
    features, labels, groups = _told_apart(60, seed=0)
    by = _told_apart(40, seed=1)
    for probe in (
        fit_probe([features], labels, groups, strengths=STRENGTHS),
        fit_validated_probe([features], labels, [by[0]], *by[1:], strengths=STRENGTHS),
    ):
        assert {found.auroc for found in probe.standings.values()} == {1.0}
        assert probe.strength > min(STRENGTHS)
        assert probe.standings[probe.strength].log_loss == min(f.log_loss for f in probe.standings.values())
        assert probe.standings[min(STRENGTHS)].log_loss > 0.3  # all about the prevalence
