"""Damaged shards under `on_corrupt='skip'`: what is good is used, what is not is counted and told."""

import itertools

import pytest
from made_shards import example, records, serialise, write_data_set

from coreecg_jax.inputs.damage import salvage
from coreecg_jax.inputs.pipeline import training_batches
from coreecg_jax.inputs.selection import select

FRAME = 16  # bytes around a record: length, its checksum, the data's checksum


def flip(path, byte):
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


@pytest.fixture
def shards(tmp_path):
    """Three shards of six windows each; where each record of the second begins."""
    parts = [records(6 * number, 6 * number + 6) for number in range(3)]
    folder = write_data_set(tmp_path, "made", {"all": parts})
    starts = list(itertools.accumulate((len(record) + FRAME for record in parts[1]), initial=0))
    return tmp_path, sorted(folder.glob("*.tfrecord*")), starts


def stream(root, on_corrupt="skip", **changes):
    options = {"batch_size": 5, "seed": 3, "min_seconds": 0.0, "shuffle_buffer": 20, **changes}
    return training_batches(root, "made", on_corrupt=on_corrupt, **options)


def names_of_an_epoch(batches):
    steps = batches.windows.order.steps_per_epoch
    return [name for step in range(steps) for name in batches.windows.recordings(step)]


def numbers(*given):
    return {f"ptbxl/r{number}, window {number % 2}" for number in given}


def test_nothing_damaged_is_nothing_skipped(shards):
    root, files, _ = shards
    salvaged = salvage(select(root, "made"))
    assert (salvaged.skipped, salvaged.reasons, salvaged.folder) == (0, (), None)
    assert salvaged.selection == select(root, "made")
    assert salvaged.selection.files == tuple(files)


def test_one_damaged_record_is_left_out_and_told(shards):
    root, files, starts = shards
    flip(files[1], starts[2] + 100)
    with pytest.raises(ValueError, match=rf"{files[1]}, record 3: wrong checksum of the data at byte"):
        next(stream(root, "error")(0))
    batches = stream(root, batch_size=17)
    assert (batches.windows.salvaged.skipped, batches.windows.usable) == (1, 17)
    (reason,) = batches.windows.salvaged.reasons
    assert reason.startswith(f"{files[1]}, record 3: wrong checksum of the data at byte {starts[2]};")
    assert set(batches.windows.recordings(0)) == numbers(*range(18)) - numbers(8)
    read = {ecg.tobytes() for batch in itertools.islice(batches(0), 3) for ecg in batch.ecg}
    assert read == {example(number)["ecg"].tobytes() for number in range(18) if number != 8}


@pytest.mark.parametrize(("cut", "left"), [("length", 2), ("end", 5)])
def test_where_the_next_record_begins_may_be_lost(shards, cut, left):
    root, files, starts = shards
    if cut == "length":
        flip(files[1], starts[2])
    else:
        files[1].write_bytes(files[1].read_bytes()[:-10])
    batches = stream(root, batch_size=12 + left)
    assert batches.windows.salvaged.skipped == 6 - left
    assert set(batches.windows.recordings(0)) == numbers(*range(6 + left), *range(12, 18))


def test_a_file_that_ends_early_between_two_records_lacks_the_others(shards):
    root, files, starts = shards
    files[1].write_bytes(files[1].read_bytes()[: starts[4]])
    assert stream(root).windows.salvaged.skipped == 2


def test_a_record_that_is_no_window_is_left_out(tmp_path):
    odd = [*records(0, 3), serialise(example(3, samples=100)), *records(4, 6)]
    write_data_set(tmp_path, "made", {"all": [odd]})
    batches = stream(tmp_path)
    assert batches.windows.salvaged.skipped == 1
    assert "record 4: ecg: expected one value of 4800 bytes" in batches.windows.salvaged.reasons[0]
    assert set(batches.windows.recordings(0)) == numbers(0, 1, 2, 4, 5)


def test_the_order_is_still_a_function_of_seed_and_step(shards):
    root, files, starts = shards
    flip(files[1], starts[2] + 100)
    first, again = stream(root), stream(root)
    assert first.windows.salvaged.folder.path != again.windows.salvaged.folder.path
    whole = [batch.ecg.tobytes() for batch in itertools.islice(first(0), 7)]
    assert [batch.ecg.tobytes() for batch in itertools.islice(again(4), 3)] == whole[4:]


def test_temporary_copies_do_not_outlive_their_use(shards):
    root, files, starts = shards
    flip(files[1], starts[2] + 100)
    before = {path: path.read_bytes() for path in files}
    salvaged = salvage(select(root, "made"))
    folder = salvaged.folder.path
    assert len(list(folder.iterdir())) == 1  # the good shards are not copied
    del salvaged
    assert not folder.exists()
    assert {path: path.read_bytes() for path in files} == before


def test_shards_of_another_run_are_not_taken_for_damage(shards):
    root, files, _ = shards
    info = files[0].parent / "dataset_info.json"
    info.write_text(info.read_text().replace('"6"', '"5"'))
    with pytest.raises(ValueError, match=r"expected 5 examples as dataset_info\.json says, got 6"):
        stream(root)


def test_nothing_left_is_told(tmp_path):
    (file,) = write_data_set(tmp_path, "made", {"all": [records(0, 2)]}).glob("*.tfrecord*")
    flip(file, 0)
    with pytest.raises(ValueError, match=r"all records of made are damaged; the first: .* record 1: wrong"):
        stream(tmp_path)


def test_nothing_at_all_is_told(tmp_path):
    (file,) = write_data_set(tmp_path, "made", {"all": [records(0, 2)]}).glob("*.tfrecord*")
    file.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"all records of made are damaged; the first: {file} is empty"):
        stream(tmp_path)


def test_another_word_is_refused(shards):
    with pytest.raises(ValueError, match=r"data\.on_corrupt: expected one of error, skip, got 'ignore'"):
        stream(shards[0], "ignore")
