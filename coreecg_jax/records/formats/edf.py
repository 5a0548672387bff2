"""EDF and EDF+ (Kemp et al. 1992, 2003), read by pyedflib once the header agrees with the size of the file.

Not read: EDF+D (with gaps), BDF (24 bits), leads of different rates in one file.
Format: https://www.edfplus.info/specs/edf.html
"""

from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.records.formats.limits import check_file, check_values, need
from coreecg_jax.records.formats.placing import millivolts_of, placed, positions
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused

_MAX_SIGNALS = 512
_FIXED = 256  # bytes of the header, and as many for each signal
_UNKNOWN = ("", "X")


def read_edf(path: Path) -> Recording:
    """The leads of an EDF file, by the labels of its signals.

    Raises:
      RecordingRefused: when it cannot be read, with the reason.
      MissingPackage: without pyedflib.
    """
    pyedflib = need("pyedflib", path.name)
    _check_header(path)
    try:
        with pyedflib.EdfReader(str(path)) as file:
            return _recording(path.name, file)
    except RecordingRefused:
        raise
    except Exception as error:  # the package raises whatever its parser stumbles over
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {type(error).__name__}: {error}") from error


def _check_header(path: Path) -> None:
    """Refuses a file whose header asks for more, or less, than is there."""
    size = check_file(path)
    try:
        with path.open("rb") as file:
            fixed = file.read(_FIXED)
            records, signals = int(fixed[236:244]), int(fixed[252:256])
            if fixed[:8].strip() != b"0" or not 0 < signals <= _MAX_SIGNALS or records < 1:
                raise ValueError("expected version 0, signals and records")
            file.seek(_FIXED + 216 * signals)
            per_record = [int(file.read(8)) for _ in range(signals)]
    except (OSError, ValueError) as error:
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: no EDF header ({error})") from error
    if min(per_record) < 1:
        raise RecordingRefused(
            Reason.UNREADABLE, f"{path.name}: a signal of {min(per_record)} samples a record"
        )
    check_values(path.name, signals, sum(per_record) * records // signals)
    expected = _FIXED * (signals + 1) + 2 * records * sum(per_record)
    if size != expected:
        raise RecordingRefused(
            Reason.UNREADABLE, f"{path.name}: expected {expected} bytes as the header says, got {size}"
        )


def _recording(name: str, file: Any) -> Recording:
    labels = [str(label) for label in file.getSignalLabels()]
    position_of = positions(name, labels)
    if not position_of:
        raise RecordingRefused(
            Reason.UNKNOWN_LEAD, f"{name}: none of the twelve leads is among {', '.join(labels[:20])}"
        )
    rates = {float(file.getSampleFrequency(position)) for position in position_of.values()}
    if len(rates) > 1:
        raise RecordingRefused(
            Reason.SAMPLING_RATE, f"{name}: expected one rate for all leads, got {sorted(rates)}"
        )
    check_values(name, len(position_of), max(int(file.getNSamples()[at]) for at in position_of.values()))
    leads = {
        position: (millivolts_of(name, file.getPhysicalDimension(position)), file.readSignal(position))
        for position in position_of.values()
    }
    samples = next(iter(leads.values()))[1].size
    if any(signal.size != samples for _, signal in leads.values()):
        raise RecordingRefused(Reason.UNREADABLE, f"{name}: the leads are of different lengths")
    signals_ST = np.zeros((len(labels), samples))
    for position, (_, signal) in leads.items():
        signals_ST[position] = signal
    millivolts = [leads[position][0] if position in leads else 1.0 for position in range(len(labels))]
    return placed(name, labels, signals_ST, millivolts, rates.pop(), _comments(file))


def _comments(file: Any) -> list[str]:
    """Of EDF+'s patient field: code and sex. The name is never read."""
    code, sex = str(file.getPatientCode()).strip(), str(file.getSex()).strip()
    return [f"patient_id: {code}"] * (code not in _UNKNOWN) + [f"sex: {sex}"] * bool(sex)
