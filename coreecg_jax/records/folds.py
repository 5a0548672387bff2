"""Folds by patient, for a source that publishes none: they become splits, named as PTB-XL's are."""

import collections
import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.databases.listing import About, Listed, Listing, Read
from coreecg_jax.records.databases.published import SPLIT, header_about
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.records.schema import unknown_patient


def in_folds(listing: Listing, folds: int, seed: int = 0, source: Path | None = None) -> Listing:
    """The listing with its recordings in splits `fold1` to `fold<folds>`, sorted by fold.

    All recordings of a patient are in one fold; one whose patient is not known is a patient of its own. Where
    the listing knows labels, patients with one set of labels are spread over the folds as evenly as their
    number allows. Where it knows none, a patient's fold is a hash of seed and patient alone, so a part of a
    database has each patient in the fold of the whole.

    A fold has no recording when there are fewer patients than folds, or, by hash, by chance.

    Args:
      listing: with all recordings in the split `recordings`.
      folds: how many.
      seed: another one gives other folds; little changes where most sets of labels are one patient's only.
      source: the folder of the files. They are asked who the patient is, and for labels, where no table says
        it: of WFDB records the header, other files whole. None: what the listing does not know is unknown.

    Raises:
      ValueError: when there are fewer than two folds, or the source has splits of its own.
    """
    if folds < 2:
        raise ValueError(f"--folds: expected 2 or more (0: one split, {SPLIT!r}), got {folds}")
    if not has_no_splits(listing):
        own = ", ".join(dict.fromkeys(listed.split for listed in listing.recordings))
        raise ValueError(f"--folds: {listing.name} has splits of its own ({own}): leave --folds out")
    recordings = _with_abouts(listing, source) if source else listing.recordings
    labels: dict[str, set[str]] = {}
    for listed in recordings:
        labels.setdefault(_patient(listed), set()).update(listed.about.labels if listed.about else ())
    fold_of = _dealt(labels, folds, seed) if any(labels.values()) else _hashed(labels, folds, seed)
    divided = (dataclasses.replace(one, split=f"fold{fold_of[_patient(one)]}") for one in recordings)
    by_fold = tuple(sorted(divided, key=lambda one: int(one.split.removeprefix("fold"))))
    return dataclasses.replace(listing, recordings=by_fold, folds=folds, fold_seed=seed)


def has_no_splits(listing: Listing) -> bool:
    """Whether all recordings are in the one split of a source that publishes none."""
    return all(listed.split == SPLIT for listed in listing.recordings)


def _with_abouts(listing: Listing, source: Path) -> tuple[Listed, ...]:
    """The recordings with what their files say, which preparing would find too, where no table did."""
    return tuple(_with_about(one, source, listing.read) for one in listing.recordings)


def _with_about(one: Listed, source: Path, read: Read) -> Listed:
    """A file is not opened where all that folds hang on, patient and labels, is known without it."""
    if one.about and one.about.patient_id and one.about.labels:
        return one
    return dataclasses.replace(one, about=one.known(lambda: _about(source, one.file, read)))


def _about(source: Path, file: str, read: Read) -> About:
    if file.endswith(".hea"):
        return header_about(source / file)
    try:
        return parse_comments(read(file).comments)
    except RecordingRefused:
        return About()  # it will be refused again, and be in no shard


def _patient(listed: Listed) -> str:
    """As the shards name the patient."""
    patient = listed.about.patient_id if listed.about else None
    return patient or unknown_patient(listed.recording_id)


def _dealt(labels: Mapping[str, Iterable[str]], folds: int, seed: int) -> dict[str, int]:
    """Patient -> fold: dealt in turn, rare labels first, patients with one set of labels side by side.

    Who is side by side in that order goes to different folds: so each set of labels, and each label among
    the patients whose rarest it is, is in every fold as often as in any other, or once more.
    """
    frequency = collections.Counter(label for found in labels.values() for label in set(found))
    ordered = sorted(frequency, key=lambda label: (frequency[label], label))
    rank = {label: place for place, label in enumerate(ordered)}
    ranks = {patient: sorted(rank[label] for label in set(found)) for patient, found in labels.items()}
    order = sorted(labels, key=lambda patient: (ranks[patient], _hash(seed, patient)))
    return {patient: 1 + place % folds for place, patient in enumerate(order)}


def _hashed(patients: Iterable[str], folds: int, seed: int) -> dict[str, int]:
    """Patient -> fold, whoever else is there."""
    return {patient: 1 + _hash(seed, patient) % folds for patient in patients}


def _hash(seed: int, patient: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0{patient}".encode()).digest()[:8], "big")
