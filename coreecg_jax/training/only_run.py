"""One run at a time in a folder: a second would remove the checkpoint that the first is writing."""

import contextlib
import time
from collections.abc import Callable, Generator
from pathlib import Path

from coreecg_jax.locks import Held, locked
from coreecg_jax.training.interruption import Interruption, Stopped
from coreecg_jax.training.processes import is_first, sharing, tell

LOCK = "lock"
# The lock of a host that was lost stays on a network file system until its server lets go of it, which takes
# a minute or two as servers are set by default; a scheduler that starts the run again is there before.
_WAIT_SECONDS = 300.0
_ASKED_AGAIN_SECONDS = 2.0


@contextlib.contextmanager
def only_run(
    workdir: Path | str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Generator[None]:
    """Holds the folder of a run, by the first of its processes.

    Where the holder is another machine, which may be lost, it is waited for, some minutes.

    Args:
      workdir: of the run.
      clock: in seconds.
      sleep: for so many seconds.

    Raises:
      OSError: in all processes of the run, with the same words, when another run holds it; nothing in the
        folder is changed.
      Stopped: when it was asked to stop while it waited.
    """
    file = Path(workdir) / LOCK

    def refusal(holder: str) -> str:
        return (
            f"{workdir} is locked: expected no other run there, got one that goes on{holder}, which holds "
            f"{file}; wait for it, stop it, or choose another --workdir"
        )

    until = clock() + _WAIT_SECONDS
    with contextlib.ExitStack() as held:

        def waited_for() -> str:
            """Whom, where it is not held yet."""
            try:
                held.enter_context(locked(file, refusal) if is_first() else contextlib.nullcontext())
            except Held as error:
                if not error.elsewhere or clock() >= until:
                    raise
                return error.holder
            return ""

        # All processes ask the first at each turn: where it waited alone, no signal would reach the others.
        if holder := sharing().told(waited_for)[0]:
            with Interruption("stopping; nothing was begun") as interruption:
                tell(
                    f"{workdir} is locked by {holder}, another machine: waiting up to "
                    f"{_WAIT_SECONDS / 60:.0f} minutes, as the lock of one that is lost stays for a while"
                )
                while sharing().told(waited_for)[0]:
                    sleep(_ASKED_AGAIN_SECONDS)
                    _stop_if_asked(interruption, workdir)
                _stop_if_asked(interruption, workdir)  # since the last look, while it was taken
        yield


def _stop_if_asked(interruption: Interruption, workdir: Path | str) -> None:
    """Raises Stopped where it was asked to; all processes look equally often."""
    if interruption.look():
        raise Stopped(f"stopped while it waited for {workdir}; nothing was begun", interruption.signal)
