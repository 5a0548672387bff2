"""Reads one WFDB recording by lead name, in millivolts."""

import functools
import warnings
from pathlib import Path

import numpy as np

from coreecg_jax.records.leads import LEADS, UnknownLeadError, canonical_name
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.wfdb_headers import read_header

with warnings.catch_warnings():  # importing wfdb 4.3 warns under pandas 3, of what only wfdb can mend
    warnings.simplefilter("ignore", DeprecationWarning)
    import wfdb


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
    position_of = _positions(header, info.signal_names)
    physical_TS = _samples(header, len(info.signal_names))
    ecg_LT = np.full((len(LEADS), len(physical_TS)), np.nan)
    for lead, position in position_of.items():
        ecg_LT[LEADS.index(lead)] = physical_TS[:, position] * info.millivolts_per_unit[position]
    used = set(position_of.values())
    return Recording(
        ecg_LT=ecg_LT,
        present_L=np.array([lead in position_of for lead in LEADS]),
        sampling_rate=info.sampling_rate,
        ignored_signals=tuple(name for i, name in enumerate(info.signal_names) if i not in used),
        comments=info.comments,
    )


def _positions(header: Path, names: tuple[str, ...]) -> dict[str, int]:
    """Where each of the twelve leads stands in the file."""
    positions: dict[str, int] = {}
    for position, name in enumerate(names):
        try:
            lead = canonical_name(name)
        except UnknownLeadError:
            continue
        if lead in positions:
            raise RecordingRefused(
                Reason.DUPLICATED_LEAD,
                f"{header.name}: expected each lead once, lead {lead} stands there twice",
            )
        positions[lead] = position
    return positions


def _samples(header: Path, n_signals: int) -> np.ndarray:
    """float64[T, signals] in the header's own units."""
    try:
        record = wfdb.rdrecord(str(header.absolute().with_suffix("")))
        samples = record.p_signal
    except Exception as error:  # wfdb raises whatever its parser stumbles over, bare Exception included
        raise RecordingRefused(
            Reason.UNREADABLE, f"{header.name}: {type(error).__name__}: {error}"
        ) from error
    if samples is None or samples.shape[1] != n_signals:
        raise RecordingRefused(Reason.UNREADABLE, f"{header.name}: the signal holds no {n_signals} channels")
    return samples
