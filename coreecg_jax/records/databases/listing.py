"""What a source folder lists, before any signal is read."""

import dataclasses
import hashlib
import math
from collections.abc import Callable

from coreecg_jax.records.recording import Recording

# What settings of before there were `records.folds` come to.
NOT_DIVIDED = {"folds": 0, "fold_seed": 0}

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

    def completed(self, other: "About") -> "About":
        """With what `other` knows where this knows nothing."""
        labelled = self if self.labels else other
        return About(
            patient_id=self.patient_id or other.patient_id,
            fold=self.fold or other.fold,
            labels=labelled.labels,
            likelihoods=labelled.likelihoods,
            age=other.age if math.isnan(self.age) else self.age,
            sex=self.sex or other.sex,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """One recording of a source: where it is and what a table says about it."""

    recording_id: str
    file: str  # what the reader of the source is given: mostly a file, relative to the folder
    split: str
    about: About | None = None  # None: what the file says
    completed_by_file: bool = False  # what the table leaves empty is what the file says

    def known(self, of_file: Callable[[], About]) -> About:
        """What table and file say of it together; `of_file` is asked where the file has a say."""
        if self.about is None:
            return of_file()
        return self.about.completed(of_file()) if self.completed_by_file else self.about


@dataclasses.dataclass(frozen=True)
class Listing:
    """A source: its name, how it is read, the recordings that are there and those listed in vain."""

    name: str
    read: Read
    recordings: tuple[Listed, ...]
    missing: tuple[str, ...] = ()
    published: int = 0  # recordings of the whole database, where no table lists them; 0: not known
    folds: int = 0  # that splits were made of (`records.folds`); 0: splits are the source's own
    fold_seed: int = 0
    label_sets: tuple[str, ...] = ()  # of `records.label_sets`, those of the database
    note: str = ""  # what the user should know of this copy, a line each
    not_looked_at: str = ""  # files of the source that are no recordings, by their ending

    @property
    def missing_count(self) -> int:
        """Recordings of the database that are not in this copy."""
        return max(len(self.missing), self.published - len(self.recordings))

    def digest(self) -> str:
        """16 hex digits that change when the source lists other recordings."""
        ids = "\n".join(recording.recording_id for recording in self.recordings)
        return hashlib.sha256(ids.encode()).hexdigest()[:16]

    def contents(self) -> dict[str, str]:
        """For each kind of what is told of the recordings, 16 hex digits that change with it.

        What a file says and the listing does not know (`about` is None) is not in them.
        """
        kinds: dict[str, Callable[[Listed, About], object]] = {
            "splits": lambda listed, about: (listed.split, about.fold),
            "patients": lambda listed, about: about.patient_id,
            "labels": lambda listed, about: (about.labels, about.likelihoods),
            "ages": lambda listed, about: about.age,
            "sexes": lambda listed, about: about.sex,
        }
        totals = {kind: hashlib.sha256() for kind in kinds}
        unknown = About()
        for listed in self.recordings:
            for kind, of in kinds.items():
                told = of(listed, listed.about or unknown)
                totals[kind].update(repr((listed.recording_id, told)).encode())
        return {f"contents.{kind}": total.hexdigest()[:16] for kind, total in totals.items()}
