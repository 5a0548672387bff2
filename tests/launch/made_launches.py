"""Launchers as from the command line, started by a process that has imported already what they share.

Importing takes three seconds a launcher. Here one process imports it once and forks for each command; what is
forked runs the module as `python -m` does, and ends as a program does, but for the second in which Python
takes apart what was imported.
"""

import atexit
import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Nothing of these starts a thread, which would not survive a fork, and none of them is a launcher: those
# define flags when they are imported.
SERVER = """
import atexit, gc, json, os, runpy, sys, threading, traceback

import jax, jax.numpy, flax.linen, matplotlib.figure, ml_collections, optax, orbax.checkpoint
import scipy.ndimage, scipy.optimize, scipy.signal, scipy.stats, sklearn.linear_model
import coreecg_jax.downstream.probes, coreecg_jax.export.loading, coreecg_jax.records.prepare
import coreecg_jax.downstream.result_files, coreecg_jax.training.loop

gc.freeze()  # what is there stays: who looks for garbage need not look through it, nor copy it

def command():
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        child = os.fork()
        if not child:
            return asked
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    sys.exit()

module, arguments, out, environment = command()
os.environ.update(environment)
file = os.open(os.devnull, os.O_RDONLY)
os.dup2(file, 0)
for number, name in enumerate(("stdout", "stderr"), 1):
    os.dup2(os.open(os.path.join(out, name), os.O_WRONLY | os.O_CREAT), number)
sys.argv = [os.path.abspath(module.replace(".", "/") + ".py"), *arguments]
status = 0
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
except SystemExit as ended:
    status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    if isinstance(ended.code, str):
        print(ended.code, file=sys.stderr)
except BaseException:
    traceback.print_exc()
    status = 1
threading._shutdown()  # waits for threads, as Python does before it looks for what is to be done at exit
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)
"""


@functools.cache
def _server() -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    server = subprocess.Popen([sys.executable, "-c", SERVER], cwd=ROOT, text=True, **pipes)
    atexit.register(server.kill)
    return server


def launched(module: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `python -m MODULE ARGUMENTS` did, from the folder of the project."""
    server, command = _server(), list(map(str, arguments))
    assert server.stdin
    assert server.stdout
    with tempfile.TemporaryDirectory() as out:
        print(json.dumps([module, command, out, environment]), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        said = [(Path(out) / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
    return subprocess.CompletedProcess([module, *command], status, *said)
