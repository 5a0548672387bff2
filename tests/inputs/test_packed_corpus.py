"""The file of the corpus alone: no shard is opened, and what is not what was asked for is refused."""

import json
import re
import shutil

import numpy as np
import pytest
from made_shards import example, records, serialise, write_data_set
from made_threads import together

from coreecg_jax.inputs.packed_corpus import (
    ABOUT_FILE,
    NAMES_FILE,
    ROWS_FILE,
    SUMS_FILE,
    checksum,
    found,
    opened,
)
from coreecg_jax.inputs.packing import packed, rows_of_shards
from coreecg_jax.inputs.selection import select
from coreecg_jax.inputs.training_windows import selected, training_windows
from coreecg_jax.records.schema import MANIFEST_FILE

SPEC = "ptbxl:fold1-2, ludb"
REMEDY = "delete the folder, so that it is written from the shards again, or choose another data.packed"


def windows_of(root, folder="", spec=SPEC, **changes):
    options = {"batch_size": 8, "seed": 3, "min_seconds": 1.5, "shuffle_buffer": 20, "packed": folder}
    return training_windows(root, spec, **{**options, **changes})


@pytest.fixture(scope="module")
def shards(data_root):
    return windows_of(data_root)


@pytest.fixture(scope="module")
def written(shards, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "packed"
    packed(folder, shards)
    return folder


@pytest.fixture
def copy(written, tmp_path):
    return shutil.copytree(written, tmp_path / "packed")


@pytest.fixture
def told(data_root, tmp_path):
    """The data sets without their shards."""
    return shutil.copytree(data_root, tmp_path / "told", ignore=shutil.ignore_patterns("*.tfrecord*"))


@pytest.mark.parametrize("where", ["absent", "told"])
def test_without_shards_it_gives_the_batches_that_they_give(
    data_root, shards, written, told, tmp_path, where
):
    root = told if where == "told" else tmp_path / "absent"
    assert selected(root, SPEC, written).manifest_digests() == shards.selection.manifest_digests()
    alone = windows_of(root, written)
    assert alone.selection.preprocessing == shards.selection.preprocessing
    assert (alone.usable, alone.figures) == (shards.usable, {})
    for step in range(2 * shards.order.steps_per_epoch):
        np.testing.assert_array_equal(alone.order.batch(step), shards.order.batch(step))
    assert alone.recordings(5) == shards.recordings(5)
    expected = list(rows_of_shards(shards)(0, shards.usable))
    np.testing.assert_array_equal(list(packed(written, alone)(0, alone.usable)), expected)
    np.testing.assert_array_equal(list(packed(written, alone)(7, 20)), expected[7:20])


def test_no_shard_is_opened_where_the_file_is_there(data_root, written, monkeypatch):
    def opened_it(*_):
        raise AssertionError("a shard was opened")

    monkeypatch.setattr("coreecg_jax.inputs.tfrecord.open", opened_it, raising=False)
    monkeypatch.setattr("coreecg_jax.inputs.examples.read_records", opened_it)
    with pytest.raises(AssertionError):
        windows_of(data_root)
    windows = windows_of(data_root, written)
    assert len(list(packed(written, windows)(0, windows.usable))) == windows.usable


def test_other_windows_are_refused(data_root, written):
    held = "ptbxl:fold1, ptbxl:fold2, ludb"
    message = f"{written} holds the windows of {held}, data.train names ptbxl:fold1, ludb: {REMEDY}"
    with pytest.raises(ValueError, match=re.escape(message)):
        windows_of(data_root, written, "ptbxl:fold1, ludb")
    message = f"{written} holds windows of at least 150 samples, data.crop_seconds asks for 100: {REMEDY}"
    with pytest.raises(ValueError, match=re.escape(message)):
        windows_of(data_root, written, min_seconds=1.0)


def other_manifest(folder):
    (folder / MANIFEST_FILE).write_bytes(b"other recordings")


def other_shards(folder):
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = ["19", "20"]
    (folder / "dataset_info.json").write_text(json.dumps(info))


def other_preprocessing(folder):
    path = folder / "preprocessing.json"
    path.write_text(path.read_text().replace('"low_pass": 40.0', '"low_pass": 35.0'))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (other_manifest, "manifest"),
        (other_shards, "manifest, shards"),  # without a manifest it is the list of shards that is digested
        (other_preprocessing, "preprocessing"),
    ],
)
def test_a_data_set_that_is_another_is_refused(written, told, change, what):
    change(told / "ptbxl" / "1.0.0")
    message = (
        f"{written} was written from other data than there are in {told}: {what} of 'ptbxl' differ; {REMEDY}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        selected(told, SPEC, written)


def test_a_row_that_is_damaged_is_named(data_root, copy):
    rows_RW = np.load(copy / ROWS_FILE, mmap_mode="r+")
    rows_RW[11, 5] ^= 1 << 20
    rows_RW.flush()
    windows = windows_of(data_root, copy)
    read = packed(copy, windows)
    assert len(list(read(0, 11))) == 11
    (name,) = windows.packed.names(np.array([11]))
    message = f"{copy / ROWS_FILE}, row 11 ({name}): wrong checksum; {REMEDY}"
    with pytest.raises(ValueError, match=re.escape(message)):
        list(read(0, 12))


@pytest.mark.parametrize("name", [ROWS_FILE, SUMS_FILE])
def test_a_file_that_is_cut_short_or_missing_is_named(copy, name):
    path, corpus = copy / name, opened(copy)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} is damaged \(.+\); delete the folder"):
        list(corpus.rows(0, 1))
    path.unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(f"{path} is missing; {REMEDY}")):
        list(corpus.rows(0, 1))


def test_files_that_do_not_go_together_are_refused(copy):
    np.save(copy / SUMS_FILE, np.zeros(3, np.uint32))
    with pytest.raises(ValueError, match=r"and as many numbers in checksums\.npy, got \[\d+, 1203\] and 3;"):
        list(opened(copy).rows(0, 1))
    np.save(copy / SUMS_FILE, np.zeros(3))
    with pytest.raises(ValueError, match=r"checksums\.npy: expected uint32, got float64"):
        list(opened(copy).rows(0, 1))


def test_a_folder_that_is_no_corpus_of_this_version_is_refused(tmp_path, copy):
    (tmp_path / "other").mkdir()
    message = f"{tmp_path / 'other'} has no packed.json: expected a corpus that a run wrote there, or nothing"
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        found(tmp_path / "other")
    (copy / ABOUT_FILE).write_text("{}")
    with pytest.raises(ValueError, match=f"expected a corpus of format 2, got 1; {REMEDY}"):
        found(copy)
    (copy / ABOUT_FILE).write_text("{")
    with pytest.raises(ValueError, match=rf"packed\.json is damaged \(.+\); {REMEDY}"):
        found(copy)
    assert found(tmp_path / "absent") is None


def test_damaged_records_that_it_was_written_without_are_said(tmp_path):
    folder = write_data_set(tmp_path, "made", {"all": [records(0, 9), records(9, 18)]})
    shard = min(folder.glob("*.tfrecord*"))
    content = bytearray(shard.read_bytes())
    content[-1000] ^= 1
    shard.write_bytes(content)
    first = windows_of(tmp_path, spec="made", on_corrupt="skip")
    packed(tmp_path / "packed", first)
    again = windows_of(tmp_path, tmp_path / "packed", "made", on_corrupt="skip")
    assert again.figures == first.figures == {"records_skipped": 1}
    np.testing.assert_array_equal(again.order.batch(3), first.order.batch(3))
    assert again.recordings(3) == first.recordings(3)
    message = "packed was written without 1 damaged records: set data.on_corrupt=skip, or mend the shards"
    with pytest.raises(ValueError, match=message):
        windows_of(tmp_path, tmp_path / "packed", "made")


def test_a_name_may_hold_anything(tmp_path):
    write_data_set(
        tmp_path, "made", {"all": [[serialise(example(n, recording_id=f"ä\n{n}")) for n in range(9)]]}
    )
    windows = windows_of(tmp_path, spec="made", min_seconds=0.0)
    packed(tmp_path / "packed", windows)
    assert len((tmp_path / "packed" / NAMES_FILE).read_text().splitlines()) == 9
    alone = windows_of(tmp_path, tmp_path / "packed", "made", min_seconds=0.0)
    assert alone.recordings(0) == windows.recordings(0)


def test_where_one_process_lacks_it_all_read_the_shards(data_root, shards, written, tmp_path):
    folders = [written, tmp_path / "absent"]
    for windows in together(2, lambda one: windows_of(data_root, folders[one.number], processes=one)):
        assert windows.packed is None
        np.testing.assert_array_equal(windows.order.batch(3), shards.order.batch(3))


def test_other_files_on_the_hosts_end_all(data_root, written, tmp_path):
    packed(tmp_path / "packed", windows_of(data_root, min_seconds=0.0))
    folders = [written, tmp_path / "packed"]
    for result in together(2, lambda one: windows_of(data_root, folders[one.number], processes=one)):
        assert isinstance(result, ValueError)
        assert "expected the same in all processes" in str(result)


def test_the_checksum_is_of_all_words():
    row_W = np.arange(9, dtype=np.int32)
    sums = {checksum(row_W + (np.arange(9, dtype=np.int32) == place)) for place in range(9)}
    assert len({checksum(row_W), *sums}) == 10


def test_a_selection_may_be_of_shards_that_are_not_there(data_root, told):
    there, not_there = select(data_root, SPEC), select(told, SPEC, shards=False)
    assert [path.name for path in not_there.files] == [path.name for path in there.files]
    assert not_there.examples == there.examples
    with pytest.raises(FileNotFoundError, match="is missing, named by dataset_info"):
        select(told, SPEC)
