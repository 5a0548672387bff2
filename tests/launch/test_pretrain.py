"""The launcher: a run from the command line, and mistakes that are told in one sentence."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_launches import launched
from made_shards import example, serialise, write_data_set

from coreecg_jax.locks import locked
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.only_run import LOCK


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen windows of 9 to 10 s at 100 Hz."""
    root = tmp_path_factory.mktemp("data")
    records = [serialise(example(number, "made", samples=1000)) for number in range(16)]
    write_data_set(root, "made", {"all": [records]}, preprocessing=Preprocessing(sampling_rate=100.0))
    return root


def launch(data: Path, workdir: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    where = f"--config.data.root={data}", f"--workdir={workdir}"
    # Without XLA's remark, on a busy machine, that it compiles slowly.
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
    return launched("launch.pretrain", "--config=configs/tiny.py", *where, *flags, **quiet)


@pytest.mark.slow
def test_a_run_says_where_it_is_and_nothing_else(data: Path, tmp_path: Path) -> None:
    result = launch(data, tmp_path / "run", "--config.run.steps=3", "--config.mask.mode=time")
    assert result.stderr == ""
    assert result.returncode == 0
    first, rest = result.stdout.split("\n", 1)
    assert first.startswith("devices: ")
    assert rest == (
        f"step 3 of 3 done: {tmp_path / 'run'}\nnext: python -m launch.report --workdir={tmp_path / 'run'}\n"
    )
    loaded = load_parameters(tmp_path / "run")
    assert (loaded.step, loaded.config.mask.mode) == (3, "time")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            "--config.run.probe_task=cure",
            "error: run.probe_task: expected '' or one of chapman, ",
        ),
        (
            "--dry_run --config.run.probe_task=ludb_findings",
            "error: run.probe_task: ludb_findings has no test split, all of it is test, which nothing may be "
            "chosen by before it is asked about: expected '' (with which a run goes on too) or a task with a "
            "split: code15, ",
        ),
        (
            "--config.model.head=3",
            "error: --config.model.head: no such field; did you mean --config.model.heads?",
        ),
    ],
)
def test_mistakes_are_one_sentence(data: Path, tmp_path: Path, flag: str, message: str) -> None:
    result = launch(data, tmp_path / "run", *flag.split())
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.returncode == 2
    assert not (tmp_path / "run").exists()


def test_a_folder_in_which_another_run_goes_on_is_refused_as_it_is(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    writing = run / "checkpoints" / "last" / "7.orbax-checkpoint-tmp"
    with locked(run / LOCK, str):
        writing.mkdir(parents=True)
        (run / "metrics.jsonl").write_text('{"step": 9}\n')
        result = launch(data, run)
        assert (run / "metrics.jsonl").read_text() == '{"step": 9}\n'
        assert writing.is_dir()
        assert sorted(path.name for path in run.iterdir()) == ["checkpoints", LOCK, "metrics.jsonl"]
    assert result.returncode == 2
    holder = f"process {os.getpid()} on {socket.gethostname()}"
    assert result.stderr == (
        f"error: {run} is locked: expected no other run there, got one that goes on ({holder}), which holds "
        f"{run / LOCK}; wait for it, stop it, or choose another --workdir\n"
    )


@pytest.mark.slow
def test_data_that_one_process_does_not_find_end_both_with_the_same_sentence(
    data: Path, tmp_path: Path
) -> None:
    """The one without says it, and the other, which went on, was aborted half a minute later with 134."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = "--config=configs/tiny.py", f"--workdir={tmp_path / 'run'}", "--num_processes=2"
    started = [
        subprocess.Popen(
            [
                sys.executable,
                *("-m", "launch.pretrain", *flags, f"--config.data.root={root}"),
                *(f"--coordinator_address=localhost:{port}", f"--process_id={number}"),
            ],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, root in enumerate((data, tmp_path / "none"))
    ]
    try:
        said = [process.communicate(timeout=300)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [2, 2]
    first, second = ([line for line in text.splitlines() if line.startswith("error: ")] for text in said)
    assert first == second
    assert str(tmp_path / "none") in first[0]
    assert not (tmp_path / "run").exists()


SAVING = """
import runpy, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import orbax.checkpoint as ocp

def never(*_):
    print("saving", flush=True)
    time.sleep(300)

ocp.StandardCheckpointHandler.finalize = never
runpy.run_module("launch.pretrain", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
def test_a_second_ctrl_c_ends_a_run_that_saves_and_says_nothing_of_its_state(
    data: Path, tmp_path: Path
) -> None:
    flags = "--config=configs/tiny.py", f"--config.data.root={data}", f"--workdir={tmp_path / 'run'}"
    one_step = "--config.run.steps=1", "--config.run.validate_every=1", "--config.optimizer.warmup_steps=0"
    process = subprocess.Popen(
        [sys.executable, "-c", SAVING, *flags, *one_step],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        while "saving" not in (line := process.stdout.readline()):
            assert line, process.communicate()[1]
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(2)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGINT
    assert said.endswith("stops without saving\n\ninterrupted\n")
    assert not [path for path in (tmp_path / "run").glob("checkpoints/*/*") if path.name.isdecimal()]
