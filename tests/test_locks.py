"""One process at a time in a folder."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from coreecg_jax.locks import locked

HOLDING = """
import sys, time
from pathlib import Path
from coreecg_jax.locks import locked
with locked(Path(sys.argv[1]), lambda holder: f"refused{holder}"):
    print("held", flush=True)
    time.sleep(300)
"""


def refusal(holder: str) -> str:
    return f"refused{holder}"


def test_what_another_process_holds_is_refused_until_it_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "run" / "lock"
    other = subprocess.Popen([sys.executable, "-c", HOLDING, file], stdout=subprocess.PIPE, text=True)
    assert other.stdout
    try:
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(
                BlockingIOError, match=rf"^refused \(process {other.pid} on {socket.gethostname()}\)$"
            ),
            locked(file, refusal),
        ):
            pass
        assert file.is_file()  # whoever is refused leaves it to its holder
    finally:
        other.kill()
        assert other.wait() == -signal.SIGKILL
        other.stdout.close()
    with locked(file, refusal):
        assert file.read_text().split()[1] == str(os.getpid())


def test_it_is_held_once_in_a_process_too_and_nothing_of_it_stays(tmp_path: Path) -> None:
    file = tmp_path / "runs" / "x" / "lock"
    for _ in range(2):
        with locked(file, refusal), pytest.raises(BlockingIOError, match="refused"), locked(file, refusal):
            pass
        assert list(tmp_path.iterdir()) == []


def test_folders_that_hold_something_or_were_there_stay(tmp_path: Path) -> None:
    with locked(tmp_path / "there" / "lock", refusal):
        (tmp_path / "there" / "metrics").touch()
    (tmp_path / "empty").mkdir()
    with locked(tmp_path / "empty" / "lock", refusal):
        pass
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "empty",
        "there",
        "there/metrics",
    ]


def test_a_folder_that_was_removed_and_begun_anew_is_left_to_who_began_it(tmp_path: Path) -> None:
    file = tmp_path / "run" / "lock"
    with locked(file, refusal):
        file.unlink()
        file.parent.rmdir()
        file.parent.mkdir()
        file.write_text("another's")
    assert file.read_text() == "another's"


def test_where_there_are_no_locks_it_goes_on_and_says_so(tmp_path: Path, monkeypatch, capsys) -> None:
    def none(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with locked(tmp_path / "lock", refusal):
        pass
    told = f"warning: the file system of {tmp_path} has no locks (No locks available): see to it that "
    assert capsys.readouterr().err == f"{told}nothing else works in this folder at the same time\n"
