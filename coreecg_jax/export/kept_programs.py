"""Traced programs, kept beside what jax compiles: jax keeps what it compiled, and traces in each process.

Tracing and lowering the encoder is half a second of Python before the first embedding (docs/performance.md).
"""

import dataclasses
import functools
import hashlib
import importlib.util
import json
import os
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.export  # not brought along by jax
import jaxlib
import numpy as np

import coreecg_jax

FOLDER = "traced"  # in jax's folder of compiled programs, whose files it does not touch
MOST = 64  # programs that are kept, of some 100 kB each; those used longest ago go first


@dataclasses.dataclass(frozen=True)
class KeptProgram:
    """A function under `jax.jit` that need not be traced where another process traced it.

    It is kept where jax keeps compiled programs (`JAX_COMPILATION_CACHE_DIR`), on a CPU, with flatbuffers
    (which TensorFlow brings); else the function is used as it is. A program is found again by the same source
    of this package, jax, settings of jax, `about` and shapes.

    Attributes:
      function: under `jax.jit`, of arrays.
      about: what the function depends on besides its arguments and the source of this package.
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
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arguments)
        text = "\0".join([self.about, str(shapes), _settings()])
        with self._lock:
            if (folder, text) not in self._known:
                name = hashlib.sha256(f"{_versions()}\0{text}".encode()).hexdigest()
                self._known[folder, text] = _kept(self.function, shapes, folder / name)
            return self._known[folder, text]


def _kept(function: Any, shapes: tuple[Any, ...], file: Path) -> Any:
    """The program of this file; traced and written there if it is not, or damaged."""
    exported = _read(file)
    if exported is None:
        traced = bytes(jax.export.export(function)(*shapes).serialize())
        _write(file, traced)
        exported = jax.export.deserialize(bytearray(traced))  # so that the first process compiles the same
    return jax.jit(exported.call)


def _folder() -> Path | None:
    """Where programs are kept; None where they are not."""
    settings: Any = jax.config  # whose type does not say what it has
    place = settings.jax_compilation_cache_dir if settings.jax_enable_compilation_cache else None
    # Not on accelerators: what is traced for them may hold calls that jax.export does not keep.
    usual = jax.default_backend() == "cpu" and not settings.jax_disable_jit
    if not place or "://" in place or not usual or importlib.util.find_spec("flatbuffers") is None:
        return None
    return Path(place).absolute() / FOLDER


def _read(file: Path) -> jax.export.Exported | None:
    try:
        digest, _, program = file.read_bytes().partition(b"\n")
        if digest.decode("ascii", "replace") != hashlib.sha256(program).hexdigest():
            return None  # damaged
        exported = jax.export.deserialize(bytearray(program))
        os.utime(file)  # it was used
    except OSError:
        return None
    return exported


def _write(file: Path, program: bytes) -> None:
    """Puts a program there, whole or not at all. An error is a warning: it is traced anew the next time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as written:
            written.write(hashlib.sha256(program).hexdigest().encode() + b"\n" + program)
        os.replace(written.name, file)
        _remove_oldest(file.parent)
    except OSError as error:
        why = f"{file.parent}: expected to keep a traced program there, got {error}"
        warnings.warn(f"{why}: it is traced anew in each process until that is mended", stacklevel=2)


def _remove_oldest(folder: Path) -> None:
    there = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in there[MOST:]:
        file.unlink(missing_ok=True)  # another process may have been here


@functools.lru_cache(maxsize=1)
def _versions() -> str:
    """Of jax and of every module of this package: where one was changed, nothing traced before is used."""
    root, source = Path(coreecg_jax.__file__).parent, hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        source.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return json.dumps([source.hexdigest(), jax.__version__, jaxlib.__version__, np.__version__])


def _settings() -> str:
    """Of jax, as they are in this thread and context: what is traced may depend on any."""
    there = {name: value for name, value in jax.config.values.items() if "cache" not in name}
    return repr(sorted((name, repr(getattr(jax.config, name, value))) for name, value in there.items()))
