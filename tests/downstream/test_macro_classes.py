"""The classes of a macro mean: scored on enough patients, and there to be learned."""

import dataclasses

import numpy as np
import pytest
from made_cohorts import made_recordings

from coreecg_jax.downstream.cohorts import labelled
from coreecg_jax.downstream.macro_classes import common_macro_classes, macro_classes, unlearnable
from coreecg_jax.downstream.predictions import Predictions
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.records.label_sets import load_label_set

SUPERCLASS = load_label_set("ptbxl_superclass")


def cohort(*codes, first=0, patients=None):
    recordings = made_recordings(len(codes), first=first)
    if patients is not None:
        recordings = dataclasses.replace(recordings, patient_id=np.array(patients))
    return labelled(recordings, [(code,) for code in codes], SUPERCLASS, "made")


def names(scored):
    return np.array(SUPERCLASS.classes)[scored].tolist()


def test_what_no_recording_to_be_fitted_has_is_left_out():
    asked = cohort(*["NORM", "IMI", "LVH"] * 6, first=100)
    train = cohort("NORM", "IMI", "NDT")
    assert names(macro_classes(asked, train)) == ["NORM", "MI"]
    assert unlearnable(asked, train) == ["HYP"]
    drawn = train.take(np.array([True, False, False]))
    assert names(macro_classes(asked, drawn)) == ["NORM"]
    of_all = dataclasses.replace(drawn, drawn_from=tuple(train.labels.sum(axis=0).tolist()))
    assert names(macro_classes(asked, of_all)) == ["NORM", "MI"]  # a fraction is not to blame
    with pytest.raises(
        TooFewRecordings, match=r"has any of the classes that can be scored \(NORM, MI, HYP\)"
    ):
        macro_classes(asked, cohort("NDT", "LAFB"))


def test_a_class_of_one_patient_is_left_out():
    patients = [f"p{number}" for number in range(18)]
    patients[1::3] = ["p1"] * 6
    asked = cohort(*["NORM", "IMI", "LVH"] * 6, patients=patients)
    assert names(macro_classes(asked, asked)) == ["NORM", "HYP"]
    assert unlearnable(asked, asked) == []


def test_results_beside_each_other_have_the_classes_that_all_of_them_count():
    labels = cohort(*["NORM", "IMI", "LVH"] * 6).labels
    unused = {name: None for name in Predictions._fields if name not in ("classes", "labels")}
    predictions = Predictions(classes=SUPERCLASS.classes, labels=labels, **unused)
    groups = np.arange(18)
    reports = [{"macro_classes": ["NORM", "MI"]}, {"macro_classes": ["HYP", "MI"]}, {}]
    assert names(common_macro_classes(reports, predictions, groups)) == ["MI"]
    assert names(common_macro_classes([{}], predictions, groups)) == ["NORM", "MI", "HYP"]
    groups[1::3] = 1
    assert names(common_macro_classes([{}], predictions, groups)) == ["NORM", "HYP"]  # a result of before
    with pytest.raises(TooFewRecordings, match="no class is in the means of all"):
        common_macro_classes(reports, predictions, groups)
