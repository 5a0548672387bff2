"""What arrays do not say of themselves: `ecg.yaml` beside them, or above them.

    sampling_rate: 500          # Hz
    unit: mV                    # mV, uV or V; or millivolts_per_unit: 0.00488
    leads: [I, II, III, aVR, aVL, aVF, V1, V2, V3, V4, V5, V6]   # CSV: only where it has no header line
    dataset: ecg                # HDF5 only

`NAME.yaml` beside `NAME.npy` goes before `ecg.yaml` of its folder, that before those of the folders above.
"""

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from coreecg_jax.records.formats.limits import check_file
from coreecg_jax.records.formats.placing import check_rate, millivolts_of, positions
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.spelling import with_guess

FILE = "ecg.yaml"
_MAX_BYTES, _MAX_BRACKETS = 1 << 14, 20  # yaml takes seconds for a few thousand brackets
_NUMBERS = ("sampling_rate", "millivolts_per_unit")
_KEYS = ("sampling_rate", "unit", "millivolts_per_unit", "leads", "dataset")
_OTHER_WORDS = dict.fromkeys(("fs", "hz", "rate", "sfreq", "frequency", "samplingfrequency"), "sampling_rate")
_OTHER_WORDS |= dict.fromkeys(("channels", "signals", "columns"), "leads")


@dataclasses.dataclass(frozen=True)
class Description:
    """How the numbers of an array are to be read."""

    sampling_rate: float  # Hz
    millivolts: float  # of one unit
    leads: tuple[str, ...]  # in the order of the array; () where the file has a header line
    dataset: str  # of an HDF5 file


def described_by(path: Path, top: Path) -> Path | None:
    """The description of a file: beside it, or in a folder above it, up to `top`."""
    beside = path.with_suffix(".yaml")
    if beside.is_file():
        return beside
    for folder in path.parents:
        if (folder / FILE).is_file():
            return folder / FILE
        if folder == top:
            break
    return None


def describe(path: Path, top: Path | None = None) -> Description:
    """What is said of an array.

    Raises:
      RecordingRefused: when nothing is, or not what is needed.
    """
    found = described_by(path, top or path.parent)
    if found is None:
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{path.name}: expected {FILE} or {path.stem}.yaml beside it, with sampling_rate, unit and leads",
        )
    return read_description(found)


def read_description(path: Path) -> Description:
    """Reads and checks an `ecg.yaml`.

    Raises:
      RecordingRefused: when it says something else than is asked for.
    """
    check_file(path, _MAX_BYTES)
    try:
        text = path.read_text(encoding="utf-8")
        if text.count("[") + text.count("{") > _MAX_BRACKETS:
            raise ValueError("too many brackets")
        said = yaml.safe_load(text)
    except Exception as error:  # yaml's own errors, and numbers or depths that Python refuses
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: no YAML ({type(error).__name__})") from error
    if isinstance(said, dict):
        said = {key: _as_number(value) if key in _NUMBERS else value for key, value in said.items()}
    if isinstance(said, dict) and (odd := [str(key) for key in said if key not in _KEYS]):
        named = ", ".join(with_guess(key, _KEYS, _OTHER_WORDS) for key in odd[:20])
        raise RecordingRefused(
            Reason.UNREADABLE, f"{path.name}: expected keys among {', '.join(_KEYS)}, got {named}"
        )
    if not isinstance(said, dict) or not _number(said.get("sampling_rate")):
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{path.name}: expected sampling_rate: a number of Hz, and some of {', '.join(_KEYS[1:])}",
        )
    check_rate(path.name, float(said["sampling_rate"]))
    leads, dataset = said.get("leads", []), said.get("dataset", "")
    named = isinstance(leads, list) and len(leads) <= 100 and all(isinstance(one, str) for one in leads)
    if not named or not isinstance(dataset, str) or len(dataset) > 200:
        raise RecordingRefused(
            Reason.UNREADABLE, f"{path.name}: expected leads: [I, II, …] and dataset: name"
        )
    positions(path.name, leads)  # no lead twice
    return Description(float(said["sampling_rate"]), _millivolts(path.name, said), tuple(leads), dataset)


def _millivolts(name: str, said: dict[str, Any]) -> float:
    unit, factor = said.get("unit"), said.get("millivolts_per_unit")
    if isinstance(unit, str) and factor is None:
        return millivolts_of(name, unit)
    if unit is None and isinstance(factor, (int, float)) and _number(factor) and factor > 0:
        return float(factor)
    raise RecordingRefused(
        Reason.UNKNOWN_UNIT, f"{name}: expected unit: mV (uV, V), or millivolts_per_unit: a number above 0"
    )


def _as_number(value: Any) -> Any:
    """A number also where YAML 1.1 reads text: it knows 1.0e-3, and not 1e-3."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
