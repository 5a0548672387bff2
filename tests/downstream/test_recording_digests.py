"""All that is read of a recording is in its digest, and in that of the data; the order is not."""

import dataclasses

import numpy as np
import pytest
from made_cohorts import PREPROCESSING, made_recordings

from coreecg_jax.downstream.provenance import digest_of_data
from coreecg_jax.downstream.recording_digests import recording_digests

# Three recordings, the first of two windows.
RECORDINGS = made_recordings(
    4,
    recording_id=np.array(["r0", "r0", "r1", "r2"]),
    patient_id=np.array(["p0", "p0", "p1", "p2"]),
    window=np.array([0, 1, 0, 0], np.int32),
)


def second_window(field, value):
    """The recordings, something else in the second window of the first."""
    column = getattr(RECORDINGS, field).copy()
    column[1] = value
    return dataclasses.replace(RECORDINGS, **{field: column})


def samples(lead, value):
    ecg = RECORDINGS.ecg.copy()
    ecg[1, lead, -1] = value
    return dataclasses.replace(RECORDINGS, ecg=ecg)


OTHERS = {
    "a sample": samples(11, 1),
    "length": second_window("length", 39),
    "quality": second_window("quality", np.arange(12) == 5),
    "window": second_window("window", 2),
    "settings": dataclasses.replace(
        RECORDINGS, preprocessing=dataclasses.replace(PREPROCESSING, low_pass=30.0)
    ),
    "source": dataclasses.replace(RECORDINGS, source=np.full(4, "ludb")),
}


@pytest.mark.parametrize("changed", OTHERS)
def test_whatever_is_read_is_in_the_digest(changed):
    other = OTHERS[changed]
    before, after = recording_digests(RECORDINGS), recording_digests(other)
    assert len(before) == len(set(before)) == 3
    assert before[0] != after[0]
    assert (before[1:] == after[1:]) == (changed not in ("settings", "source"))
    assert digest_of_data(RECORDINGS) != digest_of_data(other)


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("patient_id", np.array(["p0", "p0", "p1", "p9"])),
        ("signal_hash", np.array(["h0", "h1", "h2", "h9"])),
        ("labels", (*RECORDINGS.labels[:3], ("XYZ",))),
        ("likelihoods", (*RECORDINGS.likelihoods[:3], (50.0,))),
    ],
)
def test_the_digest_of_data_is_of_patients_and_labels_too(field, column):
    other = dataclasses.replace(RECORDINGS, **{field: column})
    assert recording_digests(RECORDINGS) == recording_digests(other)
    assert digest_of_data(RECORDINGS) != digest_of_data(other)


def test_the_order_of_recordings_and_windows_is_not_in_it():
    turned = RECORDINGS.take([3, 2, 1, 0])
    assert recording_digests(turned) == recording_digests(RECORDINGS)[::-1]
    labels = (RECORDINGS.labels[0], *RECORDINGS.labels[:1], *RECORDINGS.labels[2:])
    same = dataclasses.replace(RECORDINGS, labels=labels, signal_hash=np.array(["h0", "h0", "h2", "h3"]))
    assert digest_of_data(same.take([3, 2, 1, 0])) == digest_of_data(same)
