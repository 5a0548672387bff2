"""Which code a run is of: of git only what git knows, of an image what it was built from, else the files."""

import shutil
import subprocess
from pathlib import Path

import pytest

from coreecg_jax.training import own_code
from coreecg_jax.training.own_code import COMMIT_VARIABLE, commit_of, version_of_code

NOBODY = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "-c", "commit.gpgsign=false")


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", "-C", folder, *NOBODY, *command], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in a repository that tracks another file only."""
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    monkeypatch.delenv(COMMIT_VARIABLE, raising=False)
    git(tmp_path, "init", "--quiet")
    (tmp_path / "stranger.py").touch()
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("one = 1\n")
    git(tmp_path, "add", "stranger.py")
    git(tmp_path, "commit", "--quiet", "--message=not ours")
    return tmp_path / "package"


def test_a_repository_that_does_not_track_the_package_is_a_strangers(package, monkeypatch):
    assert commit_of(package.parent, ("package",)) == ""
    monkeypatch.setenv(COMMIT_VARIABLE, "abc+\n")
    assert commit_of(package.parent, ("package",)) == "abc+"


def test_the_commit_is_that_of_git_with_a_plus_where_code_differs(package, monkeypatch):
    monkeypatch.setenv(COMMIT_VARIABLE, "of an image")
    folder = package.parent
    git(folder, "add", "package")
    git(folder, "commit", "--quiet", "--message=ours")
    commit = git(folder, "rev-parse", "HEAD")
    (package / "notes.txt").touch()
    (folder / "beside.py").touch()  # no part of it
    assert commit_of(folder, ("package",)) == commit
    (package / "new.py").touch()
    assert commit_of(folder, ("package",)) == f"{commit}+"
    (package / "new.py").unlink()
    (package / "module.py").write_text("one = 2\n")
    assert commit_of(folder, ("package",)) == f"{commit}+"


def test_without_git_and_variable_the_files_say_it(package, monkeypatch):
    (package.parent / own_code.PACKAGE).symlink_to(package, target_is_directory=True)
    monkeypatch.setattr(own_code, "root", lambda: package.parent)
    monkeypatch.setenv("PATH", "")
    before = version_of_code()
    assert before.startswith("digest ")
    assert version_of_code() == before
    (package / "module.py").write_text("one = 2\n")
    assert version_of_code().startswith("digest ")
    assert version_of_code() != before
    monkeypatch.setenv(COMMIT_VARIABLE, "a" * 40)
    assert version_of_code() == "a" * 40
