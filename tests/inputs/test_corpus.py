import itertools
import json
import subprocess
import sys

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from made_shards import records, write_data_set

from coreecg_jax.inputs import corpus
from coreecg_jax.inputs.corpus import load_corpus, make_draw, require_room
from coreecg_jax.inputs.packing import ABOUT_FILE, packed, padded_words_of, rows_of_shards, words_of
from coreecg_jax.inputs.pipeline import Stream
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.inputs.training_windows import training_windows

ALL = "ptbxl, ludb"


def windows_of(root, spec=ALL, **changes):
    options = {"batch_size": 8, "seed": 3, "min_seconds": 1.5, "shuffle_buffer": 20}
    return training_windows(root, spec, **{**options, **changes})


def sharding_of(data, fsdp=1):
    devices = np.array(jax.devices()[: data * fsdp]).reshape(data, fsdp)
    mesh = Mesh(devices, ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2)
    return NamedSharding(mesh, PartitionSpec(("data", "fsdp")))


def stacked(read, first, stop):
    return np.stack(list(read(first, stop)))


@pytest.mark.parametrize(("data", "fsdp", "readers"), [(1, 1, 1), (8, 1, 1), (2, 4, 2)])
def test_a_batch_is_that_of_the_stream_over_several_epochs(data_root, data, fsdp, readers):
    windows, sharding = windows_of(data_root, readers=readers), sharding_of(data, fsdp)
    loaded, draw = load_corpus(windows, sharding), jax.jit(make_draw(sharding, 200))
    steps = 2 * windows.order.steps_per_epoch + 2
    for step, expected in enumerate(itertools.islice(Stream(windows)(0), steps)):
        got = draw(loaded.rows, loaded.row_of[windows.order.batch(step)])
        for name, one, other in zip(got._fields, got, expected):
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one, other, err_msg=name)
        assert got.ecg.sharding.is_equivalent_to(sharding, 3)


def test_each_device_holds_its_part_only(data_root):
    windows, sharding = windows_of(data_root), sharding_of(8)
    rows = load_corpus(windows, sharding).rows
    assert rows.shape == (48, padded_words_of(200))  # 42, filled up to a multiple of 8
    assert {shard.data.shape for shard in rows.addressable_shards} == {(6, padded_words_of(200))}
    assert corpus.bytes_on_each(windows, sharding) == 6 * padded_words_of(200) * 4
    assert not np.asarray(rows)[42:].any()


@pytest.mark.parametrize("from_file", [False, True])
def test_no_more_than_a_chunk_is_on_the_host_at_once(data_root, tmp_path, monkeypatch, from_file):
    windows, sharding = windows_of(data_root), sharding_of(2)
    monkeypatch.setattr(corpus, "_CHUNK_BYTES", 5 * 4 * padded_words_of(200))
    chunks, written = [], corpus._written

    def noting(rows, chunk, number):
        chunks.append((int(number), len(chunk)))
        return written(rows, chunk, number)

    monkeypatch.setattr(corpus, "_written", noting)
    loaded = load_corpus(windows, sharding, tmp_path / "packed" if from_file else "")
    assert chunks == [(0, 5), (5, 5), (10, 5), (15, 5), (20, 1)] * 2  # 21 on each device
    rows = np.asarray(loaded.rows)
    np.testing.assert_array_equal(rows[:, : words_of(200)], stacked(rows_of_shards(windows), 0, 42))
    assert not rows[:, words_of(200) :].any()


def test_rows_are_those_of_the_reader_wherever_the_range_begins(data_root):
    recordings = read_recordings(data_root, ALL, min_seconds=1.5)
    read = rows_of_shards(windows_of(data_root))
    whole = stacked(read, 0, 42)
    samples = whole[:, :-3].copy().view("<i2").reshape(42, 12, 200)
    np.testing.assert_array_equal(samples, recordings.ecg)
    np.testing.assert_array_equal(whole[:, -3], recordings.length)
    np.testing.assert_array_equal(whole[:, -2].view(np.uint32), recordings.patient_key)
    for first, stop in ((0, 1), (13, 29), (30, 42)):
        np.testing.assert_array_equal(stacked(read, first, stop), whole[first:stop])


def test_only_shards_that_hold_some_of_the_rows_are_read(tmp_path):
    folder = write_data_set(tmp_path, "made", {"all": [records(0, 5), records(5, 10), records(10, 15)]})
    windows = windows_of(tmp_path, "made", min_seconds=0.0)
    first, _, last = sorted(folder.glob("*.tfrecord*"))
    first.unlink()
    last.unlink()
    assert len(list(rows_of_shards(windows)(5, 10))) == 5
    with pytest.raises(FileNotFoundError):
        list(rows_of_shards(windows)(4, 10))


def test_the_file_of_rows_is_written_once_and_read_instead_of_the_shards(data_root, tmp_path, monkeypatch):
    windows, folder = windows_of(data_root), tmp_path / "some" / "packed"
    expected = stacked(rows_of_shards(windows), 0, 42)
    np.testing.assert_array_equal(stacked(packed(folder, windows), 0, 42), expected)
    assert [path.name for path in folder.parent.iterdir()] == ["packed"]
    monkeypatch.setattr("coreecg_jax.inputs.packing.rows_of_shards", None)
    np.testing.assert_array_equal(stacked(packed(folder, windows), 3, 40), expected[3:40])


def test_what_a_killed_packing_left_is_in_nobodys_way(data_root, tmp_path, monkeypatch):
    """In containers all processes have one number, also the one before."""
    monkeypatch.setattr("os.getpid", lambda: 1)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # a kill tidies nothing
    windows = windows_of(data_root)
    with monkeypatch.context() as killed:
        killed.setattr("os.rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            packed(tmp_path / "packed", windows)
    assert len(list(tmp_path.glob("packed.new.*"))) == 1
    assert len(stacked(packed(tmp_path / "packed", windows), 0, 42)) == 42
    assert (tmp_path / "packed").stat().st_mode & 0o777 == 0o755


def test_a_file_of_other_windows_is_refused(data_root, tmp_path):
    packed(tmp_path / "packed", windows_of(data_root))
    with pytest.raises(
        ValueError, match=r"packed holds other windows \(shape, min_length, too_short differ\): delete"
    ):
        packed(tmp_path / "packed", windows_of(data_root, min_seconds=0.0))


def test_a_file_that_cannot_be_written_whole_is_not_there(data_root, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dumps", fail)
    with pytest.raises(OSError, match="No space"):
        packed(tmp_path / "packed", windows_of(data_root))
    assert not any(tmp_path.iterdir())
    assert not (tmp_path / "packed" / ABOUT_FILE).exists()


def test_a_corpus_that_does_not_fit_is_refused_with_sizes(data_root, monkeypatch):
    windows, sharding = windows_of(data_root), sharding_of(8)
    require_room(windows, sharding)
    monkeypatch.setattr(corpus, "free_bytes", lambda device: 10_000)
    message = r"data\.placement: expected a corpus that fits, got 42 windows of 0\.00 GB on each of 8 devices"
    with pytest.raises(ValueError, match=message):
        require_room(windows, sharding)


def test_it_needs_no_tensorflow(data_root):
    code = (
        "import sys; from coreecg_jax.inputs.training_windows import training_windows; "
        "from coreecg_jax.inputs.corpus import make_draw; "
        "from coreecg_jax.inputs.packing import rows_of_shards; "
        f"windows = training_windows({str(data_root)!r}, 'ludb', batch_size=2, seed=0, min_seconds=1.5, "
        "shuffle_buffer=3); windows.order.batch(5); list(rows_of_shards(windows)(0, 3)); "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
