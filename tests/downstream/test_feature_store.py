"""A feature is computed once for each recording as it is."""

import dataclasses
import hashlib

import numpy as np
import pytest
from made_cohorts import made_recordings

from coreecg_jax.downstream.feature_store import FeatureStore
from coreecg_jax.downstream.subsets import only_leads


@pytest.fixture
def counted():
    """An extractor, and the numbers of recordings it was asked for."""
    asked = []

    def extract(recordings):
        asked.append(len(recordings))
        return recordings.ecg.std(axis=-1).astype(np.float32)

    return extract, asked


def test_what_is_known_is_not_computed_again(counted):
    extract, asked = counted
    recordings, store = made_recordings(10), FeatureStore(extract)
    expected = extract(recordings)
    np.testing.assert_array_equal(store(recordings.take(slice(0, 4))), expected[:4])
    np.testing.assert_array_equal(store(recordings), expected)
    np.testing.assert_array_equal(store(recordings.take([7, 2])), expected[[7, 2]])
    assert asked == [10, 4, 6]


def test_other_leads_or_lengths_are_other_recordings(counted):
    extract, asked = counted
    recordings, store = made_recordings(3), FeatureStore(extract)
    store(recordings)
    assert store(only_leads(recordings, ["II"]))[:, 0].max() == 0
    assert asked == [3, 3]


def test_recordings_that_were_prepared_again_are_other_recordings(counted):
    """One raw signal of one length, as where the sampling rate of a folder was corrected."""
    extract, asked = counted
    before, store = made_recordings(3), FeatureStore(extract)
    store(before)
    again = dataclasses.replace(before, ecg=before.ecg // 2)
    assert again.signal_hash.tolist() == before.signal_hash.tolist()
    np.testing.assert_array_equal(store(again), extract(again))
    assert asked == [3, 3, 3]


def test_a_file_of_a_version_that_knew_recordings_by_less_holds_none_that_is_known(counted, tmp_path):
    """As it was written then: by the hash of the raw signal, without the samples."""
    extract, asked = counted
    recordings, file = made_recordings(3), tmp_path / "x.npz"
    about = ("ptbxl", "r0", "h0", 0, 40, [True] * 12)
    old = hashlib.sha256(recordings.preprocessing.to_json().encode() + repr(about).encode()).hexdigest()
    np.savez(file, keys=np.array([old]), features=np.full((1, 12), 7, np.float32))
    np.testing.assert_array_equal(FeatureStore(extract, file)(recordings), extract(recordings))
    assert asked == [3, 3]


def test_a_file_outlives_the_process_and_a_damaged_one_costs_time_only(counted, tmp_path):
    extract, asked = counted
    recordings, file = made_recordings(5), tmp_path / "new" / "x.npz"
    first = FeatureStore(extract, file)(recordings)
    np.testing.assert_array_equal(FeatureStore(extract, file)(recordings), first)
    assert asked == [5]
    file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(FeatureStore(extract, file)(recordings), first)
    assert asked == [5, 5]
    assert [path.name for path in file.parent.iterdir()] == ["x.npz"]


def test_where_nothing_can_be_kept_what_is_there_is_used_and_it_is_told(counted, tmp_path):
    """As root may write anywhere, a file stands in the place of the folder."""
    extract, asked = counted
    recordings, file = made_recordings(5), tmp_path / "x.npz"
    FeatureStore(extract, file)(recordings.take(slice(0, 4)))
    store = FeatureStore(extract, file)
    file.unlink()
    file.mkdir()
    with pytest.warns(UserWarning, match=r"x\.npz: features are not kept \(.*\): they are computed again"):
        np.testing.assert_array_equal(store(recordings), extract(recordings))
    assert asked[:2] == [4, 1]
    store(recordings)  # all are known now: nothing is to be kept, and a warning would be an error
