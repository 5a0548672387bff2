"""One file of the corpus for several processes; threads stand for them, folders for their disks."""

import errno
import os
import tempfile
import threading

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from made_threads import together

from coreecg_jax.inputs import packing
from coreecg_jax.inputs.corpus import load_corpus
from coreecg_jax.inputs.packing import packed, rows_of_shards
from coreecg_jax.inputs.selection import Selection
from coreecg_jax.inputs.together import ALONE
from coreecg_jax.inputs.training_windows import training_windows


@pytest.fixture(scope="module")
def windows(data_root):
    options = {"batch_size": 8, "seed": 3, "min_seconds": 1.5, "shuffle_buffer": 20}
    return training_windows(data_root, "ptbxl, ludb", **options)


@pytest.fixture
def written(monkeypatch):
    """The folders that are written, each as often as it is."""
    folders, write = [], packing._write
    monkeypatch.setattr(packing, "_write", lambda *given: (folders.append(given[0]), write(*given)))
    return folders


def assert_rows(results, windows):
    for result in results:
        assert not isinstance(result, Exception), result
        np.testing.assert_array_equal(list(result(0, 42)), list(rows_of_shards(windows)(0, 42)))


def test_on_a_disk_of_all_one_writes_and_all_read(windows, written, tmp_path):
    folder = tmp_path / "new" / "packed"
    assert_rows(together(4, lambda processes: packed(folder, windows, processes)), windows)
    assert written == [folder]
    assert [path.name for path in folder.parent.iterdir()] == ["packed"]


def test_on_disks_of_the_hosts_one_writes_on_each(windows, written, tmp_path):
    disks = [tmp_path / host / "packed" for host in ("a", "b", "a", "b", "c")]
    assert_rows(together(5, lambda processes: packed(disks[processes.number], windows, processes)), windows)
    assert sorted(written) == sorted(set(disks))


def test_who_has_it_writes_nothing(windows, written, tmp_path):
    disks = [tmp_path / host / "packed" for host in ("a", "b", "b")]
    packed(disks[0], windows, ALONE)
    written.clear()
    disks[0].parent.chmod(0o555)  # nor could it: not even a mark
    for _ in range(2):  # and then nobody does
        results = together(3, lambda processes: packed(disks[processes.number], windows, processes))
        assert_rows(results, windows)
    assert written == [disks[1]]


@pytest.fixture
def read_only(monkeypatch):
    """Processes that may not write, and why; chmod does not stop root."""
    refused, mine, make = {}, threading.local(), tempfile.NamedTemporaryFile

    def mark(**named):
        if (why := refused.get(mine.number)) is not None:
            raise OSError(why, os.strerror(why), named["dir"])
        return make(**named)

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", mark)

    def known(work):
        def run(processes):
            mine.number = processes.number
            return work(processes)

        return run

    return refused, known


@pytest.mark.parametrize("why", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("who", [0, 1])
def test_who_may_not_write_reads_what_another_wrote(windows, written, read_only, tmp_path, who, why):
    refused, known = read_only
    refused[who] = why
    folder = tmp_path / "packed"
    assert_rows(together(3, known(lambda processes: packed(folder, windows, processes))), windows)
    assert written == [folder]
    assert [path.name for path in tmp_path.iterdir()] == ["packed"]


def test_where_who_may_not_write_finds_nothing_all_end(windows, read_only, tmp_path):
    refused, known = read_only
    refused[1] = errno.EROFS
    disks = [tmp_path / host / "packed" for host in ("a", "b")]
    results = together(2, known(lambda processes: packed(disks[processes.number], windows, processes)))
    message = (
        f"{disks[1]} is not there: expected that this process may write it, or another that sees the same "
        f"folder; let one write below {tmp_path}/b, or choose another data.packed"
    )
    assert [(type(error), str(error)) for error in results] == [(FileNotFoundError, message)] * 2


def test_a_manifest_that_one_cannot_read_ends_all(windows, monkeypatch, tmp_path):
    mine, digests = threading.local(), Selection.manifest_digests

    def fail(selection):
        if mine.number == 1:
            raise OSError(errno.EIO, "Input/output error", "manifest")
        return digests(selection)

    def run(processes):
        mine.number = processes.number
        return packed(tmp_path / "packed", windows, processes)

    monkeypatch.setattr(Selection, "manifest_digests", fail)
    results = together(2, run)
    assert [(type(error), error.errno) for error in results] == [(OSError, errno.EIO)] * 2


def test_who_writes_is_waited_for(windows, monkeypatch, tmp_path):
    """Nobody opens what is not yet there: the others are told when it is."""
    folder, events = tmp_path / "packed", []
    write, rows = packing._write, packing._rows
    monkeypatch.setattr(packing, "_write", lambda *given: (write(*given), events.append("written")))
    monkeypatch.setattr(packing, "_rows", lambda *given: (events.append("opened"), rows(*given))[1])
    assert_rows(together(3, lambda processes: packed(folder, windows, processes)), windows)
    assert events == ["written", "opened", "opened", "opened"]


def test_a_disk_that_is_full_ends_all_and_leaves_nothing(windows, monkeypatch, tmp_path):
    disks = [tmp_path / host / "packed" for host in ("a", "b")]

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(packing, "sealed", fail)
    results = together(4, lambda processes: packed(disks[processes.number % 2], windows, processes))
    assert [(type(error), error.errno) for error in results] == [(OSError, errno.ENOSPC)] * 4
    assert not [path for disk in disks for path in disk.parent.iterdir()]


def test_a_folder_that_one_cannot_write_to_ends_all_with_its_name(windows, tmp_path):
    (tmp_path / "b").write_text("a file")
    disks = [tmp_path / host / "packed" for host in ("a", "b")]
    results = together(2, lambda processes: packed(disks[processes.number], windows, processes))
    assert [type(error) for error in results] == [FileExistsError] * 2
    assert {error.filename for error in results} == {str(tmp_path / "b")}


def test_other_windows_on_the_disk_of_one_end_all(windows, data_root, tmp_path):
    disks = [tmp_path / host / "packed" for host in ("a", "b")]
    options = {"batch_size": 8, "seed": 3, "min_seconds": 0.0, "shuffle_buffer": 20}
    packed(disks[1], training_windows(data_root, "ptbxl, ludb", **options))
    for result in together(2, lambda processes: packed(disks[processes.number], windows, processes)):
        assert isinstance(result, ValueError)
        assert str(result).startswith(
            f"{disks[1]} holds other windows (shape, min_length, too_short differ): delete it"
        )


def test_a_shard_that_is_damaged_since_ends_all(windows, monkeypatch):
    """Each reads onto its devices what they will hold."""
    sharding = NamedSharding(Mesh(np.array(jax.devices()[:1]), ("data",)), PartitionSpec(("data",)))
    mine = threading.local()

    def rows_of(_):
        def read(first, stop):
            yield from rows_of_shards(windows)(first, stop)
            if mine.number == 1:
                raise ValueError("x.tfrecord, record 3: wrong checksum")

        return read

    monkeypatch.setattr("coreecg_jax.inputs.corpus.rows_of_shards", rows_of)

    def load(processes):
        mine.number = processes.number
        return load_corpus(windows, sharding, "", processes)

    results = together(2, load)
    assert [str(error) for error in results] == ["x.tfrecord, record 3: wrong checksum"] * 2
