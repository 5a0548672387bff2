"""From signals with names to a recording: each of the twelve leads at its place, in millivolts."""

from collections.abc import Sequence

import numpy as np

from coreecg_jax.records.leads import LEADS, UnknownLeadError, canonical_name
from coreecg_jax.records.recording import Recording, invalid_as_nan
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.wfdb_headers import MAX_SAMPLING_RATE, MILLIVOLTS


def positions(file: str, names: Sequence[str]) -> dict[str, int]:
    """Where each of the twelve leads stands among the signals of a file.

    Raises:
      RecordingRefused: when a lead stands there twice.
    """
    found: dict[str, int] = {}
    for position, name in enumerate(names):
        try:
            lead = canonical_name(name)
        except UnknownLeadError:
            continue
        if lead in found:
            raise RecordingRefused(
                Reason.DUPLICATED_LEAD, f"{file}: expected each lead once, lead {lead} stands there twice"
            )
        found[lead] = position
    return found


def placed(
    file: str,
    names: Sequence[str],
    signals_ST: np.ndarray,
    millivolts: Sequence[float],
    sampling_rate: float,
    comments: Sequence[str] = (),
) -> Recording:
    """The recording that signals with names make.

    Args:
      file: its name, for errors.
      names: of the signals.
      signals_ST: float64, in the units of the file.
      millivolts: of one unit, for each signal.
      sampling_rate: Hz.
      comments: what the file says of the patient, as `header_comments` reads it.

    Raises:
      RecordingRefused: when the rate is none, or a lead stands there twice.
    """
    check_rate(file, sampling_rate)
    position_of = positions(file, names)
    ecg_LT = np.full((len(LEADS), signals_ST.shape[1]), np.nan)
    for lead, position in position_of.items():
        ecg_LT[LEADS.index(lead)] = signals_ST[position] * millivolts[position]
    used = set(position_of.values())
    return Recording(
        ecg_LT=invalid_as_nan(ecg_LT),
        present_L=np.array([lead in position_of for lead in LEADS]),
        sampling_rate=float(sampling_rate),
        ignored_signals=tuple(name for i, name in enumerate(names) if i not in used),
        comments=tuple(comments),
    )


def check_rate(file: str, sampling_rate: float) -> None:
    """Refuses a sampling rate that no ECG has.

    Raises:
      RecordingRefused: with reason SAMPLING_RATE.
    """
    if not 0 < sampling_rate <= MAX_SAMPLING_RATE:
        raise RecordingRefused(
            Reason.SAMPLING_RATE,
            f"{file}: expected a sampling rate above 0 and up to {MAX_SAMPLING_RATE:g} Hz, "
            f"got {sampling_rate:g}",
        )


def millivolts_of(file: str, unit: str) -> float:
    """Millivolts of one unit.

    Raises:
      RecordingRefused: when the unit is not mV, uV or V, in any case and spelling.
    """
    key = unit.strip().lower().replace("microvolts", "uv").replace("millivolts", "mv")
    if key not in MILLIVOLTS:
        raise RecordingRefused(Reason.UNKNOWN_UNIT, f"{file}: expected mV, uV or V, got {unit!r}")
    return MILLIVOLTS[key]
