"""Runs that are killed again and again, at random moments, end as if they had not been: `make soak`."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_runs import assert_same

from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.journal import METRICS_FILE, read_metrics

ROOT = Path(__file__).parents[2]
SPEED = ("train/recordings_per_second", "train/input_wait", "train/mfu")
CHANGES = ("run.steps=40", "run.checkpoint_every=2", "run.validate_every=10")

FOR_TESTS_ONLY = ("JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS")  # tests/conftest.py sets them
# Dispatches of up to two steps: checkpoints are due at each second.
PLACEMENTS = {
    "host": ("run.log_every=1",),
    "device": ("data.placement=device", "run.steps_per_dispatch=2", "run.log_every=2"),
}


def launch(root, workdir, placement="host"):
    changes = (f"data.root={root}", *CHANGES, *PLACEMENTS[placement])
    config = [f"--config.{change}" for change in changes]
    command = [sys.executable, "-m", "launch.pretrain", "--config=configs/tiny.py", *config]
    # The programs that a user runs: those of the tests are compiled without most optimisations.
    as_users_have_it = {name: value for name, value in os.environ.items() if name not in FOR_TESTS_ONLY}
    # Where there is a compile cache, everything is kept in it: most of a short life is compilation.
    quiet = as_users_have_it | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return subprocess.Popen(
        [*command, f"--workdir={workdir}"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=quiet,
    )


def wait_for_its_journal(process, workdir):
    """Until the process has opened the journal, which it does when it has built all and restored."""
    path = workdir / METRICS_FILE

    def when():
        return path.stat().st_mtime_ns if path.is_file() else 0

    before = when()
    while process.poll() is None and when() == before:
        time.sleep(0.01)


def run_to_the_end(root, workdir, placement="host"):
    """The seconds from the first line of the journal on."""
    process = launch(root, workdir, placement)
    wait_for_its_journal(process, workdir)
    start = time.monotonic()
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said
    return time.monotonic() - start


def run_and_signal(root, workdir, seconds, number, placement="host"):
    """Signals that long after the first line of the journal; the exit status, and what it said."""
    process = launch(root, workdir, placement)
    wait_for_its_journal(process, workdir)
    time.sleep(seconds)
    process.send_signal(number)
    said = process.communicate()[1].decode()
    return process.returncode, said


def journal(workdir):
    rows = read_metrics(workdir)
    return [json.dumps({name: row[name] for name in row if name not in SPEED}) for row in rows]


def assert_same_run(workdir, other):
    for which in ("last", "best"):
        ours, theirs = load_parameters(workdir, which), load_parameters(other, which)
        assert ours.step == theirs.step
        assert_same(ours.parameters, theirs.parameters)
    assert journal(workdir) == journal(other)


@pytest.mark.slow
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_killed_again_and_again_is_as_never_killed(root, tmp_path, capsys, placement):
    kills, rng = int(os.environ.get("SOAK", "3")), random.Random()
    whole = tmp_path / "whole"
    # The second may find in the compile cache what the first compiled, as those that are killed do.
    seconds = min(run_to_the_end(root, workdir, placement) for workdir in (whole, tmp_path / "again"))
    done, runs = 0, 0
    while done < kills:
        workdir, left = tmp_path / f"killed_{runs}", rng.randint(1, 10)
        while left and done < kills:
            status, said = run_and_signal(root, workdir, rng.uniform(0, seconds), signal.SIGKILL, placement)
            if status != -signal.SIGKILL:  # it was done before
                assert status == 0, said
                break
            done, left = done + 1, left - 1
        run_to_the_end(root, workdir, placement)
        assert_same_run(workdir, whole)
        runs += 1
        with capsys.disabled():
            print(f"{placement}: {done} kills in {runs} runs: each ended as the run without", flush=True)


@pytest.mark.slow
def test_sigterm_saves_and_exits_with_its_own_status(root, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    seconds = run_to_the_end(root, whole)
    status, said = run_and_signal(root, stopped, seconds / 3, signal.SIGTERM)
    assert status == 143
    assert "; the same command goes on from there" in said
    step = load_parameters(stopped).step
    assert f"stopped at step {step} of 40" in said
    assert step == max(row["step"] for row in read_metrics(stopped))
    run_to_the_end(root, stopped)
    assert_same_run(stopped, whole)
