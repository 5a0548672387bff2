"""What was scored in development is written down, and an opening of a part of it says so."""

import dataclasses
import json
import os

import pytest
from made_cohorts import made_encoder
from made_tasks import TASK, VALIDATED, two_methods

from coreecg_jax.downstream import log_of_openings, results, tables
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.log_of_openings import count_openings
from coreecg_jax.downstream.openings import FILE, Sealed, note_development, open_once
from coreecg_jax.downstream.protocol import Seal, develop, evaluate, other_sources
from coreecg_jax.downstream.same_run import identity_of
from coreecg_jax.downstream.tasks import Task

LABELS, WIDE = "ptbxl_superclass", "ptbxl:fold9-10"


def of(encoders, protocol="linear", **subset):
    return identity_of(encoders, {"leads": ("I", "II"), "fraction": 1.0} | subset, protocol)


def run(number=0):
    return dataclasses.replace(made_encoder(number), settings={"seed": number})


def opened(file, identity, data, *, labels=LABELS, allow=False, **known):
    sealed = Sealed(identity, labels, data, **known)
    return open_once(file, sealed, root=file.parent, predictions="0" * 64, allow_retest=allow)


def noted(file, identity, data, *, labels=LABELS, **known):
    return note_development(file, Sealed(identity, labels, data, **known), root=file.parent)


def counted(file, identity, data):
    """(openings by the run, by all, by the run in other questions, developments) with one more opening."""
    found = opened(file, identity, data)
    return found.number_by_run, found.number_by_all, found.in_other_questions, found.in_development


def test_an_opening_says_how_often_its_run_was_scored_on_a_part_of_it(tmp_path):
    file = tmp_path / FILE
    noted(file, of([run(0)]), "ptbxl:fold9")
    noted(file, of([run(0)], "knn", fraction=0.1), "ptbxl:fold9", labels="ptbxl_form")
    noted(file, of([run(1)]), "ptbxl:fold9")
    noted(file, of([run(0)]), "ptbxl:fold1-8")
    assert counted(file, of([run(0)]), WIDE) == (1, 1, 0, 2)
    assert counted(file, of([run(1)]), WIDE) == (1, 2, 0, 1)
    assert counted(file, of([run(2)]), WIDE) == (1, 3, 0, 0)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["development"] * 4 + ["opening"] * 3
    assert lines[0]["test"] == "ptbxl_superclass of ptbxl:fold9"
    assert lines[4]["in_development"] == 2
    assert count_openings(file) == 3
    assert count_openings(tmp_path / "none") == 0


def test_other_questions_of_one_run_are_counted_and_first_openings_all_the_same(tmp_path):
    file = tmp_path / FILE
    later = dataclasses.replace(run(0), step=200, digest="later")  # one training
    questions = [of([run(0)]), of([later], fraction=0.9999), of([run(0)], "knn")]
    found = [counted(file, one, WIDE) for one in questions]
    assert found == [(1, 1, 0, 0), (1, 2, 1, 0), (1, 3, 2, 0)]
    assert opened(file, of([run(0)]), "ptbxl", labels="ptbxl_form").in_other_questions == 3
    assert counted(file, of([run(1)]), WIDE) == (1, 5, 0, 0)
    last = opened(file, of([run(0)]), WIDE, allow=True)
    assert (last.number_by_run, last.in_other_questions) == (2, 3)


def test_lines_of_before_are_openings_and_count_by_checkpoint(tmp_path):
    file = tmp_path / FILE
    of_before = {name: each for name, each in of([run(0)], "knn").items() if name != "training"}
    file.write_text(json.dumps({"time": "2026", "test": f"{LABELS} of {WIDE}", "identity": of_before}) + "\n")
    assert count_openings(file) == 1
    assert counted(file, of([run(0)]), WIDE) == (1, 2, 1, 0)
    assert noted(file, of([run(0)]), "ptbxl:fold9").opened_before == 2


def test_recordings_under_another_name_are_the_same_test(tmp_path):
    file, identity, sketch = tmp_path / FILE, of([run(0)]), tuple(f"{n:016x}" for n in range(40))
    opened(file, identity, "mine:fold1", recordings=sketch)
    assert counted(file, identity, "mine2") == (1, 1, 0, 0)  # nobody says which recordings
    with pytest.raises(ValueError, match=r"^ptbxl_superclass of mine3: .* as ptbxl_superclass of mine:fold1"):
        opened(file, identity, "mine3", recordings=sketch[:20])
    assert noted(file, identity, "mine3", recordings=sketch[:20]).opened_before == 1
    other = opened(file, identity, "mine3", recordings=("f" * 16,))
    assert (other.number_by_run, other.in_development) == (1, 1)  # by its name
    found = opened(file, of([run(1)]), "mine4", recordings=sketch)
    assert (found.number_by_run, found.number_by_all) == (1, 2)
    assert (
        opened(file, identity, "mine5", recordings=sketch, beside=("mine:fold1", "mine4")).number_by_run == 1
    )


def test_what_was_opened_before_is_said_in_development(tmp_path, data):
    del data
    seal = Seal(tmp_path / FILE, of([run(0)]))
    first = results.report(develop(VALIDATED, tmp_path, two_methods, Subset(), seal), [])
    assert first["development"] == {
        "test": "ptbxl_superclass of validation",
        "opened_before": 0,
        "log": "",
        "failed": "",
    }
    asked = dataclasses.replace(TASK, test="validation")
    numbers = results.report(evaluate(asked, tmp_path, two_methods, Subset(), seal), [])
    assert numbers["development"] is None
    said = "**This run was scored once in development on a part of this test, by these labels or others: what"
    assert said in tables.markdown(numbers)
    again = results.report(develop(VALIDATED, tmp_path, two_methods, Subset(fraction=0.9), seal), [])
    said = "**A part of what is scored here was opened as a test once by this run before**"
    assert said in tables.markdown(again)
    assert said not in tables.markdown(first)
    assert said not in tables.markdown(again | {"development": None})
    del again["development"]  # as results of before
    assert said not in tables.markdown(again)


def test_out_of_fold_the_training_set_is_what_is_scored(tmp_path, data):
    sets, _ = data
    seal = Seal(tmp_path / FILE, of([run(0)]))
    develop(TASK, tmp_path, two_methods, Subset(), seal)
    (line,) = map(json.loads, seal.log.read_text().splitlines())
    assert line["test"] == "ptbxl_superclass of train"
    sets["mine"] = sets["train"]
    asked = Task("made", LABELS, "validation", test="mine")
    assert evaluate(asked, tmp_path, two_methods, Subset(), seal).opening.in_development == 1


def test_the_same_recordings_prepared_again_are_opened_once(tmp_path, data):
    sets, _ = data
    seal = Seal(tmp_path / FILE, of([run(0)]))
    evaluate(TASK, tmp_path, two_methods, Subset(), seal)
    sets["mine"] = dataclasses.replace(sets["test"], source=sets["test"].source.astype("U9"))
    with pytest.raises(ValueError, match=r"opened this test set once before, last on .* as .* of test"):
        evaluate(dataclasses.replace(TASK, test="mine"), tmp_path, two_methods, Subset(), seal)


def test_sources_that_share_recordings_are_all_asked(tmp_path, data):
    sets, _ = data
    sets["test"] = dataclasses.replace(
        sets["test"], signal_hash=sets["train"].signal_hash[: len(sets["test"])]
    )
    task = Task("made", LABELS, sources=("train", "validation", "test"))
    seal = Seal(tmp_path / FILE, of([run(0)]))
    found = dict(other_sources(task, tmp_path, two_methods, Subset(), seal))
    assert [each.opening.number_by_run for each in found.values()] == [1, 1, 1]
    alone = dataclasses.replace(TASK, train="validation")
    with pytest.raises(ValueError, match="opened this test set 2 times before"):  # by name, and by recordings
        evaluate(alone, tmp_path, two_methods, Subset(), seal)


def test_development_goes_on_where_nothing_can_be_written(tmp_path, data, monkeypatch):
    del data
    (tmp_path / "file").write_text("")
    seal = Seal(tmp_path / "file" / FILE, of([run(0)]))
    numbers = results.report(develop(TASK, tmp_path / "file", two_methods, Subset(), seal), [])
    said = f"**This development could not be written down in {seal.log} (File exists): a later opening of"
    assert said in tables.markdown(numbers)
    file = tmp_path / FILE
    opened(file, of([run(0)]), "ptbxl:fold9")

    def full(log, about):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("coreecg_jax.downstream.openings.add_line", full)
    found = noted(file, of([run(0)]), "ptbxl")
    assert (found.opened_before, "(No space left on device): a later" in found.failed) == (1, True)


@pytest.mark.parametrize(
    "damage", ['{"time": "20', '{"time": 1, "test": "a of b", "identity": {}, "kind": 3}']
)
def test_a_damaged_line_stops_no_development_and_every_opening(tmp_path, damage):
    file = tmp_path / FILE
    noted(file, of([run(0)]), "ptbxl:fold9")
    file.write_text(file.read_text() + damage)
    found = noted(file, of([run(0)]), "ptbxl:fold9")
    assert found.opened_before is None
    assert (
        f"It is not known whether this run opened what is scored here as a test: {file}, line 2"
        in found.failed
    )
    assert [line[:8] for line in file.read_text().splitlines()] == ['{"time":'] * 3
    with pytest.raises(ValueError, match="line 2: expected the JSON of an opening or of development"):
        opened(file, of([run(0)]), "ptbxl:fold9")
    assert count_openings(file) == 1  # for caution


def test_bytes_that_are_no_text_damage_their_line_alone(tmp_path):
    file = tmp_path / FILE
    opened(file, of([run(0)]), "ptbxl:fold9")
    file.write_bytes(file.read_bytes() + b"\xff\xfe\n")
    assert f"as a test: {file}, line 2" in noted(file, of([run(0)]), "ptbxl:fold9").failed
    with pytest.raises(ValueError, match="line 2: expected the JSON of an opening"):
        opened(file, of([run(1)]), "ptbxl:fold9")


def test_a_line_that_does_not_fit_on_the_disk_is_not_there_in_part(tmp_path, monkeypatch):
    file, write = tmp_path / FILE, os.write
    noted(file, of([run(0)]), "ptbxl:fold9")
    before = file.read_bytes()

    def full(number, line):
        if len(line) < 60:
            raise OSError(28, "No space left on device")
        return write(number, line[:50])

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        assert "(No space left on device): a later" in noted(file, of([run(0)]), "ptbxl:fold9").failed
    assert file.read_bytes() == before
    opened(file, of([run(1)]), "ptbxl:fold9")


@pytest.mark.parametrize("recordings", [3, [3]])
def test_a_sketch_that_is_none_is_damage(tmp_path, recordings):
    file = tmp_path / FILE
    line = {"time": "2026", "test": f"{LABELS} of x", "identity": {}, "recordings": recordings}
    file.write_text(json.dumps(line))
    with file.open() as log, pytest.raises(ValueError, match="line 1: expected"):
        log_of_openings.read_lines(log, file)


def test_a_log_elsewhere_is_said_in_development(tmp_path, data, seal):
    del data
    elsewhere = results.report(develop(TASK, "root", two_methods, Subset(), seal), [])
    assert f"**Written down in {seal.log}, not in the log beside the data" in tables.markdown(elsewhere)
    beside = dataclasses.replace(seal, log=tmp_path / FILE)
    numbers = results.report(develop(TASK, tmp_path, two_methods, Subset(), beside), [])
    assert "Written down" not in tables.markdown(numbers)
