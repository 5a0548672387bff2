"""Who is fitted and asked: labels, patients and what two sets share."""

import dataclasses

import numpy as np
import pytest

from coreecg_jax.downstream import cohorts
from coreecg_jax.downstream.cohorts import joined_groups, read_cohort
from coreecg_jax.records.label_sets import CODES, load_label_set


def test_recordings_without_a_label_are_dropped_and_counted(data):
    sets, _ = data
    labels = [("AFIB",), *sets["train"].labels[1:]]
    sets["train"] = dataclasses.replace(sets["train"], labels=tuple(labels))
    cohort = read_cohort("root", "train", "ptbxl_superclass")
    assert cohort.unlabelled == 1
    assert len(cohort.recordings) == len(cohort.labels) == len(cohort.patients) == 119
    assert "r0" not in cohort.recordings.recording_id
    sets["train"] = dataclasses.replace(sets["train"], labels=(("AFIB",),) * 120)
    with pytest.raises(ValueError, match="none of 120 recordings has a label"):
        read_cohort("root", "train", "ptbxl_superclass")


def test_by_its_own_codes_a_recording_with_rare_ones_only_is_a_negative(data):
    sets, _ = data
    labels = [("rare",), ()] + [("a",) if number % 2 else ("b",) for number in range(118)]
    sets["train"] = dataclasses.replace(sets["train"], labels=tuple(labels))
    cohort = read_cohort("root", "train", CODES)
    assert cohort.classes == ("a", "b")
    assert (len(cohort.labels), cohort.unlabelled) == (119, 1)
    assert cohort.labels[0].tolist() == [False, False]


@pytest.mark.usefixtures("data")
def test_labels_follow_their_recording():
    cohort = read_cohort("root", "train", "ptbxl_superclass").take(np.arange(120) % 3 == 0)
    assert cohort.recordings.recording_id.tolist() == [f"r{number}" for number in range(0, 120, 3)]
    loudest = cohort.recordings.ecg[:, 6:11].std(axis=-1).argmax(axis=1)  # the planted lead
    np.testing.assert_array_equal(cohort.labels.argmax(axis=1), loudest)


def test_patients_with_one_signal_are_one_group():
    groups = joined_groups(np.array(["a", "b", "c", "a", "d"]), np.array(["1", "2", "2", "3", "4"]))
    assert groups[0] == groups[3]
    assert groups[1] == groups[2]
    assert len(set(groups)) == 3


def test_equal_patient_names_of_two_sources_are_two_patients(data):
    sets, _ = data
    source = np.array(["x", "y"] * 60)
    sets["train"] = dataclasses.replace(sets["train"], patient_id=np.full(120, "1"), source=source)
    assert len(set(read_cohort("root", "train", "ptbxl_superclass").patients)) == 2


def test_codes_of_a_low_likelihood_count_unless_told(data) -> None:
    everything = read_cohort("root", "train", "ptbxl_superclass")
    assert everything.any_likelihood == tuple(everything.labels.sum(axis=0).tolist())
    likely = tuple((50.0,) if row % 2 else (0.0,) for row in range(len(everything)))
    recordings = dataclasses.replace(everything.recordings, likelihoods=likely)
    superclass = load_label_set("ptbxl_superclass")
    half = cohorts.labelled(recordings, recordings.labels, superclass, "made", 15.0)
    assert half.labels.sum() == len(everything) // 2
    assert half.unlabelled == len(everything) - len(everything) // 2
    assert half.any_likelihood == everything.any_likelihood
    complete = dataclasses.replace(superclass, complete=True)
    assert len(cohorts.labelled(recordings, recordings.labels, complete, "made", 15.0)) == len(everything)
