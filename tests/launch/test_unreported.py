"""A test that was opened and not reported is reported later, without another opening."""

import dataclasses
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made_asking import SOURCES, hold_out, lie
from made_labelled import write_labelled_data
from made_launches import launched

from coreecg_jax.downstream.predictions import read_predictions
from coreecg_jax.downstream.result_files import read_report, read_reports
from launch import evaluating, unreported
from launch.evaluating import Asked, evaluated
from launch.finishing import finished
from launch.known_tasks import known_tasks
from launch.restored import encoder_of
from launch.unreported import kept_unless_reported, read_unreported


class Full(OSError):
    """As of a disk."""


def fails(*_: Any, **__: Any) -> None:
    raise Full("no space left")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_labelled_data(root)
    return root


def rival_alone(data: Path, folder: Path) -> Asked:
    return Asked(known_tasks()["ptbxl_superclass"], data, folder / "openings.jsonl", rival_seeds=(0,))


@pytest.mark.parametrize("what", ["report", "write_predictions", "write_report"])
def test_the_report_is_made_later_without_another_opening(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    asked, out = rival_alone(data, tmp_path), tmp_path / "x.json"
    with monkeypatch.context() as broken:
        broken.setattr(evaluating, what, fails)
        with pytest.raises(Full, match="no space left"):  # as it was raised
            evaluated(asked, [], out=out)
    kept = tmp_path / "x.unreported"
    assert f"--finish={kept}." in capfd.readouterr().err
    assert not out.exists()
    with pytest.raises(
        ValueError, match=r"x\.json: expected a test that was opened .*--finish=.*x\.unreported"
    ):
        evaluated(asked, [], out=out)
    opened = asked.openings.read_text()
    done = finished(kept)
    numbers = read_report(out)
    assert (done.file, json.loads(json.dumps(done.numbers))) == (out, numbers)
    assert numbers["opening"]["number_by_run"] == 1
    assert asked.openings.read_text() == opened
    assert not kept.exists()
    again = evaluated(dataclasses.replace(asked, allow_retest=True), [], out=tmp_path / "y.json")
    assert "reported_by" not in done.numbers  # by the program that fitted
    for name in ("scores", "train", "test", "digests", "versions", "methods", "asked"):
        assert done.numbers[name] == again.numbers[name]
    assert read_predictions(done.predictions).recordings.size == numbers["test"]["recordings"]


def test_what_development_scores_and_too_few_recordings_keep_nothing(tmp_path: Path) -> None:
    for opening, error in ((None, Full("x")), (1, evaluating.TooFewRecordings("x"))):
        found: Any = SimpleNamespace(opening=opening)
        with (
            pytest.raises(type(error)),
            kept_unless_reported(found, [], None, tmp_path / "x.json", {}),
        ):
            raise error
    assert not list(tmp_path.iterdir())


def test_an_interruption_keeps_it_and_the_encoders_are_kept_without_parameters(tmp_path: Path) -> None:
    found: Any = SimpleNamespace(opening=1)
    encoder = encoder_of("released")
    with (
        pytest.raises(KeyboardInterrupt),
        kept_unless_reported(found, [encoder], None, tmp_path / "run" / "x.json", {}),
    ):
        raise KeyboardInterrupt
    kept = read_unreported(tmp_path / "run" / "x.unreported")
    assert kept.encoders[0].network == encoder.network
    assert (kept.encoders[0].digest, kept.encoders[0].pretrained) == (encoder.digest, {})


def test_where_it_cannot_be_kept_beside_the_result_it_is_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(unreported.tempfile, "tempdir", str(tmp_path))
    found: Any = SimpleNamespace(opening=1)
    with pytest.raises(Full), kept_unless_reported(found, [], None, tmp_path / "x.json", {}):
        fails()
    assert [each.name for each in tmp_path.iterdir() if each.is_dir()] == []  # nothing there for nothing
    with pytest.raises(Full), kept_unless_reported(found, [], None, tmp_path / "file" / "x.json", {}):
        fails()
    told = re.search(r"--finish=(\S+)\.\n", capfd.readouterr().err)
    assert told
    assert read_unreported(Path(told[1])).found == found


def test_a_full_folder_for_temporary_files_costs_nothing_and_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(unreported.tempfile, "mkdtemp", fails)
    monkeypatch.setattr(unreported, "_write", lambda each, kept: kept.write_text("kept"))
    found: Any = SimpleNamespace(opening=1)
    with pytest.raises(KeyError), kept_unless_reported(found, [], None, tmp_path / "x.json", {}):
        raise KeyError
    assert (tmp_path / "x.unreported").read_text() == "kept"
    monkeypatch.setattr(unreported, "_write", fails)
    with pytest.raises(KeyError), kept_unless_reported(found, [], None, tmp_path / "x.json", {}):
        raise KeyError
    assert "nothing could be kept (no space left; no space left)" in capfd.readouterr().err


def test_the_code_that_fitted_is_told_and_too_few_recordings_are_an_answer(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, out = rival_alone(data, tmp_path), tmp_path / "x.json"
    with monkeypatch.context() as broken:
        broken.setattr(evaluating, "report", fails)
        made_by = {"code": {"digest": "a" * 64}, "versions": {"jax": "0"}}
        broken.setattr(evaluating, "program", lambda: made_by)
        with pytest.raises(Full):
            evaluated(asked, [], out=out)
    kept = tmp_path / "x.unreported"
    with monkeypatch.context() as broken:
        broken.setattr(evaluating, "report", fails)
        with pytest.raises(Full):
            finished(kept)  # and kept again, as of the program that fitted
    copy = tmp_path / "y.unreported"
    copy.write_bytes(kept.read_bytes())
    numbers = finished(kept).numbers
    assert (numbers["digests"]["code"], numbers["versions"]) == (made_by["code"], made_by["versions"])
    assert numbers["reported_by"] == evaluating.program()
    with monkeypatch.context() as broken:
        broken.setattr(evaluating, "report", too_few)
        with pytest.raises(evaluating.TooFewRecordings):
            finished(copy)
    assert not copy.exists()


def too_few(*_: Any, **__: Any) -> None:
    raise evaluating.TooFewRecordings("no class has 5 positives")


def test_a_source_that_is_finished_later_is_among_those_that_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie(monkeypatch)
    asked, opened, _ = hold_out(tmp_path, monkeypatch)
    with monkeypatch.context() as broken:
        broken.setattr(evaluating, "write_report", fails)
        broken.setattr(unreported, "_keep", lambda each: kept_with_found(each, "a"))
        broken.setattr(evaluating, "predictions_of", lambda _: "")
        broken.setattr(
            evaluating, "other_sources", lambda *_, **__: iter([("a", SimpleNamespace(opening=1))])
        )
        with pytest.raises(Full):
            evaluated(asked, [])
    kept = tmp_path / "evaluations" / "made_linear" / "a.unreported"
    with pytest.raises(ValueError, match=r"got .*a\.unreported"):
        evaluated(asked, [])
    finished(kept)
    together = tmp_path / "evaluations" / "made_linear.json"
    assert list(read_reports(together)) == ["a"]
    evaluated(asked, [])
    assert opened == ["b", "c"]
    assert list(read_reports(together)) == list(SOURCES)


def kept_with_found(each: unreported.Unreported, found: Any) -> None:
    unreported._write(each._replace(found=found), each.file.with_suffix(unreported.SUFFIX))


def test_the_flag_finishes_and_refuses_what_it_is_not(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(evaluating, "report", fails)
        with pytest.raises(Full):
            evaluated(rival_alone(data, tmp_path), [], out=tmp_path / "x.json")
    done = launched("launch.evaluate", f"--finish={tmp_path / 'x.unreported'}")
    assert done.returncode == 0, done.stderr
    assert f"result: {tmp_path / 'x.json'}" in done.stdout
    assert json.loads((tmp_path / "x.json").read_text())["protocol"] == "sealed test"
    both = launched("launch.evaluate", f"--finish={tmp_path / 'x.json'}", "--task=ptbxl_superclass")
    assert both.returncode == 2
    assert "--finish: expected no other flag, as the file says all, got --task" in both.stderr
    other = launched("launch.evaluate", f"--finish={tmp_path / 'x.json'}")
    assert other.returncode == 2
    assert "expected what launch.evaluate kept of a test without a report" in other.stderr
    neither = launched("launch.evaluate")
    assert neither.returncode == 2
    assert "expected --data_root" in neither.stderr
