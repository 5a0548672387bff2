"""Whatever changes what a function computes changes the digest, and nothing else does."""

import functools
import subprocess
import sys
import types

import numpy as np
import pytest

from coreecg_jax.export.loaded_code import digest_of_loaded

SOURCE = """
import functools
import numpy as np

TIMES, NAMES, TABLE, ARRAY = 2, {"a", "b", "c"}, {"one": [1, 2]}, np.arange(3)

def plain(x, by=3):
    return [y * by * TIMES for y in x]

def made(by):
    def inner(x):
        return x * by
    return inner

inner, partial = made(2), functools.partial(plain, by=4)
cached = functools.lru_cache(plain)

class Kind:
    wide: int = 3

    def method(self):
        return self.wide + 1

    @property
    def some(self):
        return 1

    @classmethod
    def of(cls):
        return 2
"""


def loaded(monkeypatch, source=SOURCE):
    module = types.ModuleType("coreecg_jax_made")
    module.__dict__["__name__"] = "coreecg_jax_made"
    exec(compile(source, "made.py", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "coreecg_jax_made", module)
    return module


def digest():
    return digest_of_loaded(("coreecg_jax_made",))


def test_the_same_code_has_the_same_digest(monkeypatch) -> None:
    loaded(monkeypatch)
    first = digest()
    assert digest() == first
    loaded(monkeypatch)
    assert digest() == first
    loaded(monkeypatch, f"# moved down\n\n{SOURCE}")
    assert digest() == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("TIMES, NAMES", "NAMES, TIMES"),
        ("= 2, {", "= 3, {"),
        ('"b"', '"d"'),
        ("[1, 2]", "[1, 3]"),
        ("arange(3)", "arange(4)"),
        ("by=3", "by=5"),
        ("y * by", "y + by"),
        ("made(2)", "made(3)"),
        ("by=4", "by=5"),
        ("lru_cache(plain)", "lru_cache(inner)"),
        ("wide: int = 3", "wide: int = 4"),
        ("self.wide + 1", "self.wide + 2"),
        ("return 1", "return 5"),
        ("return 2", "return 5"),
    ],
)
def test_other_code_has_another(monkeypatch, old, new) -> None:
    loaded(monkeypatch)
    before = digest()
    assert SOURCE.count(old) == 1
    loaded(monkeypatch, SOURCE.replace(old, new))
    assert digest() != before


def test_what_was_replaced_in_memory_counts(monkeypatch) -> None:
    module = loaded(monkeypatch)
    plain, digests = module.plain, {digest()}
    for replaced in (lambda x: plain(x), lambda x: [*plain(x), 1], functools.partial(plain, by=7)):
        module.plain = replaced
        digests.add(digest())
    module.Kind.method = lambda self: 7
    digests.add(digest())
    module.ARRAY = np.zeros(2)
    digests.add(digest())
    assert len(digests) == 6


@pytest.mark.slow
def test_it_is_the_same_in_every_process() -> None:
    """Whatever order sets of names have there."""
    program = """
import coreecg_jax.export.bundle
from coreecg_jax.export.kept_programs import _TRACED
from coreecg_jax.export.loaded_code import digest_of_loaded
print(digest_of_loaded(_TRACED))
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, check=True, stdout=subprocess.PIPE
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
