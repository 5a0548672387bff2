"""Which file a result has, what it says was asked, and what is not written over."""

import dataclasses
import json
import re
import threading

import pytest

from configs.downstream import protocols
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.methods import BESIDE, Run
from coreecg_jax.downstream.result_files import read_report, read_reports, scored_only
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.downstream.tasks import Task
from launch import asked_before, evaluating, telling_fits
from launch.evaluating import Asked, evaluated
from launch.protocol_settings import protocols_of
from launch.restored import encoder_of

SOURCES = ("a", "b", "c")
REPORT = {name: {} for name in ("task", "protocol", "probe", "train", "test", "methods", "scores")}


def asked_by(tmp_path, task, **changes):
    return Asked(task, tmp_path, tmp_path / "openings.jsonl", **changes)


def test_training_from_scratch_is_set_as_fine_tuning_is_unless_told():
    config = protocols.get_config()
    config.finetune.epochs, config.finetune.learning_rate = 30, 3e-3
    found = protocols_of(config)
    assert (found.finetune.epochs, found.scratch.epochs) == (30, 30)
    assert found.scratch.learning_rate == 3e-3
    assert (found.finetune.layer_decay, found.scratch.layer_decay) == (0.75, 1.0)
    config.scratch.epochs = 50
    found = protocols_of(config)
    assert (found.finetune.epochs, found.scratch.epochs) == (30, 50)


@pytest.fixture
def lying(monkeypatch):
    """Data set -> digest of its manifest, of what lies in any folder."""
    there = {source: f"digest of {source}" for source in SOURCES}
    monkeypatch.setattr(evaluating, "manifests_of", lambda root, task: dict(there))
    return there


@pytest.fixture
def held_out(tmp_path, monkeypatch, lying):
    """A task of three sources; which were opened; and at which the machine stops."""
    opened, stops = [], []

    def other_sources(task, root, methods, subset, seal, encoders, *, sources):
        for source in sources:
            opened.append(source)
            yield source, source
            if source in stops:
                raise KeyboardInterrupt

    def report(found, encoders, probe):
        if found == "b":
            raise TooFewRecordings("too few")
        return REPORT | {"encoders": [], "source": found}

    monkeypatch.setattr(evaluating, "other_sources", other_sources)
    monkeypatch.setattr(evaluating, "report", report)
    monkeypatch.setattr(evaluating, "predictions_of", lambda found: found)
    monkeypatch.setattr(evaluating, "write_predictions", lambda found, file: written(file, found))
    monkeypatch.setattr(evaluating, "markdown", lambda numbers: "")
    monkeypatch.setattr(evaluating, "transfer_markdown", lambda reports: ", ".join(reports))
    return asked_by(tmp_path, Task("made", "ptbxl_superclass", sources=SOURCES)), opened, stops


def written(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def settings_with(**fields):
    config = protocols.get_config()
    config.update_from_flattened_dict(fields)
    return protocols_of(config)


def test_names_say_what_is_not_the_default(tmp_path):
    task = Task("made", "ptbxl_superclass", "ptbxl:fold1", test="ptbxl:fold2")
    assert asked_by(tmp_path, task).name("rhythm") == "made_linear"
    asked = asked_by(tmp_path, task, beside=("rival",), development=True, subset=Subset(("I", "II"), 0.1, 2))
    assert asked.name("lead") == "made_linear_leads-I-II_0.1-2_pooling-lead_beside-rival_development"
    changed = settings_with(**{"finetune.epochs": 30, "knn.neighbours": (5, 10)})
    asked = asked_by(tmp_path, task, settings=changed, beside=tuple(reversed(BESIDE)))
    assert asked.name("rhythm") == "made_linear_finetune.epochs-30_neighbours-5-10_scratch.epochs-30"
    many = settings_with(
        **{f"{name}.learning_rate": 0.123456789 for name in ("attention", "finetune", "scratch")}
    )
    names = {asked_by(tmp_path, task, settings=each).name("rhythm") for each in (many, changed)}
    assert len(names) == 2
    assert max(map(len, names)) < 120


def test_a_result_is_not_written_over_by_another_question(tmp_path):
    task = Task("made", "ptbxl_superclass", "ptbxl:fold1", test="ptbxl:fold2")
    before = asked_by(tmp_path, task)
    out = tmp_path / "x.json"
    out.write_text(json.dumps(REPORT | {"asked": before.question(), "encoders": []}))
    other = dataclasses.replace(before, settings=settings_with(**{"scratch.epochs": 30}), development=True)
    said = (
        r"development False there, True asked; settings\.scratch\.epochs 10 there, 30 asked\): name another"
    )
    with pytest.raises(ValueError, match=said):
        evaluated(other, [], out=out)
    out.write_text("{}")
    with pytest.raises(ValueError, match=r"x\.json: expected the JSON that launch\.evaluate writes"):
        evaluated(other, [], out=out)


def test_a_source_that_is_done_is_written_and_not_opened_again(held_out, tmp_path):
    asked, opened, stops = held_out
    stops.append("b")
    with pytest.raises(KeyboardInterrupt):
        evaluated(asked, [])
    file = tmp_path / "evaluations" / "made_linear.json"
    assert {name: each and each["source"] for name, each in scored_only(read_reports(file)).items()} == {
        "a": "a",
        "b": None,
    }
    one = read_report(file.with_suffix("") / "a.json")
    assert one["asked"]["settings"]["finetune"]["epochs"] == 10
    opened.clear()
    stops.clear()
    done = evaluated(asked, [])
    assert opened == ["c"]
    assert done.text == "a, b, c"
    assert list(read_reports(file)) == list(SOURCES)
    with pytest.raises(ValueError, match=r"several sources: name that of one, in .*made_linear: a\.json, c"):
        read_report(file)
    evaluated(asked, [])
    assert opened == ["c"]


def test_with_allow_retest_only_what_was_cut_off_is_asked_again(held_out, capsys):
    asked, opened, stops = held_out
    again = dataclasses.replace(asked, allow_retest=True)
    stops.append("b")
    with pytest.raises(KeyboardInterrupt):
        evaluated(asked, [])
    opened.clear()
    evaluated(again, [])
    assert opened == ["c"]
    evaluated(again, [])
    assert opened == ["c"]
    said = r"was there already: a, b, c in .*made_linear\.json; to ask all again, move that file or name"
    assert re.search(said, capsys.readouterr().out)


def test_other_parameters_are_asked_about_every_source(held_out, tmp_path, monkeypatch):
    asked, opened, _ = held_out
    before = dataclasses.replace(encoder_of("released"), name=str(tmp_path / "run"), bundle={})
    about = {name: getattr(before, name) for name in ("name", "pooling", "digest")}
    monkeypatch.setattr(evaluating, "report", lambda *_, **__: REPORT | {"encoders": [about]})
    evaluated(asked, [before])
    evaluated(asked, [before])
    assert opened == list(SOURCES)
    evaluated(asked, [dataclasses.replace(before, step=2000, digest="of step 2000")])
    assert opened == [*SOURCES, *SOURCES]


def test_methods_tell_what_they_embed_and_keep_it(held_out, tmp_path, monkeypatch):
    asked, _, _ = held_out
    kept, said, told = [], [], threading.Event()

    def compared(encoders, preprocessing, *, store, watch, **settings):
        kept.append(store)

        def fit(train, validation):
            watch(3, 8)
            assert told.wait(60)

        return {"one": (Run("run", fit),)}

    def other_sources(task, root, methods, subset, seal, encoders, *, sources):
        with pytest.raises(AttributeError):  # nothing is fitted
            methods(None)["one"][0].fit([0], None)
        return iter(())

    def tell(line):
        said.append(line)
        if line.endswith("min so far, 3 of 8 recordings embedded"):
            told.set()

    monkeypatch.setattr(evaluating, "compared_methods", compared)
    monkeypatch.setattr(evaluating, "other_sources", other_sources)
    monkeypatch.setattr(telling_fits, "EVERY", 0.01)
    evaluated(asked, [], tell=tell)
    assert kept == [tmp_path / "evaluations" / "features"]
    assert told.is_set()


@pytest.mark.parametrize("name", ["share_0.5", "result"])
def test_a_result_that_is_no_json_file_is_refused_before_anything_is_opened(held_out, tmp_path, name):
    asked, opened, _ = held_out
    with pytest.raises(ValueError, match=rf"--out: expected a file ending in \.json, got .*{name}: name it"):
        evaluated(asked, [], out=tmp_path / name)
    assert not opened


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
    monkeypatch.setattr(evaluating, "_written", lambda found, encoders, asked, *rest: asked.about())
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
    seen.clear()  # nothing was seen: what was allowed made no difference, or cannot be known without scores
    file = evaluated(allowed, [], out=asked.root / "new.json").file
    opened.clear()
    evaluated(asked, [], out=file)
    assert opened == ["c"]
    evaluated(allowed, [], out=file)
    assert opened == ["c"]


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
