"""A digest of the code that is loaded, which is what jax traces; files may have changed since."""

import functools
import hashlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

_DESCRIPTORS = (property, classmethod, staticmethod, functools.cached_property)
_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype)


def digest_of_loaded(prefixes: tuple[str, ...]) -> str:
    """Of every function, method and plain constant of the loaded modules whose names start so.

    A function that was replaced while the program runs counts as it is now; what it was given when it was
    made (a closure, defaults, parts of a `functools.partial`) counts where it is plain or a function.
    """
    total = hashlib.sha256()
    for name in sorted(name for name in sys.modules if name.startswith(prefixes)):
        for text in _of_names(name, vars(sys.modules[name]), set()):
            total.update(text.encode("utf-8", "replace") + b"\0")
    return total.hexdigest()


def _of_names(name: str, names: dict[str, Any], seen: set[int]) -> Iterator[str]:
    for one, value in sorted(names.items()):
        if not one.startswith("__") or callable(value) or isinstance(value, _DESCRIPTORS):
            yield from _of(f"{name}.{one}", value, seen)


def _of(name: str, value: Any, seen: set[int]) -> Iterator[str]:
    """What a program may depend on, each with its place; of other objects their type alone."""
    if isinstance(value, (*_PLAIN, types.ModuleType)):
        yield f"{name}={value!r}" if isinstance(value, _PLAIN) else f"{name}={value.__name__}"
        return
    if id(value) in seen:  # it was told where it was met first
        return
    seen.add(id(value))
    yield f"{name}: {type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}{value.tobytes().hex()}"
    elif isinstance(value, dict):
        for number, (key, one) in enumerate(value.items()):
            yield from _of(f"{name}[{number}]", key, seen)
            yield from _of(f"{name}[{number}]=", one, seen)
    elif isinstance(value, (tuple, list)):
        for number, one in enumerate(value):
            yield from _of(f"{name}[{number}]", one, seen)
    elif isinstance(value, (set, frozenset)):
        yield from sorted(map(repr, value))
    elif isinstance(value, types.CodeType):
        yield from _of_code(name, value, seen)
    elif isinstance(value, type):
        yield from _of_class(name, value, seen)
    elif callable(value) or isinstance(value, _DESCRIPTORS):
        yield from _of_function(name, value, seen)


def _of_class(name: str, value: type, seen: set[int]) -> Iterator[str]:
    yield f"{value.__module__}.{value.__qualname__}"
    if value.__module__.startswith("coreecg_jax"):  # not what other packages made
        yield from _of_names(name, dict(vars(value)), seen)


def _of_function(name: str, value: Any, seen: set[int]) -> Iterator[str]:
    """A function, or what was made of one: a method, a partial, a function under `jit` or `lru_cache`."""
    made = ("__wrapped__", "__func__", "func", "args", "keywords", "fget", "__defaults__", "__kwdefaults__")
    for part in made:
        yield from _of(f"{name}.{part}", getattr(value, part, None), seen)
    if isinstance(value, types.FunctionType):
        yield from _of(f"{name}.__code__", value.__code__, seen)
        for number, cell in enumerate(value.__closure__ or ()):
            try:
                yield from _of(f"{name}.cell{number}", cell.cell_contents, seen)
            except ValueError:  # not filled yet
                yield f"{name}.cell{number} is empty"


def _of_code(name: str, code: types.CodeType, seen: set[int]) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars}"
    for number, constant in enumerate(code.co_consts):
        yield from _of(f"{name}.{number}", constant, seen)
