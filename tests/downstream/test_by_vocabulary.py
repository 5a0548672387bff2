"""Sources that annotate differently, fitted together: from the task to the report."""

import dataclasses

import made_cohorts
import numpy as np
import pytest
from made_tasks import TASK, VALIDATED, joined, two_methods

from coreecg_jax.downstream import results, tables
from coreecg_jax.downstream.calibration import fit_platt
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.methods import Run
from coreecg_jax.downstream.protocol import develop, evaluate, other_sources
from coreecg_jax.downstream.scores import class_calibration_errors
from coreecg_jax.downstream.tasks import Task, tasks_of
from coreecg_jax.downstream.thresholds import best_f1_thresholds
from coreecg_jax.downstream.transfer import transfer

LOST, OTHER = made_cohorts.CODES[:2]  # the hospital has not got the first
SPLIT = dataclasses.replace(TASK, by_vocabulary=True)


def of_hospital(recordings, *, codes=None):
    """Of another source, where one code is called by another, or all are by `codes`."""
    labels = [tuple(OTHER if code == LOST else code for code in each) for each in recordings.labels]
    if codes:
        labels = [codes] * len(labels)
    source = np.full(len(labels), "hospital")
    return dataclasses.replace(recordings, source=source, labels=tuple(labels))


@pytest.fixture
def two_sources(data):
    """In training, half of PTB-XL and half of a hospital."""
    sets, _ = data
    first = np.arange(120) < 60
    sets["train"] = joined(sets["train"].take(first), of_hospital(sets["train"].take(~first)))
    return sets


def lost_class(evaluation):
    (place,) = np.flatnonzero(~evaluation.train.annotated.all(axis=0))
    return place


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_a_class_is_fitted_chosen_and_thresholded_by_the_sources_that_have_it(two_sources, seal, fraction):
    evaluation = evaluate(SPLIT, "root", two_methods, Subset(fraction=fraction), seal)
    place = lost_class(evaluation)
    train = evaluation.train
    hospital = np.char.startswith(train.recording_ids.astype(str), "hospital/")
    assert train.annotated[:, place].tolist() == (~hospital).tolist()
    for run in (run for runs in evaluation.methods.values() for run in runs):
        judged = run.validation
        asked = judged.probabilities[~hospital], judged.labels[~hospital]
        assert run.thresholds[0, place] == best_f1_thresholds(*asked)[place]
        scored = np.arange(len(train.classes)) == place
        calibrated = fit_platt(*asked)(run.asked.probabilities)
        expected = class_calibration_errors(calibrated, run.asked.labels)[place]
        assert transfer(run, scored).ece_calibrated == pytest.approx(expected)
    numbers = results.report(evaluation, [])
    count = int(hospital.sum())
    assert numbers["unannotated"] == {"hospital": (count, [train.classes[place]])}
    assert numbers["never_named"] == {}
    assert f"its {count} recordings were left out where these classes were" in tables.markdown(numbers)
    assert numbers["f1_thresholds"].endswith(", by the sources that have the class")


def test_without_being_asked_they_are_negatives_and_it_is_told(two_sources, seal):
    evaluation = evaluate(TASK, "root", two_methods, Subset(), seal)
    assert evaluation.train.annotated is None
    numbers = results.report(evaluation, [])
    assert numbers["unannotated"] == {}
    assert list(numbers["never_named"]) == ["hospital"]
    assert "were fitted as negatives without being any" in tables.markdown(numbers)


def test_of_sources_that_are_held_out_it_is_always_so(two_sources, seal):
    two_sources["hospital"] = of_hospital(made_cohorts.made_recordings(60, first=2000))
    task = Task("made", "ptbxl_superclass", sources=("train", "test", "hospital"))
    assert task.by_vocabulary
    allowed = dataclasses.replace(seal, allow_overlap=True)
    found = dict(other_sources(task, "root", two_methods, Subset(), allowed))
    assert found["test"].train.annotated is not None
    assert found["hospital"].train.annotated is not None


def test_a_class_that_validation_knows_nothing_of_is_reported_all_the_same(two_sources, seal):
    first = np.arange(120) < 60
    two_sources["train"] = two_sources["train"].take(first)
    two_sources["validation"] = of_hospital(two_sources["validation"])
    task = dataclasses.replace(VALIDATED, by_vocabulary=True)
    evaluation = evaluate(task, "root", two_methods, Subset(), seal)
    place = lost_class(dataclasses.replace(evaluation, train=evaluation.validation))
    assert not evaluation.validation.annotated[:, place].any()
    numbers = results.report(evaluation, [])
    (run,) = numbers["methods"]["pretrained"]
    assert 0 <= run["transfer"]["ece_calibrated"] <= 1
    assert evaluation.methods["pretrained"][0].thresholds[0, place] == np.inf


def test_out_of_fold_the_held_out_fold_does_not_say_what_its_source_names(two_sources, seal):
    """The hospital has the class once: whoever asks about that recording has not heard of it."""
    train = two_sources["train"]
    (one,) = np.flatnonzero(np.arange(120) == 119)
    labels = [(LOST,) if row == one else codes for row, codes in enumerate(train.labels)]
    two_sources["train"] = dataclasses.replace(train, labels=tuple(labels))
    fitted = []

    def watching(preprocessing):
        (run,) = two_methods(preprocessing)["pretrained"]

        def fit(cohort, validation):
            fitted.append(cohort)
            return run.fit(cohort, validation)

        return {"pretrained": (Run("run", fit),)}

    develop(SPLIT, "root", watching, Subset(), seal)
    name = f"hospital/{train.recording_id[one]}"
    heard = [name in cohort.recording_ids.tolist() for cohort in fitted]
    assert sorted(heard) == [False, True, True, True, True]
    assert [bool(cohort.annotated.all()) for cohort in fitted] == heard


def test_cases_and_controls_of_two_folders_stay_what_they_are(data, seal):
    sets, _ = data
    control = ("NORM",)
    has = np.array([codes == ("NORM",) for codes in sets["train"].labels])
    cases = dataclasses.replace(sets["train"], labels=(("IMI",),) * 120)
    sets["train"] = joined(cases.take(~has), of_hospital(sets["train"].take(has), codes=control))
    evaluation = evaluate(SPLIT, "root", two_methods, Subset(), seal)
    assert evaluation.train.annotated.all()  # else there were positives alone


def test_a_switch_that_does_nothing_is_refused():
    about = {"label_set": "ptbxl_superclass", "train": "a, b", "by_vocabulary": True}
    with pytest.raises(ValueError, match="expected by_vocabulary with a test split or sources, got neither"):
        tasks_of({"own": about})
    assert tasks_of({"own": {**about, "test": "c"}})["own"].by_vocabulary
