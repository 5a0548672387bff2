"""Reads one WFDB recording by lead name, in millivolts."""

import collections
import functools
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.records.formats.limits import MAX_FILE_BYTES, check_file, check_values
from coreecg_jax.records.formats.placing import placed
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.wfdb_format16 import is_format16, read_format16
from coreecg_jax.records.wfdb_headers import WfdbHeader, read_header


def wfdb_reader(source: Path) -> functools.partial[Recording]:
    """A function that reads the recording of a header named relative to `source`."""
    return functools.partial(_read_below, source)


def _read_below(source: Path, file: str) -> Recording:
    return read_wfdb(source / file, source)


def read_wfdb(header: Path, top: Path | None = None) -> Recording:
    """Reads the recording whose header is given, whatever order and spelling its leads have.

    Samples that WFDB marks as invalid come back as NaN.

    Args:
      header: its file.
      top: the folder that no signal file may be outside of; the header's own where None.

    Raises:
      RecordingRefused: when header or signal cannot be read, or a lead stands there twice.
    """
    info = read_header(header, top)
    _check_size(header, info)
    physical_ST = read_format16(header, info) if is_format16(info) else _by_wfdb(header, len(info.signals))
    return placed(
        header.name,
        [signal.name for signal in info.signals],
        physical_ST,
        [signal.millivolts_per_unit for signal in info.signals],
        info.sampling_rate,
        info.comments,
    )


def _check_size(header: Path, info: WfdbHeader) -> None:
    """Refuses what memory could not hold, before any signal is read."""
    if info.n_samples is not None:
        check_values(header.name, len(info.signals), info.n_samples)
    for file, signals in collections.Counter(signal.file for signal in info.signals).items():
        size = check_file(header.parent / file, MAX_FILE_BYTES)
        if info.n_samples is None:  # the size of the file gives it, and a sample may take one byte
            check_values(header.name, len(info.signals), size // signals)


def _by_wfdb(header: Path, n_signals: int) -> np.ndarray:
    """float64[signals, T] in the header's own units, of any format that the `wfdb` package reads."""
    wfdb = _wfdb()
    try:
        record = wfdb.rdrecord(str(header.absolute().with_suffix("")))
        samples = record.p_signal
    except Exception as error:  # wfdb raises whatever its parser stumbles over, bare Exception included
        raise RecordingRefused(
            Reason.UNREADABLE, f"{header.name}: {type(error).__name__}: {error}"
        ) from error
    if samples is None or samples.shape[1] != n_signals:
        raise RecordingRefused(Reason.UNREADABLE, f"{header.name}: the signal holds no {n_signals} channels")
    return samples.T


@functools.cache
def _wfdb() -> Any:
    """The package: loaded for the first recording that needs it, for it takes a second."""
    with warnings.catch_warnings():  # importing wfdb 4.3 warns under pandas 3, of what only wfdb can mend
        warnings.simplefilter("ignore", DeprecationWarning)
        import wfdb

    return wfdb
