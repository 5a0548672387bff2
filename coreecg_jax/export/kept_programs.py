"""Traced programs, kept beside what jax compiles: jax keeps what it compiled, and traces in each process.

What is gained, and why a name holds so much: docs/decisions.md.
"""

import contextlib
import dataclasses
import hashlib
import importlib.util
import json
import os
import threading
import warnings
from pathlib import Path
from typing import Any

import flax
import jax
import jax.export  # not brought along by jax
import jaxlib
import numpy as np

from coreecg_jax.export.loaded_code import digest_of_loaded

FOLDER = "traced"  # in jax's folder of compiled programs, whose files it does not touch
ENDING = ".program"
MOST = 64  # programs that are kept, of some 100 kB each; those used longest ago go first
# What is traced: the method, which knows of ours lead names only (the rules of imports say so).
_TRACED = ("coreecg_jax.method", "coreecg_jax.records.leads")


@dataclasses.dataclass(frozen=True)
class KeptProgram:
    """A function of `coreecg_jax.method` under `jax.jit`, not traced where another process traced it.

    It is kept where jax keeps compiled programs (`JAX_COMPILATION_CACHE_DIR`), on a CPU, with flatbuffers
    (which TensorFlow brings); else, and where a mesh is set, the function is used as it is. A program is
    found again by the same loaded code, jax, settings of jax, `about` and shapes.

    Attributes:
      function: under `jax.jit`, of arrays.
      about: what the function depends on besides its arguments and the code of `coreecg_jax.method`.
    """

    function: Any
    about: str
    _known: dict[Any, Any] = dataclasses.field(default_factory=dict)
    _lock: Any = dataclasses.field(default_factory=threading.Lock)

    def __call__(self, *arguments: Any) -> Any:
        return self._program(arguments)(*arguments)

    def compile(self, *arguments: Any) -> None:
        """Compiles it, or reads what is compiled, for arguments of these shapes; nothing is computed."""
        self._program(arguments).lower(*arguments).compile()

    def _program(self, arguments: tuple[Any, ...]) -> Any:
        folder = _folder()
        if folder is None:
            return self.function
        leaves, tree = jax.tree.flatten(arguments)
        settings, shapes = _settings(), tuple((x.shape, np.dtype(x.dtype)) for x in leaves)
        key = (folder, settings, tree, shapes)
        with self._lock:
            if key not in self._known:
                text = [self.about, settings, str(tree), str(shapes), _versions(), digest_of_loaded(_TRACED)]
                name = hashlib.sha256("\0".join(text).encode()).hexdigest()
                self._known[key] = _kept(self.function, arguments, folder / f"{name}{ENDING}")
            return self._known[key]


def _kept(function: Any, arguments: tuple[Any, ...], file: Path) -> Any:
    """The program of this file; traced and written there if it is not, or damaged."""
    exported = _read(file)
    if exported is None:
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arguments)
        try:
            traced = bytes(jax.export.export(function)(*shapes).serialize())
        except Exception:  # what cannot be kept is used as it is, and says itself what is wrong with it
            return function
        _write(file, traced)
        exported = jax.export.deserialize(bytearray(traced))  # so that the first process compiles the same
    return jax.jit(exported.call)


def _folder() -> Path | None:
    """Where programs are kept; None where they are not."""
    settings: Any = jax.config  # whose type does not say what it has
    place = settings.jax_compilation_cache_dir if settings.jax_enable_compilation_cache else None
    # Not on accelerators: what is traced for them may hold calls that jax.export does not keep.
    usual = jax.default_backend() == "cpu" and not settings.jax_disable_jit
    # A program for a mesh runs nowhere else.
    usual = usual and jax.sharding.get_abstract_mesh().empty
    if not place or "://" in place or not usual or importlib.util.find_spec("flatbuffers") is None:
        return None
    return Path(place).absolute() / FOLDER


def _read(file: Path) -> jax.export.Exported | None:
    """The program of a file; None where there is none, or one that is damaged or of another format."""
    try:
        digest, _, program = file.read_bytes().partition(b"\n")
    except OSError:
        return None
    if digest.decode("ascii", "replace") != hashlib.sha256(program).hexdigest():
        return None
    try:
        exported = jax.export.deserialize(bytearray(program))
    except Exception:  # whole, and yet not to be read: it is traced, which is what the file saves
        return None
    with contextlib.suppress(OSError):  # a folder that is read only serves as well
        os.utime(file)  # it was used
    return exported


def _write(file: Path, program: bytes) -> None:
    """Puts a program there, whole or not at all. An error is a warning: it is traced anew the next time."""
    part = file.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # With the permissions of jax's own files, so that those who share the folder share the programs.
        part.write_bytes(hashlib.sha256(program).hexdigest().encode() + b"\n" + program)
        os.replace(part, file)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        why = f"{file.parent}: expected to keep a traced program there, got {error}"
        warnings.warn(f"{why}: it is traced anew in each process until that is mended", stacklevel=2)
        return
    with contextlib.suppress(OSError):  # others may remove the same ones
        _remove_oldest(file.parent)


def _remove_oldest(folder: Path) -> None:
    used = {}
    for file in folder.glob(f"*{ENDING}"):
        with contextlib.suppress(FileNotFoundError):
            used[file] = file.stat().st_mtime
    for file in sorted(used, key=lambda file: used[file], reverse=True)[MOST:]:
        file.unlink(missing_ok=True)


def _versions() -> str:
    return json.dumps([jax.__version__, jaxlib.__version__, flax.__version__, np.__version__])


def _settings() -> str:
    """Of jax, as they are in this thread and context: what is traced may depend on any."""
    there = {name: value for name, value in jax.config.values.items() if "cache" not in name}
    return repr([(name, getattr(jax.config, name, value)) for name, value in sorted(there.items())])
