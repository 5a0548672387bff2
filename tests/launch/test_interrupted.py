"""Ctrl-C where Python throws away what is raised: in a finaliser."""

import signal
import subprocess
import sys

PROGRAM = """
import signal
import time
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


def test_a_ctrl_c_within_a_finaliser_is_not_lost():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (128 + signal.SIGINT, "")
    assert done.stderr == "\ninterrupted\n"
