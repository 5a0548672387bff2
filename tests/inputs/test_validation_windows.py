import gc
import itertools
import weakref

import numpy as np
import pytest
from made_shards import records, write_data_set
from made_threads import together

from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.inputs.validation_windows import validation_windows

ALL = {"min_seconds": 1.5}


@pytest.fixture
def root(tmp_path):
    """Three shards of 15 windows, of which two in three are long enough: 30."""
    parts = [records(0, 7), records(7, 8), records(8, 45)]
    write_data_set(tmp_path, "made", {"all": parts})
    return tmp_path


def test_whole_batches_in_the_order_of_the_reader(root):
    windows, recordings = validation_windows(root, "made", **ALL), read_recordings(root, "made", **ALL)
    assert len(windows) == len(recordings) == 30
    batches = list(windows.batches(8, range(8)))
    assert len(batches) == 3
    for number, batch in enumerate(batches):
        expected = recordings.batch(np.arange(8 * number, 8 * number + 8))
        for name, one, other in zip(batch._fields, batch, expected):
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_of_what_others_hold_nothing_is_read(root):
    windows, recordings = validation_windows(root, "made", **ALL), read_recordings(root, "made", **ALL)
    rows = [2, 3, 7]
    # The first window that is long enough is in row 0 of the first batch: its damage is not seen.
    shard = windows.selection.files[0]
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    for number, batch in enumerate(windows.batches(8, rows)):
        expected = recordings.batch(8 * number + np.array(rows))
        for name, one, other in zip(batch._fields, batch, expected):
            np.testing.assert_array_equal(one[rows], other, err_msg=name)
            assert not np.delete(one, rows, axis=0).any(), name
    with pytest.raises(ValueError, match=rf"{shard}, record 1: wrong checksum of the data at byte 0"):
        next(windows.batches(8, range(8)))


def test_one_batch_is_held_at_a_time(root):
    batches = validation_windows(root, "made", **ALL).batches(8, range(8))
    first = weakref.ref(next(batches).ecg)
    next(batches)
    gc.collect()
    assert first() is None


def test_processes_that_share_the_reading_come_to_the_same(root):
    one = validation_windows(root, "made", **ALL)
    for windows in together(
        2, lambda processes: validation_windows(root, "made", **ALL, processes=processes)
    ):
        np.testing.assert_array_equal(windows.numbers, one.numbers)
        for got, expected in itertools.zip_longest(windows.batches(8, range(8)), one.batches(8, range(8))):
            np.testing.assert_array_equal(got.ecg, expected.ecg)


def test_none_that_is_long_enough_is_no_batch(root):
    windows = validation_windows(root, "made", min_seconds=2.0)
    assert (len(windows), len(list(windows.batches(8, range(8))))) == (15, 1)
    assert not list(windows.batches(16, range(16)))
