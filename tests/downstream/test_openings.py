"""The log of test openings counts, refuses, and is never written over."""

import json

import pytest

from coreecg_jax.downstream.openings import FILE, Sealed, open_once, require_sealed


def opened(file, run, *, data="ptbxl:fold10", labels="ptbxl_superclass", allow=False, root="root"):
    identity = run if isinstance(run, dict) else {"run": run}
    sealed = Sealed(identity, labels, data)
    return open_once(file, sealed, root=root, predictions="0" * 64, allow_retest=allow)


def test_each_opening_is_a_line(tmp_path):
    file = tmp_path / "new" / "log.jsonl"
    assert opened(file, 1)[2:4] == (1, 1)
    assert opened(file, 2)[2:4] == (1, 2)
    assert opened(file, 1, data="another")[2:4] == (1, 1)
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


def test_what_to_do_instead_is_what_can_be_done(tmp_path):
    file, choose = tmp_path / "log.jsonl", r"the test is sealed: choose {}, or open it again"
    opened(file, 1)
    for is_split, instead in ((True, "by --development"), (False, "on a task that has a test split")):
        sealed = Sealed({"run": 1}, "ptbxl_superclass", "ptbxl:fold10", is_split)
        with pytest.raises(ValueError, match=choose.format(instead)):
            require_sealed(file, sealed, allow_retest=False)


def test_one_checkpoint_of_several_is_the_same_run(tmp_path):
    file = tmp_path / "log.jsonl"
    opened(file, {"checkpoints": ["a"], "protocol": "linear", "leads": ("I", "II")})
    with pytest.raises(ValueError, match="opened this test set once before"):
        opened(file, {"checkpoints": ["a"], "protocol": "linear", "leads": ("I", "II")})
    assert opened(file, {"checkpoints": ["a"], "protocol": "linear"})[2:4] == (1, 2)
    assert opened(file, {"checkpoints": ["b"], "protocol": "linear"})[2:4] == (1, 3)
    assert opened(file, {"checkpoints": ["a"], "protocol": "knn"})[2:4] == (1, 4)
    with pytest.raises(ValueError, match="opened this test set once before"):
        opened(file, {"checkpoints": ["a", "c"], "protocol": "linear"})
    with pytest.raises(ValueError, match="opened this test set once before"):
        require_sealed(
            file,
            Sealed({"checkpoints": ["b"], "protocol": "linear"}, "ptbxl_superclass", "ptbxl"),
            allow_retest=False,
        )
    assert file.read_text().count("\n") == 4


def test_tests_that_share_a_split_are_one(tmp_path):
    file = tmp_path / "log.jsonl"
    opened(file, 1, data="ptbxl:fold9-10, ludb")
    assert opened(file, 2, data="ptbxl: fold10")[2:4] == (1, 2)
    assert opened(file, 2, data="ptbxl:fold8")[2:4] == (1, 1)
    assert opened(file, 2, data="ludb:fold1")[2:4] == (1, 2)
    assert opened(file, 3, data="ptbxl", labels="ptbxl_form")[2:4] == (1, 4)
    with pytest.raises(ValueError, match="opened this test set once before"):
        opened(file, 1, data="ptbxl:fold9")


def test_what_cannot_be_written_down_is_not_opened(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"the test stays sealed: name another place with --openings"):
        opened(tmp_path / "file" / "log.jsonl", 1)


def test_blank_lines_and_a_lost_end_of_line_do_no_harm(tmp_path):
    file = tmp_path / "log.jsonl"
    opened(file, 1)
    file.write_text(f"\n{file.read_text().rstrip()}\n  \n{file.read_text().rstrip()}")
    assert opened(file, 2)[2:4] == (1, 3)
    assert opened(file, 3)[2:4] == (1, 4)  # each line is whole


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"time": "2026', "Unterminated string"),
        ('{"time": 1, "identity": {}}', "it lacks test"),
        ('{"test": "a of b"}', "it lacks time, identity"),
        ("3", "got int"),
        ('{"time": 1, "identity": {}, "test": "of nothing"}', "data specification: expected"),
        ('{"time": 1, "identity": {}, "test": null}', "NoneType"),
        ('{"time": 1, "identity": 3, "test": "a of b"}', "int"),
        ('{"time": 1, "identity": {"training": [1]}, "test": "a of b"}', "int"),
        ('{"time": 1, "identity": {"training": [{"run": "a", "step": 1}]}, "test": "a of b"}', "described"),
    ],
)
def test_a_damaged_line_is_named_and_left(tmp_path, line, why):
    file = tmp_path / "log.jsonl"
    opened(file, 1)
    file.write_text(before := f"\n{file.read_text()}{line}")
    with pytest.raises(ValueError, match=rf"log\.jsonl, line 3: expected .*{why}.*mend that line alone"):
        opened(file, 2)
    with pytest.raises(ValueError, match=r"log\.jsonl, line 3: expected"):
        require_sealed(file, Sealed({"run": 2}, "ptbxl_superclass", "ptbxl:fold10"), allow_retest=True)
    assert file.read_text() == before


def test_an_opening_names_a_log_that_is_not_the_one_beside_the_data(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    assert opened(root / FILE, 1, root=root).log == ""
    assert opened(tmp_path / "link" / FILE, 2, root=root).log == ""
    for elsewhere in (tmp_path / FILE, root / "fresh.jsonl"):
        assert opened(elsewhere, 1, root=root)[2:6] == (1, 1, "0" * 64, str(elsewhere))
