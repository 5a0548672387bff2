"""What of a test an encoder was pretrained on: by id, patient, signal and likeness, and by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from coreecg_jax.downstream.methods import Encoder
from coreecg_jax.downstream.overlaps import Windows, joined, windows_in, windows_of
from coreecg_jax.downstream.provenance import overlap
from coreecg_jax.downstream.shared_patient_ids import SharedIds, shared_patient_ids
from coreecg_jax.downstream.shared_splits import as_specification, shared_splits
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.inputs.selection import Selection, named_splits, select


class Exposure(NamedTuple):
    """How many recordings of a test an encoder saw, one way or another, and what cannot be told."""

    recordings: int = 0  # by source and id
    patients: int = 0  # recordings of known patients
    signals: int = 0  # by their hash: one recording under two ids
    alike: int = 0  # by fingerprint and likeness: one signal at another rate or gain, cropped, or with noise
    changed: bool = False  # compared with data of the same name that are not those that were meant
    unknown: tuple[str, ...] = ()  # 'NAME:SPLIT' of its data that are not at hand, or may be others
    named: tuple[str, ...] = ()  # 'NAME:SPLIT' that its data and the test have in common by name
    ids_in_both: tuple[SharedIds, ...] = ()  # of patients of another data set: told, and not counted above


class _Place(NamedTuple):
    """Where a part of an encoder's data is compared with the test."""

    root: str
    name: str  # of the data set
    meant: bool  # they are those of the run; else others of that name, or it cannot be told


BY_NAME = "known by the data specification of its training alone: none of the recordings was recognised"
Seen = Mapping[str, Exposure | None]  # by encoder; None: nothing of its data is at hand


def seen_in_pretraining(encoders: Sequence[Encoder], root: Path | str, asked: Recordings, spec: str) -> Seen:
    """What of the recordings asked about, which `spec` names, each encoder was trained on.

    Each split of its data is looked for by itself, in `root` and where the run had it. That of the same
    manifest is taken; where there is none, that of the same name, which the result then says. Where a bundle
    does not say which data they were, those of the same name count if something is found in them; else it
    cannot be told. What the specifications have in common counts by name, whatever is at hand.
    """
    if not encoders:
        return {}
    by_data: dict[object, Exposure | None] = {}
    seen: dict[str, Exposure | None] = {}
    windows = windows_of(asked)
    for encoder in encoders:
        data = encoder.trained_on, encoder.data_root, tuple(sorted(encoder.data_digests.items()))
        if data not in by_data:
            by_data[data] = _of_one(encoder, root, windows, spec)
        seen[encoder.name] = by_data[data]
    return seen


def require_unseen(seen: Seen, spec: str) -> None:
    """Raises ValueError when an encoder was trained on recordings, or on patients, of the test `spec`."""
    for name, found in seen.items():
        if not found:
            continue
        if shared := shared_text(found):
            known = f"{shared} of the test ({spec}), without their labels"
        elif found.named:
            known = f"{as_specification(found.named)}, which the test ({spec}) names too, {BY_NAME}"
        else:
            continue
        raise ValueError(
            f"{name} was pretrained on {known}: pretrain without them, or say --allow_overlap, which the "
            "result will say"
        )


def shared_text(found: Exposure) -> str:
    """'3 recordings and 2 others of known patients', or '' where no recording is known to be shared."""
    known = max(found.recordings, found.signals) + found.alike
    others = max(0, found.patients - known)
    counted = ((known, "recordings"), (others, "others of known patients"))
    return " and ".join(f"{number} {name}" for number, name in counted if number)


def _of_one(encoder: Encoder, root: Path | str, asked: Windows, spec: str) -> Exposure | None:
    places = {split: _place(encoder, root, split) for split in named_splits(encoder.trained_on)}
    compared: list[Windows] = []
    unknown = [split for split, place in places.items() if place is None]
    changed = False
    for place in dict.fromkeys(place for place in places.values() if place):
        splits = [split for split, other in places.items() if other == place]
        windows = windows_in(place.root, ", ".join(splits))
        nameless = encoder.data_digests.get(place.name) == ""
        if nameless and not shared_text(_found(windows, asked)):
            unknown += splits  # nothing found in data that may be others
            continue
        compared.append(windows)
        changed |= not place.meant
    named = shared_splits(encoder.trained_on, spec)
    if not compared and not named:
        return None
    found = _found(joined(compared), asked) if compared else Exposure()
    in_order = tuple(split for split in places if split in unknown)
    return found._replace(changed=changed, unknown=in_order, named=named)


def _place(encoder: Encoder, root: Path | str, split: str) -> _Place | None:
    """The first of the run's own data, or else of their name; None where there are none."""
    there = []
    for where in dict.fromkeys(str(one) for one in (root, encoder.data_root) if str(one)):
        try:
            selection = select(where, split)
        except (FileNotFoundError, ValueError):
            continue
        name = split.partition(":")[0]
        there.append(_Place(where, name, _is_meant(selection, encoder.data_digests)))
    return next((place for place in there if place.meant), there[0] if there else None)


def _is_meant(selection: Selection, digests: Mapping[str, str]) -> bool:
    """Whether the data are those of the digests; runs of before have none, and are taken at their word."""
    there = selection.manifest_digests()
    return not digests or all(digests.get(name) == digest for name, digest in there.items())


def _found(known: Windows, asked: Windows) -> Exposure:
    counted = overlap(known, asked)
    ids = shared_patient_ids(known.patients.tolist(), asked.patients.tolist())
    return Exposure(*counted, ids_in_both=ids)
