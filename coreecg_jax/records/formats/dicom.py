"""DICOM waveforms: 12-lead ECG and general ECG objects, read by pydicom.

Read: one group of channels that were sampled together (`WaveformOriginality` ORIGINAL, no median beat), with
sensitivity and unit of each channel. Not read: deflated files, channels without sensitivity, leads that are
spread over groups of different length or start. Standard: DICOM PS3.3 C.10.9, PS3.16 CID 3001.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.records.formats.limits import check_file, check_values, need
from coreecg_jax.records.formats.placing import millivolts_of, placed
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused

_MAX_BYTES = 1 << 28
_DEFLATED = "1.2.840.10008.1.2.1.99"
# The lead of a channel by its code: MDC 2:1 (I), … of CID 3001, and 5.6.3-9-1 (I), … of SCP-ECG.
_CODES = dict(zip(LEADS, ("1", "2", "61", "62", "63", "64", "3", "4", "5", "6", "7", "8")))
_LEAD_OF = {f"{scheme}{code}": lead for lead, code in _CODES.items() for scheme in ("2:", "5.6.3-9-")}


def read_dicom(path: Path) -> Recording:
    """The leads of a DICOM waveform object.

    Raises:
      RecordingRefused: when it cannot be read, with the reason.
      MissingPackage: without pydicom.
    """
    pydicom = need("pydicom", path.name)
    waveforms = need("pydicom.waveforms", path.name)
    check_file(path, _MAX_BYTES)
    try:
        with warnings.catch_warnings():  # pydicom warns of values that do not keep to the standard
            warnings.simplefilter("ignore")
            meta = pydicom.filereader.read_file_meta_info(path)
            if str(meta.get("TransferSyntaxUID", "")) == _DEFLATED:
                raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: deflated files are not read")
            file = pydicom.dcmread(path)
            return _recording(path.name, file, waveforms)
    except RecordingRefused:
        raise
    except Exception as error:  # pydicom raises whatever its parser stumbles over
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {type(error).__name__}: {error}") from error


def _recording(name: str, file: Any, waveforms: Any) -> Recording:
    groups = [
        (index, group) for index, group in enumerate(file.get("WaveformSequence", [])) if _is_rhythm(group)
    ]
    if not groups:
        raise RecordingRefused(
            Reason.UNREADABLE, f"{name}: expected a waveform that was recorded, found none"
        )
    extents = {_extent(group) for _, group in groups}
    if len(extents) > 1:
        raise RecordingRefused(
            Reason.UNREADABLE, f"{name}: expected leads recorded together, got groups of {sorted(extents)}"
        )
    channels = [channel for _, group in groups for channel in group.ChannelDefinitionSequence]
    rate, samples, _ = extents.pop()
    check_values(name, len(channels), samples)
    millivolts = [_millivolts(name, channel) for channel in channels]
    parts = [_signals(file, group, index, waveforms) for index, group in groups]
    names = [_lead(channel) for channel in channels]
    return placed(name, names, np.concatenate(parts, axis=1).T, millivolts, rate, _comments(file))


def _is_rhythm(group: Any) -> bool:
    label = str(group.get("MultiplexGroupLabel", "")).upper()
    return group.get("WaveformOriginality", "ORIGINAL") == "ORIGINAL" and "MEDIAN" not in label


def _extent(group: Any) -> tuple[float, int, float]:
    """Rate in Hz, samples of each channel, start in ms."""
    start = group.get("MultiplexGroupTimeOffset") or 0.0
    return float(group.SamplingFrequency), int(group.NumberOfWaveformSamples), float(start)


def _signals(file: Any, group: Any, index: int, waveforms: Any) -> np.ndarray:
    """float64[T, channels] in the unit of each channel, NaN where a sample is padding."""
    samples_TC = np.array(waveforms.multiplex_array(file, index, as_raw=False), np.float64)
    padding = group.get("WaveformPaddingValue")
    if padding is not None:
        raw_TC = waveforms.multiplex_array(file, index, as_raw=True)
        value = padding if isinstance(padding, int) else np.frombuffer(padding, raw_TC.dtype)[0]
        samples_TC[raw_TC == value] = np.nan
    return samples_TC


def _millivolts(name: str, channel: Any) -> float:
    if "ChannelSensitivity" not in channel or not channel.get("ChannelSensitivityUnitsSequence"):
        raise RecordingRefused(
            Reason.UNKNOWN_UNIT, f"{name}: expected sensitivity and unit of each channel (uncalibrated)"
        )
    return millivolts_of(name, str(channel.ChannelSensitivityUnitsSequence[0].CodeValue))


def _lead(channel: Any) -> str:
    """By the code of its source, else by the code's meaning, else by the channel's label."""
    sources = channel.get("ChannelSourceSequence") or [{}]
    code = str(sources[0].get("CodeValue", "")).removeprefix("MDC_ECG_LEAD_")
    meaning = str(sources[0].get("CodeMeaning", "") or channel.get("ChannelLabel", ""))
    return _LEAD_OF.get(code) or meaning.partition(",")[0]


def _comments(file: Any) -> list[str]:
    """Id, sex and age in years. The name is never read."""
    age = str(file.get("PatientAge", ""))
    said = {"patient_id": file.get("PatientID", ""), "sex": file.get("PatientSex", "")}
    said["age"] = age.removesuffix("Y").lstrip("0") if age.endswith("Y") else ""
    return [f"{key}: {str(value).strip()}" for key, value in said.items() if str(value).strip()]
