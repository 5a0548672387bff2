"""What a source folder lists, before any signal is read."""

import dataclasses
import hashlib
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class About:
    """What is known of one recording besides its signal; the defaults say 'unknown'."""

    patient_id: str | None = None
    fold: int = 0
    labels: tuple[str, ...] = ()
    likelihoods: tuple[float, ...] = ()  # per cent, one a label
    age: float = float("nan")  # years
    sex: str = ""  # 'F', 'M' or ''


@dataclasses.dataclass(frozen=True)
class Listed:
    """One recording of a source: where it is and what a table says about it."""

    recording_id: str
    file: str  # the .hea file, relative to the source
    split: str
    about: About | None = None  # None: what the header's comments say


@dataclasses.dataclass(frozen=True)
class Listing:
    """A source: its name, the recordings that are there (sorted), and those that its table lists in vain."""

    name: str
    source: Path
    recordings: tuple[Listed, ...]
    missing: tuple[str, ...] = ()

    def digest(self) -> str:
        """16 hex digits that change when the source lists other recordings."""
        ids = "\n".join(recording.recording_id for recording in self.recordings)
        return hashlib.sha256(ids.encode()).hexdigest()[:16]
