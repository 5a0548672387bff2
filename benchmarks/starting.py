"""Seconds until something that was started can work."""

import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.table import Row, measured

NAME = "start"
REPEATS = 3
COMMANDS = {
    "import jax": ("-c", "import jax"),
    "import coreecg_jax.records.prepare": ("-c", "import coreecg_jax.records.prepare"),
    "import coreecg_jax.method.objective": ("-c", "import coreecg_jax.method.objective"),
    "import coreecg_jax.training.loop": ("-c", "import coreecg_jax.training.loop"),
    "python -m launch.prepare --help": ("-m", "launch.prepare", "--help"),
    "python -m launch.pretrain --help": ("-m", "launch.pretrain", "--help"),
}


def fresh_processes() -> Iterator[Row]:
    """Each command in fresh interpreters; the first, which may read the disk, is not counted."""
    for setting, arguments in COMMANDS.items():
        command = (sys.executable, *arguments)
        failed = _failure(command)
        if failed:
            yield Row(NAME, setting, f"skipped: {failed}")
            continue
        seconds = [_seconds(command) for _ in range(REPEATS)]
        yield measured(NAME, setting, seconds, "s", digits=2)


def _failure(command: tuple[str, ...]) -> str:
    """The last line of a traceback, if there is one; the exit status of absl's --help is 1."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if "Traceback" in done.stderr else ""


def _seconds(command: tuple[str, ...]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=False)
    return time.perf_counter() - start
