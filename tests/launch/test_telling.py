"""A long stage tells of itself where no bar is seen; a terminal has the bar."""

import io
import json
import sys
import time
from pathlib import Path

import pytest

from launch import telling
from launch.telling import now_and_then, steps_done


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_come_while_it_lasts_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(telling, "EVERY", 0.02)
    asked: list[int] = []

    def how_far() -> str:
        asked.append(1)
        return f"step {len(asked)}"

    with now_and_then(how_far):
        while len(asked) < 3:
            time.sleep(0.01)
    told = len(asked)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["step 1 (0.0 min)", "step 2 (0.0 min)"]
    assert len(lines) == told
    time.sleep(0.1)
    assert len(asked) == told


def test_nothing_where_the_bar_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "EVERY", 0.0)
    monkeypatch.setattr(sys, "stdout", seen := Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    with now_and_then(lambda: "step"):
        time.sleep(0.05)
    assert seen.getvalue() == ""


def test_what_ends_early_tells_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(telling, "EVERY", 0.01)
    with pytest.raises(KeyboardInterrupt), now_and_then(lambda: str(asked.append(1))):
        raise KeyboardInterrupt
    told = len(asked)
    time.sleep(0.05)
    assert len(asked) == told


def test_how_far_a_run_is_stands_in_its_journal(tmp_path: Path) -> None:
    assert steps_done(tmp_path / "absent", 600) == "step 0 of 600: the first is compiled"
    lines = [{"step": 10, "train/loss": 1.23456}, {"step": 10, "validation/loss": 2.0}]
    journal = tmp_path / "metrics.jsonl"
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"step": 20, "tr')
    assert steps_done(tmp_path, 600) == "step 10 of 600, loss 1.235"
    journal.write_text(json.dumps({"step": 30, "train/loss": None}) + "\n")
    assert steps_done(tmp_path, 600) == "step 30 of 600, loss not finite"
