"""The memory of a step stays with the process, which takes up to a third off a step on a CPU."""

import ctypes
import importlib.util
import os

# Parameters of mallopt (malloc.h of glibc).
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_ACCELERATORS = ("jax_plugins", "libtpu")  # packages by which jax finds one


def keep_freed_memory() -> bool:
    """Lets malloc keep what is freed, and give it out again, where jax has a CPU alone; says whether it does.

    XLA takes the memory of a whole step anew at each step. glibc gets blocks so large from the system and
    gives them back to it when they are freed, and the system clears and maps every page of them again
    (docs/performance.md). What was taken once is given back when the process ends; large blocks of changing
    sizes leave holes, so that peak memory may rise (in training it did not).

    Does nothing without glibc, where jax may find an accelerator, where MALLOC_* or GLIBC_TUNABLES of the
    environment say how malloc is to behave, and once the process has threads (numpy starts some): a thread
    may have a heap of its own, which XLA's may share, and large blocks fit into none of these.
    """
    if _user_decides() or not _on_cpu_alone() or not _has_one_thread():
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    # One heap that only grows: blocks of more than 64 MiB fit into no other.
    wanted = ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1))
    return all(mallopt(*each) == 1 for each in wanted)


def _user_decides() -> bool:
    return any(name.startswith("MALLOC_") for name in os.environ) or "glibc.malloc" in os.environ.get(
        "GLIBC_TUNABLES", ""
    )


def _on_cpu_alone() -> bool:
    if platforms := os.environ.get("JAX_PLATFORMS"):
        return platforms == "cpu"
    return all(importlib.util.find_spec(name) is None for name in _ACCELERATORS)


def _has_one_thread() -> bool:
    """False, too, where that cannot be known: not on Linux."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False
