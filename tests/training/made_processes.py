"""Real processes on loopback, joined as those of a cluster are."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
JOIN = """
import json, sys
sys.path[:0] = sys.argv[1].split(":")
port, number, count = map(int, sys.argv[2:5])
given = json.loads(sys.argv[5])
from coreecg_jax.training import processes
if count > 1:
    processes.join(coordinator_address=f"localhost:{port}", process_id=number, num_processes=count)
"""


class Ended(NamedTuple):
    """One process."""

    status: int
    said: dict  # the JSON of its last line
    stderr: str


def run_together(script, count, given=None, *, devices=1, timeout=600):
    """How each of `count` processes ends that runs `script` on `devices` CPU devices of its own.

    The script knows `number`, `count` and `given`; with one process nothing is joined.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": str(devices),
        "JAX_NUMPY_RANK_PROMOTION": "raise",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    where = f"{HERE}:{HERE.parent}"
    started = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                JOIN + script,
                where,
                str(port),
                str(number),
                str(count),
                json.dumps(given),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for number in range(count)
    ]
    try:
        outputs = [process.communicate(timeout=timeout) for process in started]
    finally:
        for process in started:
            process.kill()
    return [
        Ended(process.returncode, _last_json(stdout), stderr)
        for process, (stdout, stderr) in zip(started, outputs, strict=True)
    ]


def _last_json(stdout):
    lines = [line for line in stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {}
