"""How far a long work on recordings is: a bar on a terminal, elsewhere a line now and then."""

import contextlib
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

from tqdm import tqdm

EVERY = 30.0  # seconds between two lines


@contextlib.contextmanager
def shown_progress(total: int | None, name: str, done: int = 0) -> Generator[Callable[[int], Any]]:
    """A function that is told of each so many recordings more; what it shows goes to standard error.

    Args:
      total: recordings in all; None: nothing is shown.
      name: of what is done.
      done: recordings that were done before, not counted in the speed.
    """
    if total is None:
        yield lambda more: None
        return
    if not sys.stderr.isatty():
        yield Lines(total, name, done)
        return
    # smoothing=0: the time that is left by the mean rate, since many come at a time.
    with tqdm(total=total, initial=done, unit="recording", desc=name, smoothing=0) as bar:
        yield bar.update


class Lines:
    """Tells at most every `EVERY` seconds: a log keeps each state of a bar as a line of its own."""

    def __init__(self, total: int, name: str, done: int, clock: Callable[[], float] = time.monotonic):
        self._total, self._name, self._before, self._done = total, name, done, done
        self._clock = clock
        self._began = self._told = clock()

    def __call__(self, more: int) -> None:
        """Takes note of so many recordings more."""
        self._done += more
        now = self._clock()
        if now - self._told < EVERY or self._done >= self._total:
            return
        self._told = now
        left = (self._total - self._done) * (now - self._began) / max(self._done - self._before, 1)
        said = f"{self._name}: {self._done} of {self._total} recordings, about {left / 60:.1f} min left"
        print(said, file=sys.stderr, flush=True)
