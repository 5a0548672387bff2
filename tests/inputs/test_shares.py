"""Several processes that read a corpus together come to what one reads alone; threads stand for them."""

import errno
import itertools
import shutil
import tempfile
import threading

import numpy as np
import pytest
from made_shards import records, write_data_set
from made_threads import together

from coreecg_jax.inputs import damage, examples
from coreecg_jax.inputs.packing import rows_of_shards
from coreecg_jax.inputs.pipeline import Stream
from coreecg_jax.inputs.tfrecord import read_records
from coreecg_jax.inputs.together import ALONE
from coreecg_jax.inputs.training_windows import training_windows
from coreecg_jax.records.record_file import write_records


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


@pytest.fixture
def copies(shards, tmp_path_factory):
    """The five shards on two hosts: root and files of each."""
    root, files = shards
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(root, other, dirs_exist_ok=True)
    return (root, other), (files, [other / path.relative_to(root) for path in files])


def damaged(path):
    flip(path, 100)


def cut_short(path):
    """Between two records, which says nothing of those that are gone."""
    *kept, _ = read_records(path)
    write_records(path, kept)


def damaged_elsewhere(path):
    flip(path, path.stat().st_size - 1)


@pytest.mark.parametrize(
    ("first", "second", "expected", "got"),
    [
        (damaged, None, "12 good records and 1 damaged (record 1)", "13 good records and 0 damaged"),
        (cut_short, None, "12 good records and 0 damaged", "13 good records and 0 damaged"),
        (
            damaged,  # as many are left, but others
            damaged_elsewhere,
            "12 good records and 1 damaged (record 1)",
            "12 good records and 1 damaged (record 13)",
        ),
    ],
    ids=["of one only", "one is short", "of other records"],
)
@pytest.mark.parametrize("count", [2, 3])
def test_other_damage_in_the_copy_of_one_of_them_ends_all(copies, count, first, second, expected, got):
    """Shard 2 is examined by process 0 of two and by process 2 of three."""
    roots, files = copies
    examiner = 2 % count
    first(files[0][2])
    if second:
        second(files[1][2])
    results = together(
        count, lambda processes: windows_of(roots[processes.number != examiner], processes, on_corrupt="skip")
    )
    message = (
        f"{files[1][2]}: expected {expected}, as another process found it, got {got}; the copies of the data "
        "set differ, copy it again to the hosts that have a damaged one"
    )
    assert said(results) == [(ValueError, message)] * count


def test_damage_in_a_copy_that_nobody_examined_is_told_where_it_is_read(copies):
    roots, files = copies
    damaged(files[1][2])  # which process 0 examines, in its own copy
    one, two = together(
        2, lambda processes: windows_of(roots[processes.number], processes, on_corrupt="skip")
    )
    assert (one.salvaged.skipped, two.salvaged.skipped) == (0, 0)
    with pytest.raises(ValueError, match=rf"{files[1][2]}, record 1: wrong checksum of the data at byte 0"):
        list(rows_of_shards(two)(0, two.usable))
    with pytest.raises(ValueError, match=rf"{files[1][2]}, record 1: wrong checksum of the data at byte 0"):
        list(itertools.islice(Stream(two)(0), two.order.steps_per_epoch))


def test_a_temporary_folder_that_one_cannot_make_ends_all(shards, monkeypatch):
    """Before it copies anything: the others wait for what it says."""
    root, files = shards
    damaged(files[2])
    mine, mkdtemp = threading.local(), tempfile.mkdtemp

    def make(**named):
        if mine.number == 1:
            raise OSError(errno.EROFS, "Read-only file system", "/tmp")
        return mkdtemp(**named)

    monkeypatch.setattr(tempfile, "mkdtemp", make)

    def read(processes):
        mine.number = processes.number
        return windows_of(root, processes, on_corrupt="skip")

    results = together(3, read)
    assert [type(result) for result in results] == [OSError] * 3
    assert {(result.errno, result.filename) for result in results} == {(errno.EROFS, "/tmp")}


@pytest.mark.parametrize("on_corrupt", ["error", "skip"])
def test_a_shard_that_cannot_be_read_ends_all(shards, monkeypatch, on_corrupt):
    """It is gone after it was seen: one of them alone would ask for it."""
    root, files = shards
    monkeypatch.setattr("pathlib.Path.is_file", lambda path: path == files[3] or path.exists())
    files[3].unlink()
    results = together(2, lambda processes: windows_of(root, processes, on_corrupt=on_corrupt))
    assert [type(result) for result in results] == [FileNotFoundError] * 2
    assert {result.filename for result in results} == {str(files[3])}
