"""Databases fitted together that do not annotate the same: what one never names counts as absent in it."""

import numpy as np

from coreecg_jax.downstream.cohorts import Cohort

_NAMED = 5


def never_named(fitted: Cohort, scored: np.ndarray) -> dict[str, tuple[int, list[str]]]:
    """Source -> its recordings, and the scored classes that none of them has but recordings of others do.

    Empty for one source: what is nowhere positive is not scored (`macro_classes`). Empty, too, where a
    fraction of the labels was drawn, in which a class may be absent by chance.

    Args:
      fitted: the training set.
      scored: bool (C,).
    """
    if fitted.drawn_from:
        return {}
    sources = np.array([name.partition("/")[0] for name in fitted.recording_ids.tolist()])
    asked = scored & fitted.labels.any(axis=0)
    found = {}
    for source in np.unique(sources).tolist():
        own = fitted.labels[sources == source]
        if (absent := asked & ~own.any(axis=0)).any():
            found[source] = len(own), np.array(fitted.classes)[absent].tolist()
    return found


def never_named_text(found: dict[str, tuple[int, list[str]]]) -> list[str]:
    """A sentence a source, without a full stop."""
    return [
        f"None of the {count} recordings of {source} that were fitted has {_some(names)}: where it does not "
        "annotate these classes, its recordings were fitted as negatives without being any"
        for source, (count, names) in found.items()
    ]


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more classes" if more > 0 else "")
