"""Whoever holds a run's folder from another machine may be lost, and is waited for; others are refused."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from made_processes import run_together

from coreecg_jax import locks
from coreecg_jax.locks import locked
from coreecg_jax.training.interruption import Stopped
from coreecg_jax.training.only_run import LOCK, only_run

HERE, ELSEWHERE = (f"process 7 on a\nmachine {machine}\n" for machine in (locks.machine(), "another"))
TOLD = "is locked by process 7 on a, another machine: waiting up to 5 minutes"


@contextlib.contextmanager
def held(workdir: Path, said: str) -> Generator[contextlib.ExitStack]:
    """The lock of a run, whose file says this; closed, it is free."""
    with contextlib.ExitStack() as holding:
        holding.enter_context(locked(workdir / LOCK, str))
        (workdir / LOCK).write_text(said)
        yield holding


class Time:
    """Passes when somebody sleeps, and then calls `then`."""

    def __init__(self, then: Callable[[float], object] = lambda now: None) -> None:
        self.now, self._then = 1000.0, then

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._then(self.now - 1000)


def test_another_machine_is_waited_for_until_it_lets_go(tmp_path: Path, capsys) -> None:
    with held(tmp_path / "run", ELSEWHERE) as holding:
        time = Time(lambda passed: holding.close() if passed >= 90 else None)
        with only_run(tmp_path / "run", clock=time.clock, sleep=time.sleep):
            assert 90 <= time.now - 1000 < 95
            assert locks.machine() in (tmp_path / "run" / LOCK).read_text()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{tmp_path / 'run'} {TOLD}" in told


def test_after_some_minutes_it_is_refused_all_the_same(tmp_path: Path) -> None:
    time = Time()
    with (
        held(tmp_path, ELSEWHERE),
        pytest.raises(BlockingIOError, match=r"one that goes on \(process 7 on a\), which holds"),
        only_run(tmp_path, clock=time.clock, sleep=time.sleep),
    ):
        pass
    assert 300 <= time.now - 1000 < 305


@pytest.mark.parametrize("said", [HERE, "process 7 on a\n", ""], ids=["here", "of before", "unknown"])
def test_this_machine_is_refused_at_once(tmp_path: Path, said: str, capsys) -> None:
    time = Time()
    with held(tmp_path, said), pytest.raises(BlockingIOError), only_run(tmp_path, sleep=time.sleep):
        pass
    assert (time.now, capsys.readouterr().err) == (1000, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_waits_can_be_stopped(tmp_path: Path, number: signal.Signals) -> None:
    time = Time(lambda passed: signal.raise_signal(number))
    before = signal.getsignal(number)
    with (
        held(tmp_path, ELSEWHERE),
        pytest.raises(Stopped, match=f"stopped while it waited for {tmp_path}; nothing was begun") as stopped,
        only_run(tmp_path, clock=time.clock, sleep=time.sleep),
    ):
        pass
    assert (stopped.value.signal, signal.getsignal(number)) == (number, before)


PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell
from coreecg_jax.training.only_run import only_run
from launch.shell import run_main
folder = sys.argv.pop()
run_main(lambda argv: only_run(folder).__enter__())
"""


@pytest.mark.parametrize(
    ("number", "status"),
    [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)],
)
def test_a_program_that_waits_ends_with_the_status_of_its_signal(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with held(tmp_path, ELSEWHERE):
        waiting = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, tmp_path], stderr=subprocess.PIPE, text=True
        )
        assert waiting.stderr
        first = waiting.stderr.readline()
        while TOLD not in first:
            assert first
            first = waiting.stderr.readline()
        waiting.send_signal(number)
        rest = waiting.communicate(timeout=60)[1]
    assert (waiting.returncode, "Traceback" in rest) == (status, False)
    assert rest.endswith(f"stopped while it waited for {tmp_path}; nothing was begun\n")


# Two processes; the lock of another machine is let go of at the fifth turn, or never.
TOGETHER = """
import contextlib, os, signal, time
from pathlib import Path
from coreecg_jax.locks import locked
from coreecg_jax.training.interruption import Interruption, Stopped
from coreecg_jax.training.only_run import LOCK, only_run

def terminate():
    if number == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(2.5)  # until the notice has gone round

folder, holding, turns = Path(given["folder"]), contextlib.ExitStack(), []
if number == 0:
    holding.enter_context(locked(folder / LOCK, str))
    (folder / LOCK).write_text("process 7 on a\\nmachine another\\n")

def sleep(seconds):
    turns.append(seconds)
    if len(turns) == 2 and given["waits"]:
        terminate()
    if len(turns) == 5 and not given["waits"]:
        holding.close()
    time.sleep(0.05)

told = {}
try:
    with only_run(folder, sleep=sleep), Interruption() as interruption:
        terminate()
        for step in range(1, 100):
            if interruption.look():
                told = {"signal": interruption.signal, "step": step}
                break
            time.sleep(0.05)
except Stopped as stopped:
    told = {"signal": stopped.signal, "said": str(stopped)}
print(json.dumps(told | {"turns": len(turns)}))
"""


@pytest.mark.parametrize(
    "waits",
    [pytest.param(True, id="while they wait", marks=pytest.mark.slow), pytest.param(False, id="afterwards")],
)
def test_a_notice_to_one_process_stops_both_at_one_place(tmp_path: Path, waits: bool) -> None:
    """Soon afterwards too: jax keeps one count of looks, and the place to stop at is after the highest."""
    ended = run_together(TOGETHER, 2, {"folder": str(tmp_path), "waits": waits}, timeout=120)
    assert [process.status for process in ended] == [0, 0], ended
    first, second = (process.said for process in ended)
    assert first == second
    assert first["signal"] == signal.SIGTERM
    if waits:
        assert first["said"] == f"stopped while it waited for {tmp_path}; nothing was begun"
    else:
        assert first["turns"] == 5
        assert first["step"] < 5
