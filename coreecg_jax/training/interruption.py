"""Ctrl-C, SIGTERM and a cluster's preemption notice end a run after the step in hand, its state saved."""

import atexit
import contextlib
import itertools
import os
import signal
import sys
from collections.abc import Generator
from types import FrameType, TracebackType
from typing import Any, Self

import jax
from jax.experimental import multihost_utils

# Of this process, counted by all alike: jax keeps one count, the point to stop at is after its highest, and
# what looks later in the same process has to count on.
_LOOKS = itertools.count(1)
_TOLD = "stopping after the step in hand; the same signal again stops without saving"


class Stopped(InterruptedError):
    """A run that stopped because it was asked to; its state is saved.

    Args:
      message: what it says.
      signal: the number of the signal that asked.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


@contextlib.contextmanager
def ends_at_once() -> Generator[None]:
    """Around a whole program: a Ctrl-C that is not held back ends it without a wait for its threads.

    One of them may be writing a checkpoint, which takes minutes where the state is large; what it leaves is
    removed at the next start. Of several processes each waits for the others as ever.
    """
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt) and not jax.distributed.is_initialized():
            atexit._run_exitfuncs()  # temporary folders are removed
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code if isinstance(end.code, int) else 1)
        raise


class Interruption:
    """While active, the first signal is noted in `asked`; the second acts as it would have anyway, also while
    a state is saved: Ctrl-C as a KeyboardInterrupt, SIGTERM at once.

    Where `jax.distributed` runs, SIGTERM belongs to it: it passes the notice on to all processes, which then
    stop at the same step, found by `look`; Ctrl-C is not held back, as each process would stop at its own.

    Args:
      told: what is said at the first signal.
    """

    def __init__(self, told: str = _TOLD) -> None:
        self.signal = 0  # that asked
        self._told = told
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether the run shall stop."""
        return self.signal != 0

    def __enter__(self) -> Self:
        numbers = () if jax.distributed.is_initialized() else (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def look(self) -> bool:
        """Whether the run shall stop here; where there is a cluster it is asked whether all processes shall.

        All must look equally often: after each dispatch, and between the batches of a validation.
        """
        # Counted by looks: the point to stop at is the number after the highest that any process has seen.
        looks = next(_LOOKS)
        if jax.distributed.is_initialized() and multihost_utils.reached_preemption_sync_point(looks):
            self.signal = signal.SIGTERM
        return self.asked

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal = number
        # At once, and by the system's own call, as this is a handler: compiling may take minutes more.
        os.write(2, f"\n{self._told}\n".encode())
        signal.signal(number, self._before[number])
