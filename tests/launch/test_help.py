"""Every launcher answers --help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAUNCHERS = sorted(
    path.stem
    for path in (ROOT / "launch").glob("*.py")
    if "    run_main(main" in path.read_text(encoding="utf-8")
)
# One process for all, as importing what they share takes most of the time. Each is run as by `python -m`;
# what flags it alone defines are forgotten before the next.
ASK_ALL = """
import contextlib, io, json, os, runpy, sys
from absl import flags

answers = {}
for name in sys.argv[1:]:
    sys.argv = [os.path.abspath(f"launch/{name}.py"), "--help"]
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_module(f"launch.{name}", run_name="__main__", alter_sys=True)
        except SystemExit as exit:
            status = exit.code
    answers[name] = status, out.getvalue(), err.getvalue()
    for flag in flags.FLAGS.flags_by_module_dict().pop(sys.argv[0], ()):
        with contextlib.suppress(AttributeError):  # a config's flags go with it
            delattr(flags.FLAGS, flag.name)
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, tuple[int, str, str]]:
    """Name of a launcher -> status, standard output and standard error."""
    command = [sys.executable, "-c", ASK_ALL, *LAUNCHERS]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_there_are_launchers() -> None:
    assert {"prepare", "pretrain", "evaluate"} <= set(LAUNCHERS)


@pytest.mark.parametrize("name", LAUNCHERS)
def test_help_says_what_it_does_and_names_its_flags(name: str, answers: dict[str, tuple]) -> None:
    status, said, complained = answers[name]
    source = (ROOT / "launch" / f"{name}.py").read_text(encoding="utf-8")
    assert source.split('"""')[1].splitlines()[0] in said
    assert "flags:" in said
    assert complained == ""
    assert status == 1  # as absl has it
