"""What makes the first embedding of a process come sooner."""

import contextlib
import gc
import threading
from collections.abc import Generator


class _Waiting:
    """How many wait at once, of any thread, and whether garbage was looked for before the first of them."""

    lock = threading.Lock()
    inside = 0
    was_enabled = False


@contextlib.contextmanager
def collected_later() -> Generator[None]:
    """No garbage is looked for meanwhile; the last to leave, of all threads, puts that back as it was.

    Importing and compiling make hundreds of thousands of objects that stay; looking through them again and
    again takes some tenths of a second of the first embedding (docs/performance.md).
    """
    with _Waiting.lock:
        if _Waiting.inside == 0:
            _Waiting.was_enabled = gc.isenabled()
            gc.disable()
        _Waiting.inside += 1
    try:
        yield
    finally:
        with _Waiting.lock:
            _Waiting.inside -= 1
            if _Waiting.inside == 0 and _Waiting.was_enabled:
                gc.enable()
