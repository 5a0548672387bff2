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
    opened,
    sealed,
)
from coreecg_jax.inputs.packing import packed, rows_of_shards
from coreecg_jax.inputs.selection import select
from coreecg_jax.inputs.training_windows import selected, training_windows
from coreecg_jax.records.schema import MANIFEST_FILE

SPEC = "ptbxl:fold1-2, ludb"
AGAIN = "delete the folder, so that it is written from the shards again, or copy it again"
ANOTHER = "or choose another data.packed, where it is written from the shards"


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
    message = (
        f"{written} holds the windows of {held}, data.train names ptbxl:fold1, ludb: set data.train to what "
        f"it holds, {ANOTHER}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        windows_of(data_root, written, "ptbxl:fold1, ludb")
    message = (
        f"{written} holds windows of at least 150 samples, data.crop_seconds asks for 100: set it as it was, "
        f"{ANOTHER}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        windows_of(data_root, written, min_seconds=1.0)


def other_manifest(folder):
    (folder / MANIFEST_FILE).write_bytes(b"other recordings")


def changed_info(folder, change):
    info = json.loads((folder / "dataset_info.json").read_text())
    change(info["splits"])
    (folder / "dataset_info.json").write_text(json.dumps(info))


def other_shards(folder):
    changed_info(folder, lambda splits: splits[0].update(shardLengths=["19", "20"]))


def fewer_shards(folder):
    changed_info(folder, lambda splits: splits[0].update(shardLengths=["39"]))


def other_preprocessing(folder):
    path = folder / "preprocessing.json"
    path.write_text(path.read_text().replace('"low_pass": 40.0', '"low_pass": 35.0'))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (other_manifest, "manifest"),
        (other_shards, "manifest, shards"),  # without a manifest it is the list of shards that is digested
        (fewer_shards, "manifest, shards"),
        (other_preprocessing, "preprocessing"),
    ],
)
def test_a_data_set_that_is_another_is_refused(written, told, change, what):
    change(told / "ptbxl" / "1.0.0")
    message = (
        f"{written} was written from other data than there are in {told}: {what} of 'ptbxl' differ; "
        f"set data.root to those data, {ANOTHER}"
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
    where = f"{copy / ROWS_FILE}, row 11"
    with pytest.raises(ValueError, match=re.escape(f"{where} ({name}): wrong checksum; {AGAIN}")):
        list(read(0, 12))
    (copy / NAMES_FILE).unlink()  # since it was opened
    with pytest.raises(ValueError, match=re.escape(f"{where} (its name cannot be read): wrong checksum")):
        list(read(0, 12))


@pytest.mark.parametrize("name", [ROWS_FILE, SUMS_FILE, NAMES_FILE, ABOUT_FILE])
def test_a_file_that_is_cut_short_or_missing_is_named_at_once(copy, name):
    path = copy / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} is damaged \(.+\); {AGAIN}"):
        opened(copy)
    path.unlink()
    missing = f"{copy} has no packed.json" if name == ABOUT_FILE else f"{path} is missing; {AGAIN}"
    with pytest.raises(FileNotFoundError, match=re.escape(missing)):
        opened(copy)


def test_names_that_are_lost_since_are_told(copy):
    corpus, path = opened(copy), copy / NAMES_FILE
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} is damaged \(no name of row 5\); {AGAIN}"):
        corpus.names(np.array([3, 7, 5]))
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"recordings.jsonl is missing; {AGAIN}"):
        corpus.names(np.array([3]))


def test_files_of_two_corpora_do_not_go_together(copy, data_root, tmp_path):
    packed(tmp_path / "other", windows_of(data_root, spec="ludb", min_seconds=0.0, batch_size=2))
    for name in (SUMS_FILE, NAMES_FILE):
        shutil.copy(copy / name, tmp_path / "kept")
        shutil.copy(tmp_path / "other" / name, copy / name)
        with pytest.raises(ValueError, match=f"{name} is damaged \\(it has another digest than it had\\)"):
            opened(copy)
        shutil.copy(tmp_path / "kept", copy / name)
    shutil.copy(tmp_path / "other" / ROWS_FILE, copy / ROWS_FILE)
    with pytest.raises(ValueError, match=r"rows\.npy: expected int32 \(\d+, 1203\), got int32 \(7, 1203\)"):
        opened(copy)


def test_a_folder_that_is_no_corpus_of_this_version_is_refused(tmp_path, copy):
    (tmp_path / "other").mkdir()
    message = f"{tmp_path / 'other'} has no packed.json: expected a corpus that a run wrote there, or nothing"
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        opened(tmp_path / "other")
    about = copy / ABOUT_FILE
    said = about.read_text()
    for other in ("{}", "[]", "null", '{"shape": [1, 2], "data": {}}'):
        about.write_text(other)
        with pytest.raises(ValueError, match=f"expected a corpus of format 2, got another; {AGAIN}"):
            opened(copy)
    about.write_text(said.replace('"too_short": [', '"too_short": [0, '))
    with pytest.raises(ValueError, match=rf"packed\.json is damaged \(.+\); {AGAIN}"):
        opened(copy)
    later = opened_about(said) | {"format": 3}
    about.write_text(sealed(copy, later))
    with pytest.raises(ValueError, match=f"expected a corpus of format 2, got 3; {AGAIN}"):
        opened(copy)


def opened_about(text):
    return json.loads(text)["about"]


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
    message = "packed was written without 1 damaged records: set data.on_corrupt=skip, or mend the shards and"
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
        message = (
            r"the corpus in .+: expected the same in all processes, got one of SHA-256 \w{12} in process 0 "
            r"and one of SHA-256 \w{12} in process 1"
        )
        assert re.fullmatch(message, str(result))


def test_what_is_wrong_with_the_file_of_one_ends_all(data_root, written, copy, tmp_path):
    """Before the one that lacks it reads the shards, and where its own data set is another."""
    (copy / SUMS_FILE).unlink()
    for first in (written, tmp_path / "absent"):
        folders = [first, copy]
        results = together(2, lambda one, its=folders: windows_of(data_root, its[one.number], processes=one))
        assert [str(error) for error in results] == [f"{copy / SUMS_FILE} is missing; {AGAIN}"] * 2
    other = shutil.copytree(data_root, tmp_path / "data")
    other_preprocessing(other / "ptbxl" / "1.0.0")
    roots = [data_root, other]
    results = together(2, lambda one: windows_of(roots[one.number], written, processes=one))
    assert len({str(error) for error in results}) == 1
    assert "preprocessing of 'ptbxl' differ" in str(results[0])


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
