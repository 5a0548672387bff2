"""Classes that one of the databases never names: its recordings are no negatives of them."""

import dataclasses

import numpy as np
from made_cohorts import made_recordings

from coreecg_jax.downstream.cohorts import labelled
from coreecg_jax.downstream.vocabularies import (
    annotated,
    never_named,
    never_named_text,
    unannotated,
    unannotated_text,
    with_vocabularies,
)
from coreecg_jax.records.label_sets import load_label_set

ALL = np.ones(5, bool)


def cohort_of(**of_source):
    codes = [code for codes in of_source.values() for code in codes]
    recordings = made_recordings(len(codes))
    source = np.repeat(list(of_source), [len(codes) for codes in of_source.values()])
    recordings = dataclasses.replace(recordings, source=source)
    return labelled(recordings, [(code,) for code in codes], load_label_set("ptbxl_superclass"), "made")


def test_what_no_recording_of_a_source_has_is_not_known_in_it():
    labels = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 1], [1, 0, 0, 1]], bool)
    known = annotated(np.array(["a", "a", "b", "b"]), labels)
    # The third class is in nobody's vocabulary. All of b have the fourth: a alone has negatives of it.
    assert known.tolist() == [[True] * 4] * 2 + [[True, False, True, True]] * 2


def test_what_a_source_never_names_is_told():
    train, none = with_vocabularies(cohort_of(one=["NORM", "IMI", "LVH"], other=["NORM", "NORM"]), None)
    assert none is None
    found = unannotated(train, np.array([True] * 4 + [False]))  # HYP is not scored
    assert found == {"other": (2, ["MI"])}
    (said,) = unannotated_text(found)
    assert said.startswith("No recording of other has MI: its 2 recordings were left out where these classes")
    assert unannotated_text({"x": (3, list("abcdefg"))})[0].count("a, b, c, d, e and 2 more classes") == 1


def test_what_was_fitted_as_negatives_is_told():
    cohort = cohort_of(one=["NORM", "IMI", "LVH"], other=["NORM", "NORM"])
    found = never_named(cohort, np.array([True] * 4 + [False]))  # HYP is not scored
    assert found == {"other": (2, ["MI"])}
    (said,) = never_named_text(found)
    assert said.startswith("None of the 2 recordings of other that were fitted has MI: where it does not ")
    assert never_named(dataclasses.replace(cohort, drawn_from=(9, 9, 0, 0, 9)), ALL) == {}
    assert never_named(with_vocabularies(cohort, None)[0], ALL) == {}
    assert never_named(cohort_of(one=["NORM", "IMI"]), ALL) == {}


def test_a_complete_set_is_taken_at_its_word():
    cohort = cohort_of(one=["NORM", "IMI"], other=["NORM"])
    complete = dataclasses.replace(cohort, label_set=dataclasses.replace(cohort.label_set, complete=True))
    assert with_vocabularies(complete, None)[0].annotated is None
    assert with_vocabularies(cohort, None)[0].annotated is not None


def test_one_source_is_taken_at_its_word():
    train, validation = with_vocabularies(cohort_of(one=["NORM", "IMI"]), cohort_of(one=["NORM"]))
    assert train.annotated is None
    assert validation.annotated is None
    assert unannotated(train, ALL) == {}


def test_validation_says_what_a_source_names_and_a_fraction_changes_nothing_of_it():
    train, validation = with_vocabularies(
        cohort_of(one=["NORM", "IMI", "LVH"], other=["NORM", "NORM"]), cohort_of(other=["IMI"])
    )
    classes = list(train.classes)
    named = {name: train.annotated[-1][classes.index(name)] for name in ("NORM", "MI", "HYP", "CD")}
    assert named == {"NORM": True, "MI": True, "HYP": False, "CD": True}
    assert validation.annotated.tolist() == train.annotated[-1:].tolist()
    left = train.take(np.array([True, False, False, True, False]))
    assert left.annotated.tolist() == train.annotated[[0, 3]].tolist()
