"""Ctrl-C ends a launcher with one line and 130 whenever it comes, also where what it raises is lost."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made_launches import launched

# SIGINT is ignored where the tests run in the background of a shell, and what they start inherits that.
# As runpy has it while `python -m launch.VERB` imports.
IMPORTING = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "-m"
import launch
"""
LOST = """
try:
    signal.raise_signal(signal.SIGINT)
except BaseException:
    pass  # as a library that takes it for a missing part
print("went on")
"""
PROGRAM = """
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)
from launch.shell import run_main

class Finalised:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def main(argv):
    made = Finalised()
    del made
    time.sleep(20)
    print("went on")

run_main(main)
"""


MAIN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from launch.shell import run_main

def main(argv):
    signal.raise_signal(signal.SIGINT)
    print("went on")

run_main(main)
"""
CONFIG = """
import signal

def get_config():
    signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.parametrize(
    "program",
    [IMPORTING + LOST, IMPORTING + MAIN, IMPORTING + PROGRAM, PROGRAM],
    ids=["imports", "main", "finaliser", "finaliser, not by -m"],
)
def test_a_ctrl_c_is_one_line_and_one_status(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (128 + signal.SIGINT, "")
    assert done.stderr == "\ninterrupted\n"


def test_a_ctrl_c_while_flags_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text(CONFIG)
    done = launched("launch.overfit", f"--config={tmp_path / 'config.py'}")
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, "", "\ninterrupted\n")


def test_who_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    """A program that a shell started in the background."""
    program = IMPORTING.replace(
        "import launch", "signal.signal(signal.SIGINT, signal.SIG_IGN)\nimport launch"
    )
    done = subprocess.run([sys.executable, "-c", program + LOST], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")
