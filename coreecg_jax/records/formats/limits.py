"""How large a file and its signal may be, before memory is asked for; and packages that may be missing."""

import importlib
from pathlib import Path
from typing import Any

from coreecg_jax.records.refusals import Reason, RecordingRefused

# Samples of all signals together: two hours of twelve leads at 500 Hz, 400 MB as float64.
MAX_VALUES = 50_000_000
MAX_FILE_BYTES = 1 << 29


class MissingPackage(ValueError):
    """A format needs a package that is not there."""


def need(package: str, what: str) -> Any:
    """The package, imported.

    Raises:
      MissingPackage: with what to install.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise MissingPackage(
            f"{what}: expected the package {name}: pip install 'coreecg-jax[formats]'"
        ) from error


def check_file(path: Path, largest: int = MAX_FILE_BYTES) -> int:
    """The bytes of a file.

    Raises:
      RecordingRefused: when it cannot be read, is no plain file, or is too large.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {error.strerror}") from error
    if not path.is_file():
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: expected a plain file")
    if size > largest:
        raise RecordingRefused(
            Reason.UNREADABLE, f"{path.name}: expected at most {largest} bytes, got {size}: cut it first"
        )
    return size


def check_values(name: str, signals: int, samples: int) -> None:
    """Refuses a signal too large to be held in memory.

    Raises:
      RecordingRefused: when there are more values than `MAX_VALUES`, or none.
    """
    if signals < 1 or samples < 1:
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: {signals} signals of {samples} samples")
    if signals * samples > MAX_VALUES:
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{name}: expected at most {MAX_VALUES} samples in all signals together, got {signals} x "
            f"{samples}: cut the recording first",
        )
