"""A result is written over by the run that went on, not by another of its folder's name."""

import dataclasses
import json
from pathlib import Path

import pytest

from coreecg_jax.downstream.results import unscored
from coreecg_jax.downstream.tasks import Task
from launch import evaluating
from launch.evaluating import Asked, evaluated
from launch.restored import encoder_of
from launch.same_question import require_same_question

FILE = Path("x.json")
QUESTION = {"protocol": "linear"}


def run(folder="a/full_0", **changes):
    return dataclasses.replace(encoder_of("released"), **{"name": folder, "bundle": {}, **changes})


def about(*encoders):
    return {"asked": QUESTION, "encoders": unscored(ValueError(), encoders)["encoders"]}


def of_before(*encoders):
    report = about(*encoders)
    for encoder in report["encoders"]:
        del encoder["training"]
    return report


def test_the_training_tells_not_the_name():
    before = run(settings={"seed": 0})
    later = run(settings={"seed": 0, "data.root": "moved"}, step=3000, digest="later")
    require_same_question(FILE, about(before), QUESTION, [later])
    require_same_question(FILE, about(before), QUESTION, [dataclasses.replace(later, name="moved")])
    other = run("b/full_0", settings={"seed": 1}, digest="other")
    said = r"full_0 by rhythm of training \w{8}'\] there, \['full_0 by rhythm of training \w{8}'\] asked"
    with pytest.raises(ValueError, match=said):
        require_same_question(FILE, about(before), QUESTION, [other])
    with pytest.raises(ValueError, match=r"by rhythm of .* there, .*by lead of .* asked"):
        require_same_question(
            "x.json", about(before), QUESTION, [dataclasses.replace(before, pooling="lead")]
        )
    with pytest.raises(ValueError, match=r"checkpoints .* there"):
        require_same_question(FILE, about(before), QUESTION, [before, other])
    with pytest.raises(ValueError, match=r"checkpoints .* there"):
        require_same_question(FILE, about(before), QUESTION, [encoder_of("released")])
    released = encoder_of("released")
    require_same_question(FILE, about(released), QUESTION, [released])


def test_results_of_before_tell_runs_by_name():
    before = of_before(run(settings={"seed": 0}))
    require_same_question(FILE, before, QUESTION, [run("b/full_0", settings={"seed": 1}, digest="other")])
    with pytest.raises(ValueError, match=r"\['full_0 by rhythm'\] there, \['other by rhythm of training"):
        require_same_question(FILE, before, QUESTION, [run("b/other", settings={"seed": 0})])


def test_a_warning_of_development_is_on_standard_error(tmp_path, monkeypatch, capsys):
    development = {"test": "a of b", "opened_before": 2, "log": "", "failed": "It failed."}
    identities = []
    monkeypatch.setattr(
        evaluating, "develop", lambda task, root, methods, subset, seal: identities.append(seal.identity)
    )
    monkeypatch.setattr(evaluating, "manifests_of", lambda root, task: {})
    monkeypatch.setattr(evaluating, "report", lambda *_, **__: {"development": development})
    monkeypatch.setattr(evaluating, "predictions_of", lambda found: found)
    monkeypatch.setattr(evaluating, "write_predictions", lambda found, file: file.write_text(""))
    monkeypatch.setattr(evaluating, "markdown", lambda numbers: "")
    asked = Asked(Task("made", "codes", "x", test="y"), tmp_path, tmp_path / "log", development=True)
    evaluated(dataclasses.replace(asked, protocol="knn"), [], out=tmp_path / "x.json")
    assert capsys.readouterr().err.splitlines() == [
        "warning: A part of what is scored here was opened as a test 2 times by this run before: what is "
        "chosen by these scores is chosen by that test.",
        "warning: It failed.",
    ]
    assert identities[0]["protocol"] == "linear"  # of the rival alone
    assert json.loads((tmp_path / "x.json").read_text())["development"] == development
