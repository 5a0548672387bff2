"""Every launcher answers --help."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAUNCHERS = sorted(
    path.stem
    for path in (ROOT / "launch").glob("*.py")
    if "run_main(main)" in path.read_text(encoding="utf-8")
)


def test_there_are_launchers() -> None:
    assert {"prepare", "pretrain", "evaluate"} <= set(LAUNCHERS)


@pytest.mark.parametrize("name", LAUNCHERS)
def test_help_says_what_it_does_and_names_its_flags(name: str) -> None:
    command = [sys.executable, "-m", f"launch.{name}", "--help"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    source = (ROOT / "launch" / f"{name}.py").read_text(encoding="utf-8")
    assert source.split('"""')[1].splitlines()[0] in result.stdout
    assert "flags:" in result.stdout
    assert result.stderr == ""
    assert result.returncode == 1  # as absl has it
