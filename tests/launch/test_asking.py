"""Which file a result has, what it says was asked, and what is not written over."""

import dataclasses
import json
import re
import threading

import pytest
from made_asking import REPORT, SOURCES, asked_by

from configs.downstream import protocols
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.methods import BESIDE, Run
from coreecg_jax.downstream.result_files import read_report, read_reports, scored_only
from coreecg_jax.downstream.tasks import Task
from launch import evaluating, telling_fits
from launch.evaluating import evaluated
from launch.protocol_settings import protocols_of
from launch.restored import encoder_of


def test_training_from_scratch_is_set_as_fine_tuning_is_unless_told():
    config = protocols.get_config()
    config.finetune.patience, config.finetune.learning_rate = 30, 3e-3
    found = protocols_of(config)
    assert (found.finetune.patience, found.scratch.patience) == (30, 30)
    assert found.scratch.learning_rate == 3e-3
    assert found.scratch.epochs > found.finetune.epochs  # it starts from nothing
    assert (found.finetune.layer_decay, found.scratch.layer_decay) == (0.75, 1.0)
    config.scratch.patience = 50
    found = protocols_of(config)
    assert (found.finetune.patience, found.scratch.patience) == (30, 50)


def settings_with(**fields):
    config = protocols.get_config()
    config.update_from_flattened_dict(fields)
    return protocols_of(config)


def test_names_say_what_is_not_the_default(tmp_path):
    task = Task("made", "ptbxl_superclass", "ptbxl:fold1", test="ptbxl:fold2")
    assert asked_by(tmp_path, task).name("rhythm") == "made_linear"
    asked = asked_by(tmp_path, task, beside=("rival",), development=True, subset=Subset(("I", "II"), 0.1, 2))
    assert asked.name("lead") == "made_linear_leads-I-II_0.1-2_pooling-lead_beside-rival_development"
    changed = settings_with(**{"finetune.patience": 30, "knn.neighbours": (5, 10)})
    asked = asked_by(tmp_path, task, settings=changed, beside=tuple(reversed(BESIDE)))
    assert asked.name("rhythm") == "made_linear_finetune.patience-30_neighbours-5-10_scratch.patience-30"
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
        r"development False there, True asked; settings\.scratch\.epochs 40 there, 30 asked\): name another"
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
