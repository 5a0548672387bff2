"""The log of test openings counts, refuses, and is never written over."""

import json

import pytest

from coreecg_jax.downstream.openings import open_once

TEST = "ptbxl_superclass of ptbxl:fold10"


def opened(file, run, *, test=TEST, allow=False):
    return open_once(file, identity={"run": run}, test=test, predictions="0" * 64, allow_retest=allow)


def test_each_opening_is_a_line(tmp_path):
    file = tmp_path / "new" / "log.jsonl"
    assert opened(file, 1)[2:4] == (1, 1)
    assert opened(file, 2)[2:4] == (1, 2)
    assert opened(file, 1, test="another")[2:4] == (1, 1)
    assert opened(file, 1, allow=True)[2:4] == (2, 3)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["number_by_run"] for line in lines] == [1, 1, 1, 2]
    assert lines[0]["identity"] == {"run": 1}


def test_a_second_look_leaves_no_line(tmp_path):
    file = tmp_path / "log.jsonl"
    opened(file, 1)
    before = file.read_text()
    with pytest.raises(ValueError, match=r"opened this test set once before.*--allow_retest"):
        opened(file, 1)
    assert file.read_text() == before


def test_what_cannot_be_written_down_is_not_opened(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"the test stays sealed: name another place with --openings"):
        opened(tmp_path / "file" / "log.jsonl", 1)
    damaged = tmp_path / "log.jsonl"
    damaged.write_text("{\n")
    with pytest.raises(ValueError, match="expected JSON lines"):
        opened(damaged, 1)
    assert damaged.read_text() == "{\n"
