"""Signals in WFDB's format 16, decoded here: little-endian int16, the signals of a file interleaved.

Nearly every public 12-lead database is stored so. The `wfdb` package reads the same samples, but first the
header once more, which takes longer than all that is done with the recording afterwards.

Format: https://physionet.org/physiotools/wag/signal-5.htm
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.wfdb_headers import Signal, WfdbHeader

INVALID = -32768


def is_format16(header: WfdbHeader) -> bool:
    """Whether `read_format16` can read it: every signal in format 16, the number of samples given."""
    files = [file for (file, _), _ in _by_file(header)]
    return (
        header.n_samples is not None
        and all(signal.format == 16 and signal.baseline is not None for signal in header.signals)
        and len(files) == len(set(files))  # the format asks for it
    )


def read_format16(path: Path, header: WfdbHeader) -> np.ndarray:
    """float64[signals, T] in the header's own units, NaN where a sample is marked as invalid.

    Args:
      path: of the header; the signal files lie beside it.
      header: for which `is_format16` holds.

    Raises:
      RecordingRefused: when a file cannot be read or is shorter than the header says.
    """
    signals, n_samples = header.signals, header.n_samples or 0
    parts = [
        _interleaved(path, file, offset, len(list(group)), n_samples)
        for (file, offset), group in _by_file(header)
    ]
    digital_ST = np.concatenate(parts, axis=1).T
    baseline_S = np.array([signal.baseline for signal in signals], np.float64)
    gain_S = np.array([signal.gain for signal in signals])
    physical_ST = digital_ST.astype(np.float64, order="C")
    physical_ST -= baseline_S[:, None]
    physical_ST /= gain_S[:, None]
    physical_ST[digital_ST == INVALID] = np.nan
    return physical_ST


def _by_file(header: WfdbHeader) -> Iterator[tuple[tuple[str, int], Iterator[Signal]]]:
    """((file, byte offset), signals) of each stretch of signals that stand in one file."""
    return itertools.groupby(header.signals, lambda signal: (signal.file, signal.byte_offset))


def _interleaved(path: Path, file: str, offset: int, n_signals: int, n_samples: int) -> np.ndarray:
    """int16[T, signals] of one file."""
    count = n_samples * n_signals
    try:
        size = (path.parent / file).stat().st_size
        if size < offset + 2 * count:  # before memory is asked for
            raise RecordingRefused(
                Reason.UNREADABLE,
                f"{path.name}: expected {offset + 2 * count} bytes in {file} as the header says, got {size}",
            )
        samples = np.fromfile(path.parent / file, "<i2", count, offset=offset)
    except OSError as error:
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {file}: {error.strerror}") from error
    return samples.reshape(n_samples, n_signals)
