"""In development what is chosen for a fold is chosen in the others alone: a best of many is not scored."""

import dataclasses

import numpy as np
import pytest
from made_cohorts import made_recordings
from made_tasks import TASK, VALIDATED, lead_powers, two_methods

from coreecg_jax.downstream import fits, outcomes, results, tables
from coreecg_jax.downstream.cohorts import labelled
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.fits import Fitted, linear, neighbours
from coreecg_jax.downstream.folds import patient_folds
from coreecg_jax.downstream.judged import Judged
from coreecg_jax.downstream.methods import PRETRAINED, Run
from coreecg_jax.downstream.outcomes import developed
from coreecg_jax.downstream.protocol import develop
from coreecg_jax.downstream.scores import macro_auroc
from coreecg_jax.records.label_sets import load_label_set

MADE = made_recordings(200)
RECORDINGS = labelled(MADE, MADE.labels, load_label_set("ptbxl_superclass"), "made")


def cohort_of(classes):
    """200 recordings, whose signals do not tell these classes, int (200,)."""
    return dataclasses.replace(RECORDINGS, labels=np.eye(5, dtype=bool)[classes])


def best_of_many(guesses, sizes):
    """A fit that chooses the luckiest of guesses (G, n, C), by the recordings that it is given."""

    def fit(train, validation):
        sizes.append(len(train))

        def guessed(recordings):
            return guesses[:, [int(name[1:]) for name in recordings.recording_id.tolist()]]

        judged = guessed(train.recordings)
        likeness = judged * (train.labels - train.labels.mean(axis=0))
        best = int(likeness.sum(axis=(1, 2)).argmax())
        predict = lambda recordings: guessed(recordings)[best]  # noqa: E731
        return Fitted(predict, {"guess": best}, Judged(judged[best], train.labels, train.groups, None))

    return fit


def test_the_luckiest_of_many_guesses_is_no_better_than_chance():
    found, lucky = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cohort, sizes = cohort_of(rng.integers(0, 5, 200)), []
        fit = best_of_many(rng.random((40, 200, 5)), sizes)
        asked = developed(Run("run", fit), cohort, None).asked
        assert (len(sizes), sum(sizes)) == (5, 800)
        found.append(macro_auroc(asked.probabilities, asked.labels, strata=asked.fold))
        lucky.append(macro_auroc(fit(cohort, None).judged.probabilities, cohort.labels))
    assert np.mean(lucky) > 0.53  # as it would be scored by what it was chosen by
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found) / np.sqrt(len(found))


@pytest.mark.parametrize("fit", [linear([lead_powers]), neighbours(lead_powers)])
def test_labels_of_a_fold_change_neither_its_predictions_nor_its_choices(fit, monkeypatch):
    monkeypatch.setattr(fits.fit_probe, "__kwdefaults__", {"strengths": (0.01, 1.0), "folds": 5})
    classes = np.random.default_rng(0).integers(0, 5, 200)
    cohort = cohort_of(classes)
    fold = patient_folds(cohort.groups, cohort.labels)
    before = developed(Run("run", fit), cohort, None)
    np.testing.assert_array_equal(before.asked.fold, fold)
    other = np.where(fold == 2, 0, classes)
    monkeypatch.setattr(outcomes, "patient_folds", lambda *_: fold)  # not anew
    after = developed(Run("run", fit), cohort_of(other), None)
    asked = fold == 2
    np.testing.assert_array_equal(before.asked.probabilities[asked], after.asked.probabilities[asked])
    assert before.chosen[2] == after.chosen[2]
    assert not np.array_equal(before.asked.probabilities[~asked], after.asked.probabilities[~asked])


def test_a_fraction_is_one_of_the_other_folds_and_all_recordings_are_scored(data, seal):
    whole = develop(TASK, "root", two_methods, Subset(), seal)
    few = develop(TASK, "root", two_methods, Subset(fraction=0.25, repeat=1), seal)
    (run,), (all_,) = few.methods[PRETRAINED], whole.methods[PRETRAINED]
    assert len(run.asked.labels) == len(all_.asked.labels) == len(few.train) == 120
    np.testing.assert_array_equal(run.asked.fold, all_.asked.fold)
    assert run.fitted == (24,) * 5
    assert results.report(few, [])["train"]["fitted"] == [24] * 5
    (other,) = develop(TASK, "root", two_methods, Subset(fraction=0.25, repeat=2), seal).methods[PRETRAINED]
    assert not np.array_equal(run.asked.probabilities, other.asked.probabilities)


def test_what_was_chosen_by_what_is_scored_says_that_it_is_too_high(data, seal):
    def said(numbers):
        return [mark for mark in tables.marks(numbers) if "scores are too high" in mark]

    out_of_fold = results.report(develop(TASK, "root", two_methods, Subset(), seal), [])
    assert not said(out_of_fold)
    by_validation = results.report(develop(VALIDATED, "root", two_methods, Subset(), seal), [])
    assert said(by_validation)[0].startswith("**pretrained, random convolutions: settings (C, neighbours, ")
    assert said(by_validation)[0] in tables.markdown(by_validation)
    assert not said(by_validation | {"test": {}})
    (run,) = out_of_fold["methods"][PRETRAINED]
    before = {PRETRAINED: [run | {"validation_macro_auroc": 0.8}]}  # as versions that did not nest wrote it
    assert said(out_of_fold | {"methods": out_of_fold["methods"] | before})[0].startswith("**pretrained: ")
