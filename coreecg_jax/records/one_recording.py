"""From one listed recording to its windows: read, check, condition, cut. Pure but for the reader."""

import dataclasses
import hashlib
from typing import Any

import numpy as np

from coreecg_jax.records import conditioning, quality, schema
from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.databases.listing import Listed, Read
from coreecg_jax.records.measures import measured
from coreecg_jax.records.policy import Policy
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.suspicions import Suspicion, leads_with, suspected


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything besides the source that decides what the shards hold.

    Raises:
      ValueError: when a setting is not allowed.
    """

    preprocessing: schema.Preprocessing = dataclasses.field(default_factory=schema.Preprocessing)
    max_windows: int = 6  # of one recording
    policy: Policy = dataclasses.field(default_factory=Policy)

    def __post_init__(self) -> None:
        conditioning.check_preprocessing(self.preprocessing)
        if self.max_windows < 1:
            raise ValueError(f"max_windows: expected at least 1, got {self.max_windows}")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one recording: its line of the manifest and its examples (none when refused)."""

    split: str
    line: dict[str, Any]
    examples: tuple[dict[str, Any], ...] = ()


def process(listed: Listed, read: Read, source_name: str, settings: Settings) -> Outcome:
    """One recording by the reader of its source; a refusal is an outcome like any other."""
    line: dict[str, Any] = {"recording_id": listed.recording_id, "file": listed.file}
    try:
        raw = read(listed.file)
        check_rate_and_length(raw, settings.preprocessing)
        flags_L, measures, odd = looked_at(raw, settings.policy)
        line |= {"flags": flags_L.tolist(), "measured": measures}
        quality.check_unit(raw.ecg_LT)
        masked_L = settings.policy.masked(flags_L, odd, raw.ignored_signals)
        examples, dropped = _examples(listed, raw, masked_L, source_name, settings)
    except RecordingRefused as refusal:
        line |= {"status": "refused", "reason": str(refusal.reason), "sentence": refusal.sentence}
        return Outcome(listed.split, line)
    line |= {
        "status": "read",
        "windows": len(examples),
        "dropped_seconds": dropped,
        "masked": masked_L.tolist(),
        "ignored_signals": list(raw.ignored_signals),
        "signal_hash": examples[0]["signal_hash"],
    }
    return Outcome(listed.split, line, examples)


def looked_at(
    raw: Recording, policy: Policy
) -> tuple[np.ndarray, dict[str, Any], dict[Suspicion, np.ndarray]]:
    """int64[12] of LeadFlag bits, what is measured as the manifest has it, and bool[12] by suspicion.

    Nothing is refused here.
    """
    flags_L = quality.lead_flags(raw.ecg_LT, raw.present_L, raw.sampling_rate)
    measures = measured(raw)
    odd = suspected(measures, policy.limits)
    named = {str(one): leads_with(odd_L) for one, odd_L in odd.items()}
    return flags_L, measures.line() | {"suspected": named}, odd


def signal_hash(ecg_LT: np.ndarray) -> str:
    """SHA-256 (16 hex digits) of int32 microvolts, leads in the order of LEADS; NaN is the lowest int32."""
    lowest = np.iinfo(np.int32).min
    microvolts_LT = np.rint(ecg_LT * 1000.0)
    np.clip(microvolts_LT, lowest + 1, -(lowest + 1), out=microvolts_LT)
    microvolts_LT[np.isnan(microvolts_LT)] = lowest
    return hashlib.sha256(microvolts_LT.astype("<i4").data).hexdigest()[:16]


def check_rate_and_length(raw: Recording, preprocessing: schema.Preprocessing) -> None:
    """Refuses what cannot hold the band, or is shorter than the shortest window.

    Raises:
      RecordingRefused: with reason SAMPLING_RATE or TOO_SHORT.
    """
    lowest = 2 * preprocessing.low_pass
    if raw.sampling_rate < lowest:
        raise RecordingRefused(
            Reason.SAMPLING_RATE,
            f"expected at least {lowest:g} Hz to hold a band up to {preprocessing.low_pass:g} Hz, "
            f"got {raw.sampling_rate:g} Hz",
        )
    seconds = raw.ecg_LT.shape[1] / raw.sampling_rate
    if seconds < conditioning.MIN_WINDOW_SECONDS:
        raise RecordingRefused(
            Reason.TOO_SHORT, f"expected at least {conditioning.MIN_WINDOW_SECONDS:g} s, got {seconds:.2f} s"
        )


def _examples(
    listed: Listed, raw: Recording, masked_L: np.ndarray, source_name: str, settings: Settings
) -> tuple[tuple[dict[str, Any], ...], float]:
    """One example a window, with the fields of `schema.FIELDS`, and the seconds that no window holds."""
    p = settings.preprocessing
    usable_LT = np.where((masked_L == 0)[:, None], raw.ecg_LT, 0.0)
    conditioned_LT = conditioning.condition(usable_LT, raw.sampling_rate, p)
    units_LT = conditioning.to_int16(conditioned_LT, p.microvolts_per_unit)
    n_samples = units_LT.shape[1]
    spans = conditioning.window_spans(n_samples, p, settings.max_windows)
    about = listed.known(lambda: parse_comments(raw.comments))
    patient = about.patient_id or schema.unknown_patient(listed.recording_id)
    recording = {
        "quality": masked_L,
        "recording_id": listed.recording_id,
        "patient_id": patient,
        "patient_key": schema.patient_key(source_name, patient),
        "source": source_name,
        "fold": about.fold,
        "labels": list(about.labels),
        "likelihoods": list(about.likelihoods),
        "age": about.age,
        "sex": about.sex,
        "signal_hash": signal_hash(raw.ecg_LT),
    }
    examples = tuple(
        {"ecg": conditioning.cut(units_LT, start, length, p.window_samples), "length": length, "window": k}
        | recording
        for k, start, length in spans
    )
    kept = sum(length for _, _, length in spans)
    return examples, round((n_samples - kept) / p.sampling_rate, 3)
