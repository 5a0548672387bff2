import itertools
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from made_shards import example, records, serialise, write_data_set

from coreecg_jax.inputs import pipeline
from coreecg_jax.inputs.batch import Batch
from coreecg_jax.inputs.order import Order
from coreecg_jax.inputs.pipeline import training_batches
from coreecg_jax.inputs.reader import read_recordings

ALL = "ptbxl, ludb"
# Of the 62 windows 42 last 1.5 s: four batches of 10 and a remainder of 2.
USABLE, STEPS = 42, 4


def stream(root, spec=ALL, *, start_step=0, **changes):
    options = {"batch_size": 10, "seed": 3, "min_seconds": 1.5, "shuffle_buffer": 20}
    return training_batches(root, spec, **{**options, **changes})(start_step)


def take(batches, number: int) -> list[Batch]:
    return list(itertools.islice(batches, number))


def same(left: Batch, right: Batch) -> bool:
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(left, right))


def windows(batches: list[Batch]) -> list[bytes]:
    """Every window of the batches; the signals tell them apart."""
    return [ecg.tobytes() for batch in batches for ecg in batch.ecg]


@pytest.fixture(scope="module")
def uninterrupted(data_root):
    return take(stream(data_root), 3 * STEPS)


@pytest.mark.parametrize("start_step", [0, 1, 3, 4, 5, 9])
def test_a_run_that_starts_at_a_step_sees_what_an_uninterrupted_one_sees_there(
    data_root, uninterrupted, start_step
):
    resumed = take(stream(data_root, start_step=start_step), 3 * STEPS - start_step)
    assert all(map(same, resumed, uninterrupted[start_step:]))


def test_an_epoch_brings_each_long_enough_window_at_most_once_and_all_but_the_remainder(
    data_root, uninterrupted
):
    long_enough = {ecg.tobytes() for ecg in read_recordings(data_root, ALL, min_seconds=1.5).ecg}
    assert len(long_enough) == USABLE
    epochs = [windows(uninterrupted[first : first + STEPS]) for first in (0, STEPS, 2 * STEPS)]
    for epoch in epochs:
        assert len(epoch) == len(set(epoch)) == 10 * STEPS
        assert set(epoch) <= long_enough
    assert set().union(*epochs) == long_enough  # the remainder is another one in every epoch


def test_a_batch_is_what_the_reader_makes_of_the_same_windows(data_root, uninterrupted):
    recordings = read_recordings(data_root, ALL)
    row = {ecg.tobytes(): number for number, ecg in enumerate(recordings.ecg)}
    for batch in uninterrupted[:STEPS]:
        expected = recordings.batch([row[window] for window in windows([batch])])
        assert same(batch, expected)


def until(condition, seconds=20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def read_by(monkeypatch):
    """Numbers of the epochs that are read, each with the thread that began it."""
    begun, epoch = [], Order.epoch
    monkeypatch.setattr(
        Order,
        "epoch",
        lambda order, number, reader: (
            begun.append((number, threading.current_thread())),
            epoch(order, number, reader),
        )[1],
    )
    return begun


@pytest.mark.parametrize(("start_step", "number"), [(0, 1), (STEPS - 1, 1), (STEPS, 2)])
def test_an_epoch_is_read_before_the_last_is_used_up_and_not_long_before(
    data_root, monkeypatch, read_by, start_step, number
):
    monkeypatch.setattr(pipeline, "_STARTED_BEFORE", 2)
    batches = stream(data_root, start_step=start_step)
    to_go = STEPS - start_step % STEPS
    if to_go > 2:
        take(batches, to_go - 2)
        assert [epoch for epoch, _ in read_by] == [number - 1]
    next(batches)  # with one more to come, or none
    assert until(lambda: [epoch for epoch, _ in read_by] == [number - 1, number])
    assert [thread is threading.main_thread() for _, thread in read_by] == [True, False]


@pytest.mark.parametrize("started_before", [1, 2, STEPS, 100])
def test_when_the_next_epoch_is_begun_changes_no_batch(data_root, uninterrupted, monkeypatch, started_before):
    monkeypatch.setattr(pipeline, "_STARTED_BEFORE", started_before)
    assert all(map(same, take(stream(data_root), 3 * STEPS), uninterrupted))


def test_damage_of_the_next_epoch_is_told_at_its_first_batch_by_who_asks(tmp_path, read_by):
    """Its readers meet it before, in a thread of their own."""
    (file,) = write_data_set(tmp_path, "ludb", {"all": [records(0, 20)]}).glob("*.tfrecord*")
    batches = stream(tmp_path, "ludb", batch_size=4, min_seconds=0.0)
    (whole,), steps = take(batches, 1), 5
    first = threading.active_count()
    damage(file.parent, position=3000)
    assert until(lambda: len(read_by) == 2)
    assert len(windows([whole, *take(batches, steps - 1)])) == 4 * steps
    with pytest.raises(ValueError, match=r"ludb-all.*, record 1: wrong checksum of the data at byte 0;"):
        next(batches)
    assert threading.active_count() <= first


def test_a_stream_that_is_given_up_while_an_epoch_is_begun_leaves_no_thread(data_root, monkeypatch):
    of_reader, entered = pipeline.Stream._groups, threading.Event()
    main, groups = threading.main_thread(), []

    def endless(self, files, start):
        """What reads the next epoch finds no end."""
        for group in of_reader(self, files, start):
            while threading.current_thread() is not main and len(groups) < 10_000:
                entered.set()
                time.sleep(0.001)
                groups.append(group)
                yield {name: column[:0] for name, column in group.items()}
            yield group

    before = set(threading.enumerate())
    monkeypatch.setattr(pipeline.Stream, "_groups", endless)
    batches = stream(data_root)
    next(batches)
    assert entered.wait(20)
    batches.close()
    assert set(threading.enumerate()) <= before
    assert len(groups) < 10_000


def test_epochs_and_seeds_have_orders_of_their_own(data_root, uninterrupted):
    first, second = windows(uninterrupted[:STEPS]), windows(uninterrupted[STEPS : 2 * STEPS])
    assert first != second
    assert windows(take(stream(data_root, seed=4), STEPS)) != first


def test_a_minimum_of_zero_takes_every_window(data_root):
    epoch = windows(take(stream(data_root, min_seconds=0.0, batch_size=31), 2))
    assert len(set(epoch)) == 62


def test_windows_are_mixed_over_files_and_within_the_buffer(data_root):
    batch = next(stream(data_root, min_seconds=0.0, shuffle_buffer=62))
    recordings = read_recordings(data_root, ALL)
    row = {ecg.tobytes(): number for number, ecg in enumerate(recordings.ecg)}
    rows = [row[window] for window in windows([batch])]
    assert rows != sorted(rows)
    assert max(rows) - min(rows) > 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 43}, r"data\.batch_size: expected 1 to 42, .* at least 1\.5 s .* got 43"),
        ({"batch_size": 0}, r"data\.batch_size: expected 1 to 42, .* got 0"),
        ({"shuffle_buffer": 0}, r"data\.shuffle_buffer: expected at least 1 window, got 0"),
        ({"min_seconds": 3.0}, r"data\.crop_seconds \(or min_seconds\): expected 0 to 2 s"),
        ({"spec": "mimic"}, "unknown data set"),
    ],
)
def test_a_user_error_is_told_before_the_first_batch(data_root, changes, message):
    with pytest.raises(ValueError, match=message):
        stream(data_root, **changes)


def damage(folder, position: int) -> None:
    path = next(folder.glob("*.tfrecord*"))
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("min_seconds", [0.0, 1.5])
def test_a_damaged_shard_is_told_with_its_name_and_place(tmp_path, min_seconds):
    damage(write_data_set(tmp_path, "ludb", {"all": [records(0, 20)]}), position=3000)
    with pytest.raises(ValueError, match=r"ludb-all.*, record 1: wrong checksum of the data at byte 0;"):
        take(stream(tmp_path, "ludb", min_seconds=min_seconds), 2)


def test_a_shard_that_is_gone_is_told_in_one_sentence(tmp_path):
    (file,) = write_data_set(tmp_path, "ludb", {"all": [records(0, 20)]}).glob("*.tfrecord*")
    batches = stream(tmp_path, "ludb", min_seconds=0.0)
    file.unlink()
    with pytest.raises(
        OSError, match=r"^a shard of ludb can no longer be read: .*; see that it is there, and"
    ):
        next(batches)


def test_a_window_of_another_shape_is_told_with_its_place(tmp_path):
    odd = [serialise(example(0)), serialise(example(1, samples=100))]
    write_data_set(tmp_path, "ludb", {"all": [odd]})
    with pytest.raises(ValueError, match="record 2: ecg: expected one value of 4800 bytes"):
        next(stream(tmp_path, "ludb", batch_size=2, min_seconds=0.0))


def test_the_recordings_of_a_step_are_told_by_name(data_root, uninterrupted):
    names = {
        ecg.tobytes(): f"{source}/{recording}, window {window}"
        for recordings in [read_recordings(data_root, ALL)]
        for ecg, source, recording, window in zip(
            recordings.ecg, recordings.source, recordings.recording_id, recordings.window
        )
    }
    for step in (0, 1, STEPS + 2):
        told = training_batches(data_root, ALL, batch_size=10, seed=3, min_seconds=1.5, shuffle_buffer=20)
        assert told.windows.recordings(step) == [names[window] for window in windows([uninterrupted[step]])]


@pytest.mark.parametrize("promised", ["30", "3"])
def test_shards_that_do_not_hold_what_was_promised_end_the_stream(tmp_path, promised):
    folder = write_data_set(tmp_path, "ludb", {"all": [records(0, 20)]})
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace('"20"', f'"{promised}"'))
    batches = stream(tmp_path, "ludb", batch_size=2, min_seconds=0.0)
    with pytest.raises(ValueError, match=rf"ludb: expected the records .* got 20 of {promised};"):
        take(batches, 100)


def test_only_the_pipeline_needs_tensorflow_and_only_when_it_runs():
    modules = ["batch", "selection", "tfrecord", "examples", "reader", "transfer", "pipeline"]
    imports = "; ".join(f"import coreecg_jax.inputs.{module}" for module in modules)
    code = f"{imports}; import sys; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_reader_needs_neither_tensorflow_nor_jax(data_root):
    code = (
        "import sys; from coreecg_jax.inputs.reader import read_recordings; "
        f"read_recordings({str(data_root)!r}, 'ludb').batch([0]); "
        "assert not {'tensorflow', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
