"""The text of a WFDB header, checked before the `wfdb` package opens any file that it names.

The package reads headers as ASCII and drops what is not ("µV" becomes "V"), takes 250 Hz where no rate is
given and 200 units per mV where no gain is given. All three would be guesses about a patient's signal, so
rate, gain and unit are taken from the text here and refused where they do not stand there.

Format: https://physionet.org/physiotools/wag/header-5.htm
"""

import dataclasses
import re
from pathlib import Path

from coreecg_jax.records.refusals import Reason, RecordingRefused

MAX_HEADER_BYTES = 1 << 20
MAX_SAMPLING_RATE = 20_000.0  # Hz
MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3}  # micro sign and Greek mu

_GAIN = re.compile(r"(?P<gain>[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)(\(-?\d+\))?(/(?P<unit>\S+))?")


@dataclasses.dataclass(frozen=True)
class WfdbHeader:
    """What the samples need; one entry a signal, in the order of the file."""

    sampling_rate: float  # Hz
    signal_names: tuple[str, ...]
    millivolts_per_unit: tuple[float, ...]
    comments: tuple[str, ...]  # without the leading '#', stripped


def read_header(path: Path) -> WfdbHeader:
    """Reads and checks `<record>.hea`.

    Raises:
      RecordingRefused: when the header is not readable, names a file outside its own folder, gives no usable
        sampling rate, or a unit that is not mV, uV or V.
    """
    lines, comments = _lines(path)
    sampling_rate, n_signals = _record_line(path, lines[0])
    signals = [line.split() for line in lines[1:]]
    if len(signals) != n_signals or any(len(fields) < 3 for fields in signals):
        raise RecordingRefused(
            Reason.UNREADABLE, f"{path.name}: expected {n_signals} signal lines with file, format and gain"
        )
    for fields in signals:
        _check_file_name(path, fields[0])
        if not re.fullmatch(r"\d+(\+\d+)?", fields[1]):  # 'x2': two samples a frame, ':5': skewed
            raise RecordingRefused(
                Reason.UNREADABLE,
                f"{path.name}: signals with format {fields[1]!r} are not read, expected e.g. '16'",
            )
    names = tuple(" ".join(fields[8:]) for fields in signals)
    units = tuple(_millivolts_per_unit(path, fields[2]) for fields in signals)
    return WfdbHeader(sampling_rate, names, units, comments)


def _lines(path: Path) -> tuple[list[str], tuple[str, ...]]:
    """Header lines and comments."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {error.strerror}") from error
    if len(raw) > MAX_HEADER_BYTES:
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {len(raw)} bytes are no WFDB header")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    stripped = [line.strip() for line in text.splitlines() if line.strip()]
    comments = tuple(line.lstrip("# \t") for line in stripped if line.startswith("#"))
    lines = [line for line in stripped if not line.startswith("#")]
    if not lines:
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: the header is empty")
    return lines, comments


def _record_line(path: Path, line: str) -> tuple[float, int]:
    """Sampling rate in Hz and number of signals."""
    fields = line.split()
    if len(fields) < 2 or not fields[1].isdecimal() or int(fields[1]) == 0:
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{path.name}: expected 'name signals rate samples' in the first line, got {line!r}",
        )
    if "/" in fields[0]:
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: records of several segments are not read")
    rate = re.match(r"\d+\.?\d*(?=$|[/(])", fields[2]) if len(fields) > 2 else None
    if rate is None or not 0 < float(rate.group()) <= MAX_SAMPLING_RATE:
        got = fields[2] if len(fields) > 2 else "none"
        raise RecordingRefused(
            Reason.SAMPLING_RATE,
            f"{path.name}: expected a sampling rate above 0 and up to {MAX_SAMPLING_RATE:g} Hz, got {got}",
        )
    return float(rate.group()), int(fields[1])


def _check_file_name(path: Path, name: str) -> None:
    """Only a plain name of a file beside the header: nothing that a path or a URL could hide in."""
    if not re.fullmatch(r"[\w-][\w.-]*", name, re.ASCII) or "::" in str(path.absolute()):
        raise RecordingRefused(
            Reason.OUTSIDE_FOLDER,
            f"{path.name}: expected the plain name of a file in the header's own folder, got {name!r}",
        )
    if not (path.parent / name).is_file():
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: the signal file {name} is not there")


def _millivolts_per_unit(path: Path, field: str) -> float:
    match = _GAIN.fullmatch(field)
    if match is None or float(match["gain"]) == 0:
        raise RecordingRefused(
            Reason.UNKNOWN_UNIT, f"{path.name}: expected a gain such as 1000/mV, got {field!r} (uncalibrated)"
        )
    unit = match["unit"] or "mV"  # the default of the format
    if unit.lower() not in MILLIVOLTS:
        raise RecordingRefused(Reason.UNKNOWN_UNIT, f"{path.name}: expected mV, uV or V, got {unit!r}")
    return MILLIVOLTS[unit.lower()]
