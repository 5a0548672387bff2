"""How large a file and its signal may be, before memory is asked for; and packages that may be missing."""

import importlib
from pathlib import Path
from typing import Any

from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.refusals import Reason, RecordingRefused

# Samples of all signals together, twelve at least, as twelve leads are made of any file: 66 minutes of twelve
# leads at 500 Hz, 192 MB as float64. Reading, measuring and filtering so many takes up to 1,104 MB, packages
# included (12 x 2,000,000 at 250 Hz, which needs no resampling: tests/records, python made_peak.py 1
# 12x2000000@250), so that a worker stays below 1.5 GB whatever the file.
MAX_VALUES = 24_000_000
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


def check_file(path: Path, largest: float = MAX_FILE_BYTES) -> int:
    """The bytes of a file: opening a pipe would wait for ever.

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
    """Refuses a signal too large to be held in memory: fewer signals than twelve count as twelve.

    Raises:
      RecordingRefused: when there are more values than `MAX_VALUES`, or none.
    """
    if signals < 1 or samples < 1:
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: {signals} signals of {samples} samples")
    counted = max(signals, len(LEADS))
    if counted * samples > MAX_VALUES:
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{name}: expected at most {MAX_VALUES // counted} samples in each of {signals} signals, got "
            f"{samples}: cut the recording first",
        )
