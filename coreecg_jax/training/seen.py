"""Whether a folder is there, as the processes of a run find it on a network file system."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

# NFS clients remember that a name was not there, for up to a minute as they are mounted by default.
_SEEN_SECONDS = 60.0


def is_seen(
    folder: Path,
    *,
    seconds: float = _SEEN_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether a folder is there; where not yet, looked for again for `seconds`.

    On a network file system what another process has made may be missing here for a while: listing the folder
    above asks the server, where looking for the name alone is answered from memory.
    """
    until = clock() + seconds
    while not folder.is_dir():
        if clock() >= until:
            return False
        above = next(parent for parent in folder.parents if parent.is_dir())
        with contextlib.suppress(OSError):  # that cannot be listed
            os.listdir(above)
        sleep(1)
    return True
