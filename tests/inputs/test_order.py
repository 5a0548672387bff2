import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreecg_jax.inputs.order import FILES_AT_ONCE, RECORDS_IN_A_ROW, Order, interleaved

EXAMPLES = (40, 17, 3, 64, 1, 25)


def order(**changes):
    """150 records in six files, every seventh too short."""
    records = sum(EXAMPLES)
    options = {"batch_size": 12, "shuffle_buffer": 30, "seed": 3, "readers": 1}
    return Order(EXAMPLES, np.arange(records) % 7 != 0, **{**options, **changes})


def test_what_does_not_change_is_reckoned_once(monkeypatch):
    """Of 720 shards and 64 readers it takes most of a second, and was done for each step."""
    windows = order(readers=2)
    expected = [windows.batch(step).tolist() for step in range(3)]
    monkeypatch.setattr(Order, "_windows_of_files", None)
    assert [windows.batch(step).tolist() for step in range(3)] == expected


def starts_of(examples):
    return np.concatenate([[0], np.cumsum(examples)])[:-1]


@given(st.lists(st.integers(1, 3 * RECORDS_IN_A_ROW), min_size=1, max_size=3 * FILES_AT_ONCE))
@settings(max_examples=20, deadline=None)
def test_files_are_read_in_turn_as_tensorflow_reads_them(examples):
    import tensorflow as tf

    starts, counts = (tf.constant(of, tf.int64) for of in (starts_of(examples), examples))
    theirs = tf.data.Dataset.range(len(examples)).interleave(
        lambda file: tf.data.Dataset.range(starts[file], starts[file] + counts[file]),
        cycle_length=FILES_AT_ONCE,
        block_length=RECORDS_IN_A_ROW,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    ours = interleaved(starts_of(examples), np.array(examples))
    assert ours.tolist() == list(theirs.as_numpy_iterator())


def test_a_window_is_delayed_by_less_than_the_buffer():
    """The slow way: a buffer from which each window leaves as soon as its delay is over."""
    windows, buffer = order(), 30
    epoch = windows.epoch(2, 0)
    usable = [at for at, record in enumerate(epoch.records) if windows.long_enough[record]]
    delay = np.random.Philox(key=np.array([3, 2], np.uint64))
    delay.random_raw(len(EXAMPLES))  # the order of the files
    due = [number + int(raw % buffer) for number, raw in enumerate(delay.random_raw(len(usable)).tolist())]
    left, held = [], []
    for moment in range(len(usable) + buffer):
        if moment < len(usable):
            held.append(moment)
        left += [number for number in held if due[number] == moment]
        held = [number for number in held if due[number] > moment]
        assert len(held) < buffer
    assert [usable[number] for number in left] == epoch.read_at.tolist()


@pytest.mark.parametrize("readers", [1, 2, 3])
def test_an_epoch_has_each_long_enough_window_at_most_once(readers):
    windows = order(readers=readers)
    steps = windows.steps_per_epoch
    usable = set(np.flatnonzero(windows.long_enough).tolist())
    epochs = [
        np.concatenate([windows.batch(step) for step in range(first, first + steps)]).tolist()
        for first in (0, steps, 2 * steps)
    ]
    for epoch in epochs:
        assert len(epoch) == len(set(epoch)) == 12 * steps
        assert set(epoch) <= usable
    assert epochs[0] != epochs[1]
    assert steps >= len(usable) // 12 - 2  # of uneven files little is lost


def test_readers_have_files_of_their_own_and_a_part_of_each_batch():
    windows = order(readers=3)
    files = [windows.files_of(reader).tolist() for reader in range(3)]
    assert sorted(itertools.chain(*files)) == list(range(len(EXAMPLES)))
    file_of = np.repeat(np.arange(len(EXAMPLES)), EXAMPLES)
    for step in range(2 * windows.steps_per_epoch):
        for reader, part in enumerate(windows.batch(step).reshape(3, 4)):
            assert set(file_of[part]) <= set(files[reader])


def test_steps_can_be_asked_for_in_any_order():
    forwards = [order().batch(step).tolist() for step in range(30)]
    windows = order()
    assert [windows.batch(step).tolist() for step in reversed(range(30))] == forwards[::-1]


def test_seeds_and_readers_have_orders_of_their_own():
    assert order().batch(0).tolist() != order(seed=4).batch(0).tolist()
    same = Order((64, 64), np.ones(128, bool), 8, 64, seed=0, readers=2)
    first, second = (same.epoch(0, reader).read_at.tolist() for reader in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"readers": 0}, r"data\.readers: expected a divisor of data\.batch_size = 12, got 0"),
        ({"readers": 5}, r"data\.readers: expected a divisor of data\.batch_size = 12, got 5"),
        ({"readers": 12}, r"data\.readers: expected at most 6 \(shards\), got 12"),
        ({"readers": 6}, r"data\.readers: expected 2 windows for each of 6 readers, got 1 for one"),
    ],
)
def test_readers_that_cannot_be_are_told(changes, message):
    with pytest.raises(ValueError, match=message):
        order(**changes)
