"""Data that were prepared again are told by their shards, where their manifest is the same to the byte."""

import pytest
from made_shards import records, write_data_set

from coreecg_jax.inputs.data_digests import digests_of, shard_digests
from coreecg_jax.inputs.selection import select
from coreecg_jax.records.checksums import SUMS, write_sums


@pytest.fixture
def folder(tmp_path):
    folder = write_data_set(tmp_path, "ptbxl", {"fold1": [records(0, 2)], "fold2": [records(2, 4)]})
    write_sums(folder, {})
    return folder


def of(folder, split="fold1"):
    return shard_digests(select(folder.parents[1], f"ptbxl:{split}"))


def change(folder, split):
    (shard,) = folder.glob(f"*-{split}.*")
    shard.write_bytes(shard.read_bytes()[::-1])
    write_sums(folder, {})


def test_it_is_of_the_selected_shards_alone(folder):
    before = {split: of(folder, split)["ptbxl"] for split in ("fold1", "fold2")}
    manifests = select(folder.parents[1], "ptbxl").manifest_digests()
    change(folder, "fold2")
    assert of(folder, "fold1")["ptbxl"] == before["fold1"]
    assert of(folder, "fold2")["ptbxl"] != before["fold2"]
    assert select(folder.parents[1], "ptbxl").manifest_digests() == manifests


def test_where_nobody_wrote_them_there_are_none(folder):
    text = (folder / SUMS).read_text()
    (folder / SUMS).write_text(
        "".join(line for line in text.splitlines(keepends=True) if "fold1" not in line)
    )
    assert (of(folder, "fold1"), list(of(folder, "fold2"))) == ({}, ["ptbxl"])
    (folder / SUMS).unlink()
    assert of(folder, "fold2") == {}


def test_they_stand_beside_the_manifests_by_use(folder):
    train, validation = (select(folder.parents[1], f"ptbxl:{split}") for split in ("fold1", "fold2"))
    said = digests_of(train=train, validation=validation)
    assert said["data"] == {"train": train.manifest_digests(), "validation": train.manifest_digests()}
    assert said["shards"] == {"train": of(folder, "fold1"), "validation": of(folder, "fold2")}
