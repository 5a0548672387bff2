"""Freed memory is kept where that helps, and malloc is left alone elsewhere."""

import ctypes
import importlib.util
import os
import subprocess
import sys

import pytest

from coreecg_jax.host_memory import keep_freed_memory

# A block of 120 MB, taken and given back by a thread, as XLA's are: 29,297 pages, or fewer that are huge.
_FAULTS = """
import resource, sys, threading
from coreecg_jax.host_memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
import numpy as np
def steps(count):
    for _ in range(count):
        np.ones(30_000_000, np.float32)
def in_a_thread(count):
    thread = threading.Thread(target=steps, args=(count,))
    thread.start()
    thread.join()
in_a_thread(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
in_a_thread(6)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which nothing is said about malloc or devices."""
    for name in [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_", "JAX_PLATFORMS"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def alone(undecided: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, in a process that has one thread."""
    monkeypatch.setattr(os, "listdir", lambda folder: ["1"])


def _no_malloc(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str | None) -> None:
        raise AssertionError("malloc was asked for")

    monkeypatch.setattr(ctypes, "CDLL", refuse)


def _page_faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_memory_of_a_step_is_not_asked_for_again(undecided: None) -> None:
    assert _page_faults("kept") < 0.3 * _page_faults("as it is")


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
@pytest.mark.parametrize("package", ["launch", "benchmarks"])
def test_launchers_and_benchmarks_have_it(undecided: None, package: str) -> None:
    """What `-m` imports first sets it, before anything else starts a thread."""
    code = """
import sys
sys.argv[:1] = ["-m"]
from coreecg_jax import host_memory
answers, keep = [], host_memory.keep_freed_memory
host_memory.keep_freed_memory = lambda: answers.append(keep())
__import__(sys.argv[1])
assert answers == [True], answers
"""
    subprocess.run([sys.executable, "-c", code, package], check=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MALLOC_ARENA_MAX", "4"),
        ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ("GLIBC_TUNABLES", "glibc.malloc.arena_max=4"),
        ("JAX_PLATFORMS", "cuda"),
        ("JAX_PLATFORMS", "cuda,cpu"),
    ],
)
def test_what_the_environment_says_stays(
    alone: None, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    _no_malloc(monkeypatch)
    monkeypatch.setenv(name, value)
    assert not keep_freed_memory()


@pytest.mark.parametrize("package", ["jax_plugins", "libtpu"])
def test_a_machine_with_an_accelerator_is_left_alone(
    alone: None, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    _no_malloc(monkeypatch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == package or None)
    assert not keep_freed_memory()


def test_other_threads_may_have_heaps_of_their_own(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    _no_malloc(monkeypatch)
    monkeypatch.setattr(os, "listdir", lambda folder: ["1", "2"])
    assert not keep_freed_memory()


def test_no_glibc_is_no_mistake(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # as of a C library without mallopt
    assert not keep_freed_memory()
