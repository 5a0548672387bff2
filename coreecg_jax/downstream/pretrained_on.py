"""What of a test an encoder was pretrained on: by id, patient, signal and likeness."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from coreecg_jax.downstream.methods import Encoder
from coreecg_jax.downstream.overlaps import windows_in, windows_of
from coreecg_jax.downstream.provenance import Overlap, overlap
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.inputs.selection import Selection, select

Seen = Mapping[str, Overlap | None]  # by encoder; None: its data are not at hand


def seen_in_pretraining(encoders: Sequence[Encoder], root: Path | str, asked: Recordings) -> Seen:
    """What of the recordings asked about each encoder was trained on.

    Its data are looked for in `root` and where the run had them. Those of the same manifest are taken; where
    there are none, those of the same name, which the result then says. Where a bundle does not say which data
    they were, those of the same name count if something is found in them; else it cannot be told.
    """
    by_data: dict[object, Overlap | None] = {}
    seen: dict[str, Overlap | None] = {}
    for encoder in encoders:
        data = encoder.trained_on, encoder.data_root, tuple(sorted(encoder.data_digests.items()))
        if data not in by_data:
            by_data[data] = _of_one(encoder, root, asked)
        seen[encoder.name] = by_data[data]
    return seen


def require_unseen(seen: Seen, spec: str) -> None:
    """Raises ValueError when an encoder was trained on recordings, or on patients, of the test `spec`."""
    for name, found in seen.items():
        if found and (shared := shared_text(found)):
            raise ValueError(
                f"{name} was pretrained on {shared} of the test ({spec}), without their labels: "
                "pretrain without them, or say --allow_overlap, which the result will say"
            )


def shared_text(found: Overlap) -> str:
    """'3 recordings and 2 others of known patients', or '' where nothing is shared."""
    known = max(found.recordings, found.signals) + found.alike
    others = max(0, found.patients - known)
    counted = ((known, "recordings"), (others, "others of known patients"))
    return " and ".join(f"{number} {name}" for number, name in counted if number)


def _of_one(encoder: Encoder, root: Path | str, asked: Recordings) -> Overlap | None:
    there: list[tuple[Path | str, Selection]] = []
    for where in dict.fromkeys(str(one) for one in (root, encoder.data_root) if str(one)):
        try:
            there.append((where, select(where, encoder.trained_on)))
        except (FileNotFoundError, ValueError):
            continue
    if not there:
        return None
    same = [where for where, selection in there if _is_same(selection, encoder.data_digests)]
    found = overlap(windows_in((same or [there[0][0]])[0], encoder.trained_on), windows_of(asked))
    if not same and "" in encoder.data_digests.values() and not shared_text(found):
        return None  # nothing found in data that may be others
    return found._replace(changed=not same)


def _is_same(selection: Selection, digests: Mapping[str, str]) -> bool:
    """Whether the data are those of the digests; runs of before have none, and are taken at their word."""
    return not digests or selection.manifest_digests() == dict(digests)
