"""Freed memory is kept where that helps, and malloc is left alone elsewhere."""

import ctypes
import importlib.util
import os
import subprocess
import sys

import pytest

from coreecg_jax.host_memory import keep_freed_memory

# A third call takes what the second gave back; 128 MiB are 32,768 pages.
_FAULTS = """
import resource, sys
from coreecg_jax.host_memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
import jax, jax.numpy as jnp
sums = jax.jit(lambda x: jnp.sort(jnp.outer(x, x).ravel()).sum())  # a temporary array that no fusion avoids
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
x = jnp.arange(5792.0)
sums(x).block_until_ready(), sums(x).block_until_ready()
before = faults()
sums(x).block_until_ready()
print(faults() - before)
"""


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which nothing is said about malloc or devices."""
    for name in [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_", "JAX_PLATFORMS"))]:
        monkeypatch.delenv(name)


def _no_malloc(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str | None) -> None:
        raise AssertionError("malloc was asked for")

    monkeypatch.setattr(ctypes, "CDLL", refuse)


def _page_faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_memory_of_a_step_is_not_asked_for_again(undecided: None) -> None:
    assert _page_faults("as it is") > 20_000
    assert _page_faults("kept") < 2_000


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
    undecided: None, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    _no_malloc(monkeypatch)
    monkeypatch.setenv(name, value)
    assert not keep_freed_memory()


@pytest.mark.parametrize("package", ["jax_plugins", "libtpu"])
def test_a_machine_with_an_accelerator_is_left_alone(
    undecided: None, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    _no_malloc(monkeypatch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == package or None)
    assert not keep_freed_memory()


def test_no_glibc_is_no_mistake(undecided: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # as of a C library without mallopt
    assert not keep_freed_memory()
