"""Recordings in the formats of hospitals, written from their specifications; no reader is used for them."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from made_recordings import LEADS, made_ecg

from coreecg_jax.records.formats.files import read_recording
from coreecg_jax.records.leads import LIMB_FROM_I_II
from coreecg_jax.records.refusals import RecordingRefused

MUSE_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
ROW_OF = {name: row for row, name in enumerate(LEADS)}
ECG_YAML = "sampling_rate: 500\nunit: mV\n"


def refused(path: Path) -> RecordingRefused:
    """The refusal of a file, which must have a sentence."""
    with pytest.raises(RecordingRefused) as caught:
        read_recording(path)
    assert caught.value.sentence
    return caught.value


def lawful_ecg() -> np.ndarray:
    """With limb leads that agree, as every recording has them."""
    ecg = made_ecg()
    ecg[:6] = LIMB_FROM_I_II @ ecg[:2]
    return ecg


def write_edf(
    path: Path,
    ecg: np.ndarray,
    rate: int = 500,
    *,
    names: Sequence[str] = LEADS,
    unit: str = "uV",
    patient: str = "MCH-0234567 F 02-MAY-1951 Haagse_Harry",
) -> Path:
    """EDF+ of one-second records, 1 uV a step, +-32767 uV, and the annotations that EDF+ asks for."""
    digital_LT = np.rint(ecg * 1000).astype("<i2")
    signals, seconds = len(names) + 1, ecg.shape[1] // rate

    def fields(width: int, values: Sequence[object]) -> str:
        return "".join(str(value).ljust(width)[:width] for value in values)

    header = fields(8, ["0"]) + fields(80, [patient, "Startdate 02-MAR-2002 X X X"])
    header += "02.03.0212.00.00" + fields(8, [256 * (signals + 1)]) + fields(44, ["EDF+C"])
    header += fields(8, [seconds, 1]) + fields(4, [signals])
    header += fields(16, [*names, "EDF Annotations"]) + fields(80, [""] * signals)
    header += fields(8, [*[unit] * len(names), ""])
    for bound in (-32768, 32767, -32768, 32767):
        header += fields(8, [bound] * signals)
    header += fields(80, [""] * signals) + fields(8, [rate] * len(names) + [8]) + fields(32, [""] * signals)
    times = [f"+{second}\x14\x14".encode().ljust(16, b"\0") for second in range(seconds)]
    seconds_SLT = digital_LT[:, : seconds * rate].reshape(len(names), seconds, rate).transpose(1, 0, 2)
    body = b"".join(second_LT.tobytes() + time for second_LT, time in zip(seconds_SLT, times))
    path.write_bytes(header.encode("ascii") + body)
    return path


def muse_xml(
    ecg: np.ndarray, rate: int = 500, *, microvolts: float = 4.88, names: Sequence[str] = MUSE_LEADS
) -> str:
    """`RestingECG` with a median and a rhythm waveform; `ecg` are the rows of `names`, mV."""

    def lead(name: str, row: np.ndarray) -> str:
        stored = np.rint(row * 1000 / microvolts).astype("<i2").tobytes()
        return (
            f"<LeadData><LeadByteCountTotal>{len(stored)}</LeadByteCountTotal><LeadTimeOffset>0</LeadTimeOffset>"
            f"<LeadSampleCountTotal>{len(stored) // 2}</LeadSampleCountTotal>"
            f"<LeadAmplitudeUnitsPerBit>{microvolts}</LeadAmplitudeUnitsPerBit>"
            "<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits><LeadSampleSize>2</LeadSampleSize>"
            f"<LeadID>{name}</LeadID><WaveFormData>\n{base64.encodebytes(stored).decode()}</WaveFormData></LeadData>"
        )

    def waveform(kind: str, rows: np.ndarray) -> str:
        head = f"<Waveform><WaveformType>{kind}</WaveformType><SampleBase>{rate}</SampleBase>"
        head += "<SampleExponent>0</SampleExponent>"
        return head + "".join(lead(name, row) for name, row in zip(names, rows)) + "</Waveform>"

    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE RestingECG SYSTEM "restecg.dtd"><RestingECG>'
        "<PatientDemographics><PatientID>P 17</PatientID><PatientAge>64</PatientAge>"
        "<AgeUnits>YEARS</AgeUnits><Gender>FEMALE</Gender><PatientLastName>SECRET</PatientLastName>"
        "</PatientDemographics><Diagnosis><DiagnosisStatement><StmtText>Confirmed by SECRET</StmtText>"
        "</DiagnosisStatement></Diagnosis>"
        + waveform("Median", ecg[:, :600])
        + waveform("Rhythm", ecg)
        + "</RestingECG>"
    )


def hl7_xml(
    ecg: np.ndarray, rate: int = 500, *, names: Sequence[str] = LEADS, microvolts: float = 2.5
) -> str:
    """`AnnotatedECG` with one rhythm series and a derived one; `ecg` are the rows of `names`, mV."""

    def sequence(name: str, row: np.ndarray) -> str:
        digits = " ".join(str(round(value)) for value in row * 1000 / microvolts)
        return (
            f'<component><sequence><code code="MDC_ECG_LEAD_{name.upper()}" codeSystem="2.16.840.1"/>'
            '<value xsi:type="SLIST_PQ"><origin value="0" unit="uV"/>'
            f'<scale value="{microvolts}" unit="uV"/><digits>{digits}</digits></value></sequence></component>'
        )

    def series(rows: np.ndarray) -> str:
        time = (
            '<component><sequence><code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS">'
            f'<head value="20021122091000.000"/><increment value="{1 / rate!r}" unit="s"/></value>'
            "</sequence></component>"
        )
        leads = "".join(sequence(name, row) for name, row in zip(names, rows))
        return f"<component><sequenceSet>{time}{leads}</sequenceSet></component>"

    return (
        '<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><effectiveTime><low value="20021122091000"/>'
        "</effectiveTime><componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>"
        '<id root="2.16" extension="SBJ_1"/><subjectDemographicPerson><name>SECRET</name>'
        '<administrativeGenderCode code="M"/><birthTime value="19530508"/></subjectDemographicPerson>'
        "</trialSubject></subject></subjectAssignment></componentOf></timepointEvent></componentOf>"
        f'<component><series><code code="RHYTHM"/>{series(ecg)}<derivation><derivedSeries>'
        f"{series(ecg[:, :500])}</derivedSeries></derivation></series></component></AnnotatedECG>"
    )


def write_dicom(path: Path, ecg: np.ndarray, rate: int = 500, *, names: Sequence[str] = LEADS) -> Path:
    """A 12-lead ECG object, 1.25 uV a step, leads by the meaning of their code; needs pydicom to write."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage

    def coded(value: str, meaning: str) -> Dataset:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "UCUM", meaning
        return code

    group = Dataset()
    group.WaveformOriginality, group.MultiplexGroupLabel = "ORIGINAL", "RHYTHM"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = ecg.shape
    group.SamplingFrequency = rate
    group.ChannelDefinitionSequence = []
    for name in names:
        channel = Dataset()
        channel.ChannelSourceSequence = [coded("X", f"Lead {name}")]
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = 1.25, 1
        channel.ChannelBaseline, channel.WaveformBitsStored = 0, 16
        channel.ChannelSensitivityUnitsSequence = [coded("uV", "microvolt")]
        group.ChannelDefinitionSequence.append(channel)
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformPaddingValue = np.array([-32768], "<i2").tobytes()
    stored = np.where(np.isnan(ecg), -32768, np.rint(np.nan_to_num(ecg) * 800)).astype("<i2")
    group.WaveformData = stored.T.tobytes()
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = TwelveLeadECGWaveformStorage
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = "1.2.3"
    file.PatientID, file.PatientSex, file.PatientAge, file.PatientName = "P9", "F", "064Y", "SECRET"
    file.WaveformSequence = [group]
    file.save_as(path, enforce_file_format=True)
    return path
