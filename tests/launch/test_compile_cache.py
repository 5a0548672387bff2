"""Where launchers keep what jax compiles."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A launcher that compiles something. With and without jax at its start: some import it late.
LAUNCHER = """
import sys
{early}
from launch.shell import run_main

def main(argv):
    import jax
    jax.jit(lambda x: x + 1)(1.0)

run_main(main)
"""


def kept(tmp_path: Path, *arguments: str, early: str = "", **environment: str) -> list[str]:
    """Folders below `tmp_path` with compiled programs in them, when the launcher has ended."""
    unset = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    smallest = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER.format(early=early), *arguments],
        cwd=ROOT,
        env=unset | smallest | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted({str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("*-cache")})


@pytest.mark.parametrize("early", ["", "import jax"])
def test_it_is_below_the_users_cache(tmp_path: Path, early: str) -> None:
    assert kept(tmp_path, early=early, XDG_CACHE_HOME=str(tmp_path)) == ["coreecg_jax/jax"]


def test_it_is_where_the_environment_says(tmp_path: Path) -> None:
    said = {"XDG_CACHE_HOME": str(tmp_path / "a"), "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "b")}
    assert kept(tmp_path, **said) == ["b"]


def test_it_is_nowhere_where_it_is_not_wanted(tmp_path: Path) -> None:
    said = {"XDG_CACHE_HOME": str(tmp_path / "a"), "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "b")}
    assert kept(tmp_path, "--nocompile_cache", **said) == []


def test_a_home_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert kept(tmp_path, XDG_CACHE_HOME=str(tmp_path / "file")) == []
