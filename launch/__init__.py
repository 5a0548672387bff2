"""The launchers, one a verb: `python -m launch.VERB --help`."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from coreecg_jax.host_memory import keep_freed_memory


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Ctrl-C while a launcher still imports, which takes seconds: one line, and the status that shells give.

    At once, as there is nothing to be put away: an exception would end Python by the signal itself, and may
    be lost where a library takes it for a part of it that is missing.
    """
    del frame
    os.write(2, b"\ninterrupted\n")
    os._exit(128 + number)


def imported() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt, as ever."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if sys.argv[:1] == ["-m"]:  # as runpy has it while `python -m launch.VERB` imports: not a notebook's business
    # Another handler: a shell that starts a program in the background lets it ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    keep_freed_memory()  # here, as numpy starts threads
