"""What a long stage says of itself where no bar can be seen: a line now and then."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

from coreecg_jax.training.journal import read_metrics

EVERY = 60.0  # seconds between two lines


@contextlib.contextmanager
def now_and_then(how_far: Callable[[], str]) -> Generator[None]:
    """Prints how far it is every `EVERY` seconds, unless output and bars are seen on a terminal."""
    if sys.stdout.isatty() and sys.stderr.isatty():
        yield
        return
    with every(EVERY, lambda minutes: print(f"{how_far()} ({minutes:.1f} min)", flush=True)):
        yield


@contextlib.contextmanager
def every(seconds: float, say: Callable[[float], object]) -> Generator[None]:
    """Calls it again and again, from another thread, with the minutes that have gone by."""
    began, ended = time.monotonic(), threading.Event()

    def go_on() -> None:
        while not ended.wait(seconds):
            say((time.monotonic() - began) / 60)

    teller = threading.Thread(target=go_on, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def steps_done(workdir: Path, steps: int) -> str:
    """How far the run is, by its journal."""
    try:
        lines = [line for line in read_metrics(workdir) if "train/loss" in line]
    except (OSError, ValueError):  # there is none yet
        lines = []
    if not lines:
        return f"step 0 of {steps}: the first is compiled"
    loss = lines[-1]["train/loss"]  # None where it was not finite
    return f"step {lines[-1]['step']} of {steps}, loss {'not finite' if loss is None else f'{loss:.4g}'}"
