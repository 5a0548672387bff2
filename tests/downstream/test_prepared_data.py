"""What a task is asked of is known by the manifests of its data sets, each once."""

import pytest
from made_shards import records, write_data_set

from coreecg_jax.downstream.prepared_data import manifests_of
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.records.schema import MANIFEST_FILE


def test_manifests_are_of_all_that_a_task_names(tmp_path):
    for name in ("a", "b"):
        write_data_set(tmp_path, name, {"fold1": [records(0, 2, name)], "fold2": [records(2, 4, name)]})
    one = Task("made", "codes", "a:fold1", validation="a:fold2", test="b")
    before = manifests_of(tmp_path, one)
    assert sorted(before) == ["a", "b"]
    assert manifests_of(tmp_path, Task("made", "codes", sources=("a", "b:fold1"))) == before
    (folder,) = (tmp_path / "b").iterdir()
    (folder / MANIFEST_FILE).write_text("another")
    after = manifests_of(tmp_path, one)
    assert (after["a"] == before["a"], after["b"] == before["b"]) == (True, False)
    assert list(manifests_of(tmp_path, Task("made", "codes", "a"))) == ["a"]
    with pytest.raises(ValueError, match="unknown data set 'c'"):
        manifests_of(tmp_path, Task("made", "codes", "a, c"))
