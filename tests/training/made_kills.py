"""A run in a process of its own, killed at a random moment."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from coreecg_jax.training.journal import METRICS_FILE

HERE = Path(__file__).parent
BEFORE = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
import conftest
conftest.pytest_configure(None)
root, workdir = map(Path, sys.argv[1:3])
"""


def run_and_kill(script, root, workdir, *, rows, seconds):
    """Runs a script, which knows `root` and `workdir`, until its journal has `rows`, and for a random part of
    `seconds` more; it must not have ended by then."""
    command = [sys.executable, "-c", BEFORE + script, root, workdir, HERE.parent, HERE]
    child, journal = subprocess.Popen(command), workdir / METRICS_FILE
    while child.poll() is None and not (journal.is_file() and len(journal.read_bytes().splitlines()) >= rows):
        time.sleep(0.02)
    time.sleep(random.uniform(0, seconds))
    child.kill()
    assert child.wait() == -signal.SIGKILL
