"""Reads one WFDB recording by lead name, in millivolts."""

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.records.leads import LEADS, UnknownLeadError, canonical_name
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.wfdb_format16 import is_format16, read_format16
from coreecg_jax.records.wfdb_headers import Signal, read_header


def wfdb_reader(source: Path) -> functools.partial[Recording]:
    """A function that reads the recording of a header named relative to `source`."""
    return functools.partial(_read_below, source)


def _read_below(source: Path, file: str) -> Recording:
    return read_wfdb(source / file)


def read_wfdb(header: Path) -> Recording:
    """Reads the recording whose header is given, whatever order and spelling its leads have.

    Samples that WFDB marks as invalid come back as NaN.

    Raises:
      RecordingRefused: when header or signal cannot be read, or a lead stands there twice.
    """
    info = read_header(header)
    position_of = _positions(header, info.signals)
    physical_ST = read_format16(header, info) if is_format16(info) else _by_wfdb(header, len(info.signals))
    ecg_LT = np.full((len(LEADS), physical_ST.shape[1]), np.nan)
    for lead, position in position_of.items():
        ecg_LT[LEADS.index(lead)] = physical_ST[position] * info.signals[position].millivolts_per_unit
    used = set(position_of.values())
    return Recording(
        ecg_LT=ecg_LT,
        present_L=np.array([lead in position_of for lead in LEADS]),
        sampling_rate=info.sampling_rate,
        ignored_signals=tuple(signal.name for i, signal in enumerate(info.signals) if i not in used),
        comments=info.comments,
    )


def _positions(header: Path, signals: Sequence[Signal]) -> dict[str, int]:
    """Where each of the twelve leads stands in the file."""
    positions: dict[str, int] = {}
    for position, signal in enumerate(signals):
        try:
            lead = canonical_name(signal.name)
        except UnknownLeadError:
            continue
        if lead in positions:
            raise RecordingRefused(
                Reason.DUPLICATED_LEAD,
                f"{header.name}: expected each lead once, lead {lead} stands there twice",
            )
        positions[lead] = position
    return positions


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
