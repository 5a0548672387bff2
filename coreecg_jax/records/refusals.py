"""Why a recording is set aside: a code for the table, a sentence for the reader."""

import enum


class Reason(enum.StrEnum):
    """Reason codes, as they stand in the manifest."""

    UNREADABLE = "unreadable"
    OUTSIDE_FOLDER = "outside_folder"
    MISSING_LEAD = "missing_lead"
    DUPLICATED_LEAD = "duplicated_lead"
    UNKNOWN_LEAD = "unknown_lead"
    UNKNOWN_UNIT = "unknown_unit"
    WRONG_UNIT = "wrong_unit"
    SAMPLING_RATE = "sampling_rate"
    TOO_SHORT = "too_short"
    NAN = "nan"
    FLAT_LEAD = "flat_lead"
    SATURATED = "saturated"
    NO_GOOD_LEAD = "no_good_lead"
    INT16_OVERFLOW = "int16_overflow"
    SUSPECTED = "suspected"


class NothingReadable(ValueError):
    """None of the recordings of a source can be used."""


class RecordingRefused(ValueError):
    """One recording cannot be used; the run goes on without it.

    Attributes:
      reason: the code.
      sentence: expected and got, for a human.
    """

    def __init__(self, reason: Reason, sentence: str):
        super().__init__(reason, sentence)
        self.reason = reason
        self.sentence = sentence

    def __str__(self) -> str:
        return f"{self.reason}: {self.sentence}"
