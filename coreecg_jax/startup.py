"""What makes the first embedding of a process come sooner."""

import contextlib
import gc
from collections.abc import Generator


@contextlib.contextmanager
def collected_later() -> Generator[None]:
    """No garbage is looked for meanwhile.

    Importing and compiling make hundreds of thousands of objects that stay; looking through them again and
    again took half a second of the first embedding (docs/performance.md).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
