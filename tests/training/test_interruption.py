import signal
import socket
import subprocess
import sys

import pytest

from coreecg_jax.training.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted(number):
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert not interruption.asked
        signal.raise_signal(number)
        assert interruption.asked
    assert signal.getsignal(number) is before


def test_the_second_signal_acts():
    # A process started in the background of a shell ignores SIGINT: begin from Python's own handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with Interruption():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


# One process of jax.distributed: what it does with SIGTERM, several do together.
PREEMPTED = """
import os, signal, time
import jax
from coreecg_jax.training.interruption import Interruption
jax.distributed.initialize("localhost:{port}", 1, 0)
with Interruption() as interruption:
    for number in range(1, 600):
        interruption.look()
        if interruption.asked:
            break
        if number == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
print(number, interruption.signal)
jax.distributed.shutdown()
"""


def test_a_preemption_notice_is_found_at_a_step():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", PREEMPTED.format(port=port)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    number, asked = map(int, result.stdout.split())
    assert 3 < number < 599
    assert asked == signal.SIGTERM
