"""The whole way once, as a stranger runs it: small, and a second time over what is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_launches import launched

ROOT = Path(__file__).parents[2]


def demo(workdir: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "launch.demo", f"--workdir={workdir}", "--recordings=300", "--steps=8"]
    # Without XLA's remark, on a busy machine, that it compiles slowly.
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=quiet)


def test_notes_on_a_source_are_told(tmp_path: Path) -> None:
    """As launch.prepare tells them; here of a source that ends the demo before anything is trained."""
    source = tmp_path / "Ward 3"
    source.mkdir()
    (source / "r.edf").write_bytes(b"no recording")
    (source / "recordings.csv").write_text("file,age\nr.edf,67 y\n")
    done = launched("launch.demo", f"--source={source}", f"--workdir={tmp_path / 'demo'}")
    stage, note, left_out = done.stdout.splitlines()
    assert stage == "1 of 4: recordings become shards"
    assert note.startswith("note: ward_3: recordings.csv: age of 1 recording is no number of years such as ")
    assert left_out.startswith(
        "left out: ward_3: expected a recording that can be read, got 1 refused ones ("
    )
    assert (done.returncode, done.stderr) == (
        2,
        f"error: --source={source}: no recording can be used, for the reasons above\n",
    )


@pytest.mark.slow
def test_from_nothing_to_a_report_and_again(tmp_path: Path) -> None:
    first = demo(tmp_path)
    assert first.returncode == 0, first.stderr
    stages = [line.split(":")[0] for line in first.stdout.splitlines() if " of 4: " in line]
    assert stages == ["1 of 4", "2 of 4", "3 of 4", "4 of 4"]
    assert "simulated_conditions, macro AUROC: untrained encoder 0." in first.stdout
    assert first.stdout.splitlines()[-1] == f"report: {tmp_path / 'report.html'}"
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "random convolutions" in report
    assert "<title>CoRe-ECG demo: simulated recordings</title>" in report
    # Nothing but the progress lines of preparing, where that takes long.
    assert {line.split(":")[0] for line in first.stderr.splitlines()} <= {"simulated"}
    assert "\r" not in first.stderr
    again = demo(tmp_path)
    assert again.returncode == 0
    assert again.stdout.count("was there already") == 2
    assert "nothing to do: all 8 steps" in again.stdout
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == report
