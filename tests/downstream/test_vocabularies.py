"""Classes that one of the fitted databases never names."""

import dataclasses

import numpy as np
from made_cohorts import made_recordings

from coreecg_jax.downstream.cohorts import labelled
from coreecg_jax.downstream.vocabularies import never_named, never_named_text
from coreecg_jax.records.label_sets import load_label_set


def fitted(**of_source):
    codes = [code for codes in of_source.values() for code in codes]
    recordings = made_recordings(len(codes))
    source = np.repeat(list(of_source), [len(codes) for codes in of_source.values()])
    recordings = dataclasses.replace(recordings, source=source)
    return labelled(recordings, [(code,) for code in codes], load_label_set("ptbxl_superclass"), "made")


def test_what_a_source_never_names_is_told():
    cohort = fitted(one=["NORM", "IMI", "LVH"], other=["NORM", "NORM"])
    found = never_named(cohort, np.array([True] * 4 + [False]))  # HYP is not scored
    assert found == {"other": (2, ["MI"])}
    (said,) = never_named_text(found)
    assert said.startswith("None of the 2 recordings of other that were fitted has MI: where it does not ")
    assert never_named(dataclasses.replace(cohort, drawn_from=(9, 9, 0, 0, 9)), np.ones(5, bool)) == {}
    assert never_named(fitted(one=["NORM", "IMI"]), np.ones(5, bool)) == {}
    assert never_named_text({"x": (3, list("abcdefg"))})[0].count("a, b, c, d, e and 2 more classes") == 1
