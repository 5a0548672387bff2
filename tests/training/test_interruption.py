import signal
import socket
import subprocess
import sys

import pytest

from coreecg_jax.training.interruption import Interruption, ends_at_once


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted(number, capfd):
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert not interruption.asked
        signal.raise_signal(number)
        assert interruption.asked
    assert signal.getsignal(number) is before
    # At once: compiling may take minutes, and a second signal ends the run without saving.
    assert "stopping after the step in hand; the same signal again stops without" in capfd.readouterr().err


def test_the_second_signal_acts():
    # A process started in the background of a shell ignores SIGINT: begin from Python's own handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with Interruption():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


WRITING = """
import atexit, sys, threading, time
from coreecg_jax.training.interruption import ends_at_once
atexit.register(print, "put away")
threading.Thread(target=time.sleep, args=(60,)).start()
with ends_at_once():
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_a_ctrl_c_that_is_not_held_back_waits_for_no_thread():
    command = [sys.executable, "-c", WRITING]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert (result.returncode, result.stdout, result.stderr) == (130, "put away\n", "")


def test_all_else_ends_as_ever():
    with pytest.raises(SystemExit) as end, ends_at_once():
        sys.exit(2)
    assert end.value.code == 2


# One process of jax.distributed: what it does with SIGTERM, several do together.
PREEMPTED = """
import os, signal, sys, time
from pathlib import Path
import jax, numpy as np
from coreecg_jax.training.interruption import Interruption
from coreecg_jax.training.stored import Stored
jax.distributed.initialize("localhost:{port}", 1, 0)
stored = Stored(Path(sys.argv[1]), writes=True)
with Interruption() as interruption:
    for number in range(1, 200):
        interruption.look()
        if interruption.asked:
            break
        if number == 3:
            # The notice comes between a checkpoint of a step far above the looks and the next look.
            stored.save(50_000, {{"kernel": np.ones(4, np.float32)}}, {{"config": {{}}}})
            stored.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(2.5)
        time.sleep(0.02)
print(number, interruption.signal)
stored.close()
jax.distributed.shutdown()
"""


def test_a_preemption_notice_is_found_at_a_step_and_after_a_checkpoint(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", PREEMPTED.format(port=port), str(tmp_path / "last")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    number, asked = map(int, result.stdout.split())
    assert 3 < number < 199
    assert asked == signal.SIGTERM
