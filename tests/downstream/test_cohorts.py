"""Who is fitted and asked: labels, patients and what two sets share."""

import dataclasses

import numpy as np
import pytest

from coreecg_jax.downstream import cohorts
from coreecg_jax.downstream.cohorts import apart, joined_groups, read_cohort
from coreecg_jax.downstream.overlaps import Pair
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


def test_pairs_join_the_groups_of_their_recordings():
    patients, signals = np.array(["a", "b", "c", "a", "d"]), np.array(["1", "2", "3", "4", "5"])
    groups = joined_groups(patients, signals, [(3, 2)])
    assert groups[0] == groups[2] == groups[3]
    assert len(set(groups)) == 3
    np.testing.assert_array_equal(joined_groups(patients, signals), joined_groups(patients, signals, []))


def changed(recordings, column, values):
    """The recordings with other values in a column, row -> value."""
    new = getattr(recordings, column).astype("U8")
    for row, value in values.items():
        new[row] = value
    return dataclasses.replace(recordings, **{column: new})


def left_out(before, after):
    assert after.shared == len(before) - len(after)
    return set(before.recordings.recording_id) - set(after.recordings.recording_id)


def test_a_patient_known_by_another_of_his_recordings_leaves_the_training_set(data):
    sets, _ = data
    # r1, r2 and r3 are of one patient; r2 is in the test under another id. r4 is r3's signal under a third.
    sets["train"] = changed(sets["train"], "patient_id", {1: "x", 2: "x", 3: "x"})
    sets["train"] = changed(sets["train"], "signal_hash", {2: "h1005", 4: "h3"})
    train = read_cohort("root", "train", "ptbxl_superclass")
    assert left_out(train, apart(train, None, sets["test"])[0]) == {"r1", "r2", "r3", "r4"}


def test_a_signal_that_is_nearly_one_of_the_test_takes_its_patient_along(data, monkeypatch):
    sets, _ = data
    sets["train"] = changed(sets["train"], "patient_id", {1: "x", 2: "x"})
    train = read_cohort("root", "train", "ptbxl_superclass")
    pair = Pair("ptbxl/r2", "ptbxl/r1005", one_patient=False, exact=False, shift=0.0, like=None)
    monkeypatch.setattr(cohorts, "same_signals", lambda ones, others: [pair])
    assert left_out(train, apart(train, None, sets["test"])[0]) == {"r1", "r2"}


def test_train_validation_and_test_are_apart_whatever_lies_between_them(data):
    sets, _ = data
    # Patient x: r1 in train and r501 in validation, which is r1001 of the test under another id.
    sets["train"] = changed(sets["train"], "patient_id", {1: "x", 7: "y", 8: "p502"})
    sets["validation"] = changed(sets["validation"], "patient_id", {1: "x", 5: "y"})
    sets["validation"] = changed(sets["validation"], "signal_hash", {1: "h1001"})
    # Patient y: r505 in validation and r7 in train, which is r1002 of the test under another id.
    sets["train"] = changed(sets["train"], "signal_hash", {7: "h1002"})
    train, validation = (read_cohort("root", name, "ptbxl_superclass") for name in ("train", "validation"))
    fitted, chosen_by = apart(train, validation, sets["test"])
    assert left_out(train, fitted) == {"r1", "r7", "r8"}
    assert left_out(validation, chosen_by) == {"r501", "r505"}
    fitted, chosen_by = apart(train, validation, None)
    assert left_out(train, fitted) == {"r1", "r7", "r8"}
    assert chosen_by is validation
    assert apart(train, None, None) == (train, None)


def test_where_nothing_is_left_it_is_said(data):
    sets, _ = data
    train, validation = (read_cohort("root", name, "ptbxl_superclass") for name in ("train", "validation"))
    with pytest.raises(ValueError, match=r"all 60 recordings to be chosen by share .* with the test set"):
        apart(train, validation, sets["validation"])
    with pytest.raises(ValueError, match=r"all 120 .* fitted on share .* with the validation or test set"):
        apart(train, validation, sets["train"])


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
