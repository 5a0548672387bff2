"""What a shard holds: the one place that knows it. Pure data, no TensorFlow.

A shard example is one window of one recording. `Preprocessing` says how the samples came about and
travels with the shards (`preprocessing.json` beside them), with every checkpoint and every result.
"""

import dataclasses
import enum
import functools
import hashlib
import json
import operator
from typing import Any

from coreecg_jax.records.leads import LEADS

PREPROCESSING_FILE = "preprocessing.json"
MANIFEST_FILE = "manifest.jsonl"


class OtherSettings(ValueError):
    """What is there was made with other settings than are asked for."""


class LeadFlag(enum.IntFlag):
    """What is wrong with one lead of one window; zero is a good lead."""

    MISSING = 1
    FLAT = 2
    SATURATED = 4
    NAN = 8
    # Only where the policy masks what is suspected (records/policy.py).
    WANDER = 16
    NOISE = 32
    RELATION = 64
    REVERSED = 128
    UNIT = 256


# A lead with any of these carries no signal: it is masked, never normalised.
UNAVAILABLE = functools.reduce(operator.or_, LeadFlag)


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How raw samples became shard samples. Two data sets mix only when all of it agrees."""

    sampling_rate: float = 250.0  # Hz, after polyphase resampling
    window_seconds: float = 10.0
    high_pass: float = 0.67  # Hz; zero-phase Butterworth
    low_pass: float = 40.0  # Hz; zero-phase Butterworth
    filter_order: int = 5  # of each of the two filters, before it is run forwards and backwards
    microvolts_per_unit: float = 1.0  # of the stored int16
    leads: tuple[str, ...] = LEADS

    @property
    def window_samples(self) -> int:
        """Samples in a stored window."""
        return round(self.window_seconds * self.sampling_rate)

    def to_json(self) -> str:
        """As text for `preprocessing.json`."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Preprocessing":
        """From the text of `preprocessing.json`; unknown or missing fields raise ValueError."""
        fields: dict[str, Any] = json.loads(text)
        expected = {field.name for field in dataclasses.fields(cls)}
        if set(fields) != expected:
            raise ValueError(f"preprocessing: expected fields {sorted(expected)}, got {sorted(fields)}")
        fields["leads"] = tuple(fields["leads"])
        return cls(**fields)


@dataclasses.dataclass(frozen=True)
class Field:
    """One feature of a shard example: its TFRecord kind, numpy dtype, and what it means."""

    kind: str  # 'signal' (raw little-endian bytes), 'int', 'float', 'text'
    meaning: str
    shape: tuple[int | None, ...] = ()  # None: any number


# Names are those in the TFRecord.
FIELDS: dict[str, Field] = {
    "ecg": Field("signal", "int16 microvolts, leads in the order of LEADS; zero after `length`", (12, None)),
    "length": Field("int", "valid samples of the window, from its start"),
    "quality": Field("int", "LeadFlag bits of each lead", (12,)),
    "recording_id": Field("text", "id of the recording within its source"),
    "window": Field("int", "number of the window within its recording, from 0"),
    "patient_id": Field("text", "id within the source; 'recording:<recording_id>' where unknown"),
    "patient_key": Field("int", "uint32 of (source, patient_id): two windows with one key are no negatives"),
    "source": Field("text", "name of the data set"),
    "fold": Field("int", "published fold, 0 where there is none"),
    "labels": Field("text", "codes as published, exact", (None,)),
    "likelihoods": Field("float", "per cent, one a label; NaN where the source gives none", (None,)),
    "age": Field("float", "years; NaN where unknown"),
    "sex": Field("text", "'F', 'M' or ''"),
    "signal_hash": Field("text", "SHA-256 (16 hex digits) of the raw signal of the recording in microvolts"),
}


def unknown_patient(recording_id: str) -> str:
    """The patient id of a recording whose patient is not known: its own, never shared."""
    return f"recording:{recording_id}"


def patient_key(source: str, patient_id: str) -> int:
    """A stable uint32 for (source, patient). A chance collision costs one negative, nothing else."""
    digest = hashlib.sha256(f"{source}\0{patient_id}".encode()).digest()
    return int.from_bytes(digest[:4], "little")
