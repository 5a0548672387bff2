"""How far it is, where there is no terminal: few lines, each of its own."""

import io
import sys

import pytest

from coreecg_jax.records.progress import EVERY, Lines, shown_progress


def test_a_line_now_and_then_says_how_long_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter([0.0, EVERY / 3, EVERY, 1.5 * EVERY, 2 * EVERY, 9 * EVERY])
    update = Lines(1000, "ward", 100, clock=lambda: next(now))
    for more in (50, 50, 100, 100, 600):
        update(more)
    output = capsys.readouterr()
    # 100 in 30 s, then 300 in 60 s: those that were done before are not counted in the speed.
    assert output.err.splitlines() == [
        "ward: 200 of 1000 recordings, about 4.0 min left",
        "ward: 400 of 1000 recordings, about 2.0 min left",
    ]
    assert output.out == ""


def test_what_is_soon_over_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for total in (3, None):
        with shown_progress(total, "ward") as update:
            for _ in range(3):
                update(1)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    with shown_progress(3, "ward") as update:
        update(3)
    assert "ward: 100%" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
