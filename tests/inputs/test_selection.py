import dataclasses
import json
from pathlib import Path

import pytest
from made_shards import PREPROCESSING, write_data_set

from coreecg_jax.inputs.selection import select


def make(root: Path, name: str = "ludb", splits: tuple[str, ...] = ("all",), **changes) -> Path:
    return write_data_set(root, name, {split: [[b"x"], [b"y", b"z"]] for split in splits}, **changes)


def names(selection) -> list[str]:
    return [path.name for path in selection.files]


def test_files_stand_in_the_order_of_the_specification_with_their_numbers_of_examples(data_root):
    selection = select(data_root, " ludb , ptbxl:fold2+fold1 ")
    assert names(selection) == [
        "ludb-all.tfrecord-00000-of-00001",
        "ptbxl-fold2.tfrecord-00000-of-00001",
        "ptbxl-fold1.tfrecord-00000-of-00002",
        "ptbxl-fold1.tfrecord-00001-of-00002",
    ]
    assert selection.examples == (7, 11, 20, 19)
    assert selection.num_examples == 57
    assert selection.names == ("ludb", "ptbxl")
    assert selection.preprocessing == PREPROCESSING


@pytest.mark.parametrize("spec", ["ptbxl", "ptbxl:all", "ptbxl:fold1-2+fold10"])
def test_no_split_and_all_mean_every_split_in_natural_order(data_root, spec):
    assert [name.split(".")[0] for name in names(select(data_root, spec))] == [
        "ptbxl-fold1",
        "ptbxl-fold1",
        "ptbxl-fold2",
        "ptbxl-fold10",
    ]


@pytest.mark.parametrize("spec", ["", " ", "ptbxl,", ",", "ptbxl:", "ptbxl:fold1:fold2", "a b", "../ptbxl"])
def test_a_malformed_specification_is_told(data_root, spec):
    with pytest.raises(ValueError, match="expected comma separated NAME"):
        select(data_root, spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mimic", "unknown data set 'mimic'.*there are ludb, ptbxl"),
        ("ptbxl:fold3", "no split 'fold3' with examples: there are fold1, fold2, fold10"),
        ("ptbxl:fold1-3", "no split 'fold3'"),
        ("ptbxl:fold1+", "no split ''"),
        ("ptbxl:fold2-1", "smaller number first"),
        ("ptbxl:fold1-2+fold2", "selects ptbxl:fold2 more than once"),
        ("ludb,ptbxl,ludb", "selects ludb:all more than once"),
    ],
)
def test_wrong_names_are_told_with_what_there_is(data_root, spec, message):
    with pytest.raises(ValueError, match=message):
        select(data_root, spec)


def test_the_newest_version_is_taken_by_number(tmp_path):
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        make(tmp_path, version=version)
    (tmp_path / "ludb" / "2.0.0.incomplete").mkdir()
    assert {path.parent.name for path in select(tmp_path, "ludb").files} == {"1.10.0"}


def test_a_split_without_examples_is_not_there(tmp_path):
    write_data_set(tmp_path, "ludb", {"fold1": [[]], "fold2": [[b"x"], []], "fold3": []})
    assert select(tmp_path, "ludb").examples == (1,)
    with pytest.raises(ValueError, match="'fold1' with examples: there are fold2"):
        select(tmp_path, "ludb:fold1")


def test_a_missing_root_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no data folder"):
        select(tmp_path / "data", "ludb")


@pytest.mark.parametrize("filename", ["dataset_info.json", "preprocessing.json"])
def test_an_incomplete_folder_is_told(tmp_path, filename):
    (make(tmp_path) / filename).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks {filename}"):
        select(tmp_path, "ludb")


def test_a_missing_shard_is_told(tmp_path):
    (make(tmp_path) / "ludb-all.tfrecord-00001-of-00002").unlink()
    with pytest.raises(FileNotFoundError, match="00001-of-00002 is missing"):
        select(tmp_path, "ludb")


@pytest.mark.parametrize("filename", ["dataset_info.json", "preprocessing.json"])
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"splits": [3]}'])
def test_a_file_that_holds_something_else_is_told(tmp_path, filename, text):
    (make(tmp_path) / filename).write_text(text)
    with pytest.raises(ValueError, match=filename):
        select(tmp_path, "ludb")


def test_different_preprocessing_does_not_mix(tmp_path):
    make(tmp_path, "ludb")
    make(tmp_path, "ptbxl", preprocessing=dataclasses.replace(PREPROCESSING, low_pass=35.0))
    with pytest.raises(ValueError, match=r"low_pass is 40\.0 in ludb and 35\.0 in ptbxl"):
        select(tmp_path, "ludb, ptbxl")
    assert select(tmp_path, "ptbxl").preprocessing.low_pass == 35.0


@pytest.mark.parametrize(("seconds", "samples"), [(0.0, 0), (0.29, 29), (1.501, 151), (2.0, 200)])
def test_minimum_length_is_the_next_whole_sample(data_root, seconds, samples):
    assert select(data_root, "ludb").minimum_length(seconds) == samples


@pytest.mark.parametrize("seconds", [-0.1, 2.1, float("nan")])
def test_a_minimum_that_no_window_reaches_is_told(data_root, seconds):
    with pytest.raises(ValueError, match=r"data\.crop_seconds \(or min_seconds\): expected 0 to 2 s"):
        select(data_root, "ludb").minimum_length(seconds)


def test_shards_named_by_tensorflow_datasets_are_understood(tmp_path):
    folder = make(tmp_path)
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"][0] |= {
        "numBytes": "3",
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    assert select(tmp_path, "ludb").num_examples == 3
