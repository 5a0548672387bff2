import numpy as np
import pytest
from made_shards import example, serialise, write_data_set

from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.records import schema


@pytest.fixture(scope="module")
def recordings(data_root):
    return read_recordings(data_root, "ptbxl:fold1, ludb")


def test_every_field_of_every_window_is_as_it_was_written(recordings):
    written = [example(number) for number in range(39)] + [example(n, "ludb") for n in range(100, 107)]
    assert len(recordings) == len(written)
    for name in schema.FIELDS:
        column, expected = getattr(recordings, name), [fields[name] for fields in written]
        if name in ("labels", "likelihoods"):
            np.testing.assert_equal(column, tuple(map(tuple, expected)))
        else:
            np.testing.assert_array_equal(column, np.array(expected, column.dtype))


def test_columns_have_the_documented_types(recordings):
    n = len(recordings)
    assert (recordings.ecg.dtype, recordings.ecg.shape) == (np.int16, (n, 12, 200))
    assert recordings.patient_key.dtype == np.uint32
    assert recordings.length.dtype == recordings.fold.dtype == np.int32
    assert recordings.age.dtype == np.float32


def test_a_lead_is_available_unless_a_flag_says_that_it_carries_no_signal(recordings):
    expected = [[flags == 0 for flags in row] for row in recordings.quality.tolist()]  # all four flags forbid
    assert recordings.available.tolist() == expected
    assert not recordings.available.all()


@pytest.mark.parametrize("indices", [[5, 2, 2], np.array([True] + [False] * 45), slice(3, 6), 4])
def test_take_and_batch_give_the_same_rows(recordings, indices):
    taken, batch = recordings.take(indices), recordings.batch(indices)
    rows = np.atleast_1d(np.arange(46)[indices])
    assert taken.recording_id.tolist() == [recordings.recording_id[row] for row in rows]
    assert taken.labels == tuple(recordings.labels[row] for row in rows)
    assert taken.preprocessing == recordings.preprocessing
    np.testing.assert_array_equal(batch.ecg, taken.ecg)
    np.testing.assert_array_equal(batch.length, taken.length)
    np.testing.assert_array_equal(batch.available, taken.available)
    np.testing.assert_array_equal(batch.patient, taken.patient_key)
    assert [array.dtype for array in batch] == [np.int16, np.int32, np.bool_, np.uint32]


def test_a_row_that_is_not_there_is_an_error(recordings):
    with pytest.raises(IndexError):
        recordings.batch([46])


def test_short_windows_are_left_out(data_root):
    recordings = read_recordings(data_root, "ptbxl:fold1", min_seconds=1.5)
    expected = [number for number in range(39) if number % 3 != 2]
    assert recordings.recording_id.tolist() == [f"r{number}" for number in expected]
    np.testing.assert_array_equal(recordings.ecg, [example(number)["ecg"] for number in expected])


def test_no_window_at_all_is_told(tmp_path):
    write_data_set(tmp_path, "ludb", {"all": [[serialise(example(0, length=100))]]})
    with pytest.raises(ValueError, match=r"none of 1 windows lasts 1\.5 s"):
        read_recordings(tmp_path, "ludb", min_seconds=1.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 201}, "length: expected 1 to 200 samples, got 201"),
        ({"length": 0}, "length: expected 1 to 200"),
        ({"length": [1, 2]}, "length: expected 1 values, got 2"),
        ({"quality": [0] * 11}, "quality: expected 12 values, got 11"),
        ({"quality": []}, "quality: expected 12 values, got 0"),
        ({"ecg": np.zeros((12, 199), "<i2")}, "ecg: expected one value of 4800 bytes"),
        ({"labels": ["a", "b"], "likelihoods": [1.0]}, "expected one likelihood a label"),
        ({"patient_key": -1}, "patient_key: expected a uint32, got -1"),
    ],
)
def test_a_window_that_is_not_what_the_schema_says_is_told(tmp_path, changes, message):
    write_data_set(tmp_path, "ludb", {"all": [[serialise(example(0)), serialise(example(1, **changes))]]})
    with pytest.raises(ValueError, match=f"00000-of-00001, record 2: {message}"):
        read_recordings(tmp_path, "ludb")


def test_a_missing_feature_and_a_wrong_kind_are_told(tmp_path):
    import tensorflow as tf

    message = tf.train.Example.FromString(serialise(example(0)))
    message.features.feature["source"].int64_list.value.append(3)
    write_data_set(tmp_path, "kind", {"all": [[message.SerializeToString()]]})
    with pytest.raises(ValueError, match="source: expected bytes, got int64"):
        read_recordings(tmp_path, "kind")
    message.features.feature["age"].int64_list.value.append(3)
    message.features.feature["source"].bytes_list.value.append(b"x")
    write_data_set(tmp_path, "number", {"all": [[message.SerializeToString()]]})
    with pytest.raises(ValueError, match="age: expected float32 values"):
        read_recordings(tmp_path, "number")
    del message.features.feature["age"]
    write_data_set(tmp_path, "missing", {"all": [[message.SerializeToString()]]})
    with pytest.raises(ValueError, match="record 1: expected the features"):
        read_recordings(tmp_path, "missing")


def test_a_shard_with_fewer_examples_than_promised_is_told(tmp_path):
    folder = write_data_set(tmp_path, "ludb", {"all": [[serialise(example(0)), serialise(example(1))]]})
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace('"2"', '"3"'))
    with pytest.raises(ValueError, match=r"expected 3 examples as dataset_info\.json says, got 2"):
        read_recordings(tmp_path, "ludb")


def test_no_more_are_read_than_are_asked_for(data_root, recordings):
    first = read_recordings(data_root, "ptbxl:fold1, ludb", most=5)
    assert first.recording_id.tolist() == recordings.recording_id[:5].tolist()
    assert len(read_recordings(data_root, "ptbxl:fold1, ludb", most=1000)) == len(recordings)
