"""For which machine a program is traced: a CPU wants some things done otherwise than accelerators do."""

import contextlib
import contextvars
from collections.abc import Generator

import jax

_PORTABLE = contextvars.ContextVar("portable", default=False)


def traced_for_cpu() -> bool:
    """Whether what is being traced will run on a CPU alone."""
    return not _PORTABLE.get() and jax.default_backend() == "cpu"


@contextlib.contextmanager
def portable() -> Generator[None]:
    """What is traced inside is for any machine, wherever it is traced."""
    token = _PORTABLE.set(True)
    try:
        yield
    finally:
        _PORTABLE.reset(token)
