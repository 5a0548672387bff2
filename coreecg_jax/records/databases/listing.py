"""What a source folder lists, before any signal is read."""

import dataclasses
import hashlib
from collections.abc import Callable

from coreecg_jax.records.recording import Recording

# A recording by its `Listed.file`; picklable, as worker processes receive it.
Read = Callable[[str], Recording]


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """What is known of one recording besides its signal; the defaults say 'unknown'."""

    patient_id: str | None = None
    fold: int = 0
    labels: tuple[str, ...] = ()
    likelihoods: tuple[float, ...] = ()  # per cent, one a label
    age: float = float("nan")  # years
    sex: str = ""  # 'F', 'M' or ''


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """One recording of a source: where it is and what a table says about it."""

    recording_id: str
    file: str  # what the reader of the source is given: mostly a file, relative to the folder
    split: str
    about: About | None = None  # None: what the header's comments say


@dataclasses.dataclass(frozen=True)
class Listing:
    """A source: its name, how it is read, the recordings that are there and those listed in vain."""

    name: str
    read: Read
    recordings: tuple[Listed, ...]
    missing: tuple[str, ...] = ()
    published: int = 0  # recordings of the whole database, where no table lists them; 0: not known
    note: str = ""  # what the user should know of this copy

    @property
    def missing_count(self) -> int:
        """Recordings of the database that are not in this copy."""
        return max(len(self.missing), self.published - len(self.recordings))

    def digest(self) -> str:
        """16 hex digits that change when the source lists other recordings."""
        ids = "\n".join(recording.recording_id for recording in self.recordings)
        return hashlib.sha256(ids.encode()).hexdigest()[:16]
