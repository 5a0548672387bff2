"""Where launchers keep what jax compiles."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_launches import launched

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


@pytest.mark.parametrize("early", ["", pytest.param("import jax", marks=pytest.mark.slow)])
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


@pytest.mark.parametrize(
    "flags",
    [
        ["--distributed"],
        pytest.param(["--coordinator_address=host:1", "--process_id=1"], marks=pytest.mark.slow),
    ],
)
def test_of_several_processes_it_is_the_runs_which_all_of_them_see(tmp_path: Path, flags: list[str]) -> None:
    assert kept_by_pretraining(tmp_path, *flags) == ["run/.cache/jax"]


def test_of_several_processes_too_the_environment_wins(tmp_path: Path) -> None:
    said = str(tmp_path / "said")  # jax, imported before, does not look there; it is not sent elsewhere
    assert kept_by_pretraining(tmp_path, "--distributed", JAX_COMPILATION_CACHE_DIR=said) == []


def test_of_one_process_it_is_the_users(tmp_path: Path) -> None:
    assert kept_by_pretraining(tmp_path) == ["home/coreecg_jax/jax"]


def kept_by_pretraining(tmp_path: Path, *flags: str, **environment: str) -> list[str]:
    """The same of `launch.pretrain`, without its training."""
    said = {"JAX_COMPILATION_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path / "home")} | environment
    arguments = ["--config=configs/tiny.py", f"--workdir={tmp_path / 'run'}", *flags]
    done = launched("tests.launch.made_pretraining", *arguments, **said)
    assert (done.returncode, done.stderr) == (0, "")
    return sorted({str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("*-cache")})
