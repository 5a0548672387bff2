"""The text of a WFDB header, checked before the `wfdb` package opens any file that it names.

The package reads headers as ASCII and drops what is not ("µV" becomes "V"), takes 250 Hz where no rate is
given and 200 units per mV where no gain is given. All three would be guesses about a patient's signal, so
rate, gain and unit are taken from the text here and refused where they do not stand there.

Format: https://physionet.org/physiotools/wag/header-5.htm
"""

import dataclasses
import re
from pathlib import Path

from coreecg_jax.records.formats.limits import check_file
from coreecg_jax.records.refusals import Reason, RecordingRefused

MAX_HEADER_BYTES = 1 << 20
MAX_SAMPLING_RATE = 20_000.0  # Hz
MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3}  # micro sign and Greek mu

_GAIN = re.compile(
    r"(?P<gain>[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)(\((?P<baseline>-?\d+)\))?(/(?P<unit>\S+))?"
)
_FORMAT = re.compile(r"(?P<format>\d+)(\+(?P<offset>\d+))?")


@dataclasses.dataclass(frozen=True)
class Signal:
    """One signal line: where its samples stand, and what they mean."""

    name: str
    file: str  # beside the header
    format: int
    byte_offset: int  # of the first sample in the file
    gain: float  # units of the file for one physical unit
    baseline: int | None  # the sample that means zero; None where the text does not tell
    millivolts_per_unit: float


@dataclasses.dataclass(frozen=True)
class WfdbHeader:
    """What the samples need."""

    sampling_rate: float  # Hz
    n_samples: int | None  # of each signal; None where the header leaves it to the size of the file
    signals: tuple[Signal, ...]  # in the order of the file
    comments: tuple[str, ...]  # without the leading '#', stripped


def read_header(path: Path, top: Path | None = None) -> WfdbHeader:
    """Reads and checks `<record>.hea`.

    Args:
      path: the header. It may be a link, and `top` too.
      top: the folder that no signal file may be outside of, links followed; the header's own where None.

    Raises:
      RecordingRefused: when the header is not readable, names a file outside its own folder or one that is a
        link to outside of `top`, gives no usable sampling rate, or a unit that is not mV, uV or V.
    """
    lines, comments = _lines(path)
    if not lines:
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: the header is empty")
    sampling_rate, n_signals, n_samples = _record_line(path, lines[0])
    fields = [line.split() for line in lines[1:]]
    if len(fields) != n_signals or any(len(one) < 3 for one in fields):
        raise RecordingRefused(
            Reason.UNREADABLE, f"{path.name}: expected {n_signals} signal lines with file, format and gain"
        )
    for file in dict.fromkeys(one[0] for one in fields):
        _check_file_name(path, file, top or path.parent)
    return WfdbHeader(sampling_rate, n_samples, tuple(_signal(path, one) for one in fields), comments)


def read_comments(path: Path) -> tuple[str, ...]:
    """The comments alone, nothing of the rest checked.

    Raises:
      RecordingRefused: when the file cannot be read.
    """
    return _lines(path)[1]


def _lines(path: Path) -> tuple[list[str], tuple[str, ...]]:
    """Header lines and comments."""
    check_file(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_HEADER_BYTES + 1)
    except OSError as error:
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {error.strerror}") from error
    if len(raw) > MAX_HEADER_BYTES:
        raise RecordingRefused(
            Reason.UNREADABLE, f"{path.name}: more than {MAX_HEADER_BYTES} bytes are no WFDB header"
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    stripped = [line.strip() for line in text.splitlines() if line.strip()]
    comments = tuple(line.lstrip("# \t") for line in stripped if line.startswith("#"))
    lines = [line for line in stripped if not line.startswith("#")]
    return lines, comments


def _record_line(path: Path, line: str) -> tuple[float, int, int | None]:
    """Sampling rate in Hz, number of signals, and of samples (None where it is not given, or zero)."""
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
    counted = len(fields) > 3 and fields[3].isdecimal()
    return float(rate.group()), int(fields[1]), (int(fields[3]) or None) if counted else None


def _check_file_name(path: Path, name: str, top: Path) -> None:
    """Only a plain name of a file beside the header: nothing that a path, a URL or a link could hide in."""
    if not re.fullmatch(r"[\w-][\w.-]*", name, re.ASCII) or "::" in str(path.absolute()):
        raise RecordingRefused(
            Reason.OUTSIDE_FOLDER,
            f"{path.name}: expected the plain name of a file in the header's own folder, got {name!r}",
        )
    if not (path.parent / name).is_file():
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: the signal file {name} is not there")
    if not (path.parent / name).resolve().is_relative_to(top.resolve()):
        raise RecordingRefused(
            Reason.OUTSIDE_FOLDER,
            f"{path.name}: expected the signal file {name} itself below {top}, it is a link to outside: give "
            "the folder that holds both, or copy what the link leads to",
        )


def _signal(path: Path, fields: list[str]) -> Signal:
    """One signal line: file, format[+offset], gain[(baseline)][/unit], ADC bits, ADC zero, …, name."""
    stored = _FORMAT.fullmatch(fields[1])  # 'x2': two samples a frame, ':5': skewed
    if stored is None:
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{path.name}: signals with format {fields[1]!r} are not read, expected e.g. '16'",
        )
    scaled = _GAIN.fullmatch(fields[2])
    if scaled is None or float(scaled["gain"]) == 0:
        raise RecordingRefused(
            Reason.UNKNOWN_UNIT,
            f"{path.name}: expected a gain such as 1000/mV, got {fields[2]!r} (uncalibrated)",
        )
    unit = scaled["unit"] or "mV"  # the default of the format
    if unit.lower() not in MILLIVOLTS:
        raise RecordingRefused(Reason.UNKNOWN_UNIT, f"{path.name}: expected mV, uV or V, got {unit!r}")
    # Without a baseline the ADC's zero is it, and zero where that is not there either.
    zero = scaled["baseline"] or (fields[4] if len(fields) > 4 else "0")
    return Signal(
        name=" ".join(fields[8:]),
        file=fields[0],
        format=int(stored["format"]),
        byte_offset=int(stored["offset"] or 0),
        gain=float(scaled["gain"]),
        baseline=int(zero) if re.fullmatch(r"-?\d+", zero) else None,
        millivolts_per_unit=MILLIVOLTS[unit.lower()],
    )
