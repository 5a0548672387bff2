"""Results of several sources that are there already: of these data, this question, and by this code?"""

import dataclasses
import json

import pytest
from made_asking import REPORT, SOURCES, asked_by

from coreecg_jax.downstream.result_files import read_reports
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.downstream.tasks import Task
from launch import asked_before, evaluating
from launch.evaluating import evaluated


def test_sources_that_could_not_be_scored_are_done(held_out, monkeypatch):
    asked, opened, stops = held_out
    monkeypatch.setattr(evaluating, "report", without_scores)
    stops.append("b")
    with pytest.raises(KeyboardInterrupt):
        evaluated(asked, [])
    assert opened == ["a", "b"]
    stops.clear()
    done = evaluated(asked, [])
    assert opened == list(SOURCES)
    assert done.numbers == dict.fromkeys(SOURCES)
    assert {each["no_scores"] for each in read_reports(done.file).values()} == {"too few"}
    done.file.write_text(json.dumps(dict.fromkeys(SOURCES)))  # of before: it does not say who was asked what
    evaluated(asked, [])
    assert opened == [*SOURCES, *SOURCES]


def without_scores(found, encoders, probe):
    raise TooFewRecordings("too few")


def test_results_of_other_data_are_not_those_of_these(held_out, lying, tmp_path):
    asked, opened, _ = held_out
    file = evaluated(asked, []).file
    assert read_reports(file)["a"]["manifests"] == read_reports(file)["b"]["manifests"] == lying
    lying["c"] = "prepared anew"
    opened.clear()
    said = rf"made_linear\.json holds results \(a, c\) of other data: c in {tmp_path} are others of that name"
    for again in (asked, dataclasses.replace(asked, allow_retest=True)):
        with pytest.raises(ValueError, match=said):
            evaluated(again, [])
    assert not opened
    assert evaluated(asked, [], out=tmp_path / "new.json").text == "a, b, c"
    lying["c"] = "digest of c"
    evaluated(asked, [])
    assert opened == list(SOURCES)


def test_a_test_that_is_not_read_need_not_be_there(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluating, "manifests_of", lambda root, task: {task.train: "a", "test": task.test})
    monkeypatch.setattr(evaluating, "develop", lambda *asked: None)
    monkeypatch.setattr(evaluating, "written", lambda found, encoders, asked, *rest: asked.about())
    asked = asked_by(tmp_path, Task("made", "codes", "mine", test="gone"), development=True)
    assert evaluated(asked, [])["manifests"] == {"mine": "a", "test": None}


def test_whether_results_of_before_are_of_these_data_is_not_known_and_told(held_out, lying):
    asked, opened, _ = held_out
    file = evaluated(asked, []).file
    before = {source: {**each} for source, each in read_reports(file).items()}
    for source in ("a", "b"):
        del before[source]["manifests"], before[source]["allow_overlap"]
    file.write_text(json.dumps(before))
    said = "a, b: cannot tell whether these results are of the data that lie there now, as results of before"
    assert evaluated(asked, []).text.startswith(f"a, b, c  \n{said}")
    assert opened == list(SOURCES)
    lying["c"] = "prepared anew"
    with pytest.raises(ValueError, match="of other data: c in"):
        evaluated(asked, [])


def test_a_source_without_scores_is_asked_again_of_other_data(held_out, lying, monkeypatch):
    asked, opened, _ = held_out
    monkeypatch.setattr(evaluating, "report", without_scores)
    evaluated(asked, [])
    evaluated(asked, [])
    assert opened == list(SOURCES)
    lying["c"] = "prepared anew"
    evaluated(asked, [])
    assert opened == [*SOURCES, *SOURCES]


def test_what_was_asked_with_allow_overlap_does_not_stand_for_what_is_asked_without(held_out, monkeypatch):
    asked, opened, _ = held_out
    allowed, seen = dataclasses.replace(asked, allow_overlap=True), {"runs/0": {"recordings": 3}}

    def report(found, encoders, probe):
        if found == "c":
            raise TooFewRecordings("too few")
        about = {"encoders": [], "task": {"test": found}, "pretrained_on_test": seen if found == "b" else {}}
        return REPORT | about

    monkeypatch.setattr(evaluating, "report", report)
    evaluated(allowed, [])
    evaluated(allowed, [])
    assert opened == list(SOURCES)
    said = (
        r"runs/0 was pretrained on 3 recordings of the test \(b\), .*: pretrain without them, or say --allow"
    )
    with pytest.raises(ValueError, match=said):
        evaluated(asked, [])
    seen.clear()  # nothing was seen, and of c there are no scores: what was allowed made no difference
    file = evaluated(allowed, [], out=asked.root / "new.json").file
    opened.clear()
    evaluated(asked, [], out=file)
    assert not opened


def test_results_of_another_version_of_the_code_are_told_of(held_out, monkeypatch):
    asked, opened, _ = held_out

    def report(found, encoders, probe):
        return REPORT | {"encoders": [], "digests": {"code": asked_before.code()}}

    monkeypatch.setattr(evaluating, "report", report)
    monkeypatch.setattr(asked_before, "code", lambda: {"digest": "a" * 64, "commit": "1" * 40})
    assert evaluated(asked, []).text == "a, b, c"
    monkeypatch.setattr(asked_before, "code", lambda: {"digest": "b" * 64, "commit": ""})
    said = "code aaaaaaaa, commit 11111111; this one bbbbbbbb."
    text = evaluated(asked, []).text
    assert text == f"a, b, c  \n**These results are of another version of the code than this one**: {said}"
    assert opened == list(SOURCES)


def test_sources_of_another_question_stay(held_out):
    asked, _, _ = held_out
    file = evaluated(asked, []).file
    other = dataclasses.replace(asked, protocol="knn")
    with pytest.raises(ValueError, match="protocol linear there, knn asked"):
        evaluated(other, [], out=file)
