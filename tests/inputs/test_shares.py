"""Several processes that read a corpus together come to what one reads alone; threads stand for them."""

import itertools
import shutil

import numpy as np
import pytest
from made_shards import records, write_data_set
from made_threads import together

from coreecg_jax.inputs import damage, examples
from coreecg_jax.inputs.pipeline import Stream
from coreecg_jax.inputs.together import ALONE
from coreecg_jax.inputs.training_windows import training_windows


def windows_of(root, processes=ALONE, spec="made", **changes):
    options = {"batch_size": 8, "seed": 3, "min_seconds": 1.5, "shuffle_buffer": 20, **changes}
    return training_windows(root, spec, processes=processes, **options)


def said(results):
    return [(type(result), str(result)) for result in results]


def flip(path, byte):
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


@pytest.fixture
def shards(tmp_path):
    """Five shards of 3, 8, 13, 1 and 9 windows; their files."""
    ends = (0, 3, 11, 24, 25, 34)
    parts = [records(first, stop) for first, stop in itertools.pairwise(ends)]
    folder = write_data_set(tmp_path, "made", {"all": parts})
    return tmp_path, sorted(folder.glob("*.tfrecord*"))


@pytest.fixture
def read(monkeypatch):
    """The files that are read, each as often as it is."""
    opened, read_records = [], examples.read_records

    def noting(path, *wanted):
        opened.append(path)
        return read_records(path, *wanted)

    monkeypatch.setattr(examples, "read_records", noting)
    return opened


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_shard_is_read_once_and_all_have_the_same_order(shards, read, count):
    root, files = shards
    one = windows_of(root)
    read.clear()
    for windows in together(count, lambda processes: windows_of(root, processes)):
        assert windows.selection == one.selection
        assert windows.order.long_enough.dtype == bool
        np.testing.assert_array_equal(windows.order.long_enough, one.order.long_enough)
        assert one.order.long_enough.tolist() == [number % 3 != 2 for number in range(34)]
        for step in range(7):
            np.testing.assert_array_equal(windows.order.batch(step), one.order.batch(step))
    assert sorted(read) == files


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_first_damaged_shard_ends_all_with_its_name(shards, count):
    root, files = shards
    flip(files[3], 100)
    flip(files[2], 100)
    results = together(count, lambda processes: windows_of(root, processes))
    assert len(set(said(results))) == 1
    assert isinstance(results[0], ValueError)
    assert str(results[0]).startswith(f"{files[2]}, record 1: wrong checksum of the data at byte 0;")


@pytest.mark.parametrize("told", [12, 14])
def test_a_shard_that_holds_another_number_ends_all(shards, told):
    root, files = shards
    info = files[0].parent / "dataset_info.json"
    info.write_text(info.read_text().replace('"13"', f'"{told}"'))
    message = f"{files[2]}: expected {told} examples as dataset_info.json says, got 13"
    for result in together(2, lambda processes: windows_of(root, processes)):
        assert str(result).startswith(message)


def test_a_shard_that_one_of_them_lacks_ends_all(shards, tmp_path_factory):
    root, files = shards
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(root, other, dirs_exist_ok=True)
    lacking = other / files[1].relative_to(root)
    lacking.unlink()
    results = together(3, lambda processes: windows_of((root, root, other)[processes.number], processes))
    words = f"{lacking} is missing, named by dataset_info.json; write or copy it again"
    assert said(results) == [(FileNotFoundError, words)] * 3


def test_other_data_in_one_of_them_end_all(shards, tmp_path_factory):
    root, _ = shards
    other = tmp_path_factory.mktemp("other")
    write_data_set(other, "made", {"all": [records(0, 34)]})
    for result in together(2, lambda processes: windows_of((root, other)[processes.number], processes)):
        assert isinstance(result, ValueError)
        assert "expected the same in all processes, got 5 shards of 34 windows (SHA-256 " in str(result)
        assert "in process 0 and 1 shards of 34 windows (SHA-256 " in str(result)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_damage_that_is_left_out_is_looked_for_once_and_left_out_by_all(shards, monkeypatch, count):
    root, files = shards
    flip(files[2], 100)
    flip(files[4], 100)
    one = windows_of(root, on_corrupt="skip")
    expected = [batch.ecg.tobytes() for batch in itertools.islice(Stream(one)(0), 5)]
    walked, walk = [], damage.walk_records
    monkeypatch.setattr(damage, "walk_records", lambda path: (walked.append(path), walk(path))[1])
    for windows in together(count, lambda processes: windows_of(root, processes, on_corrupt="skip")):
        assert (windows.salvaged.skipped, windows.salvaged.reasons) == (2, one.salvaged.reasons)
        assert windows.selection.examples == (3, 8, 12, 1, 8)
        got = [batch.ecg.tobytes() for batch in itertools.islice(Stream(windows)(0), 5)]
        assert got == expected
    # The damaged ones once more by each, which copies what is good of them.
    assert sorted(walked) == sorted([*files, *[files[2], files[4]] * count])


@pytest.mark.parametrize("on_corrupt", ["error", "skip"])
def test_a_shard_that_cannot_be_read_ends_all(shards, monkeypatch, on_corrupt):
    """It is gone after it was seen: one of them alone would ask for it."""
    root, files = shards
    monkeypatch.setattr("pathlib.Path.is_file", lambda path: path == files[3] or path.exists())
    files[3].unlink()
    results = together(2, lambda processes: windows_of(root, processes, on_corrupt=on_corrupt))
    assert [type(result) for result in results] == [FileNotFoundError] * 2
    assert {result.filename for result in results} == {str(files[3])}
