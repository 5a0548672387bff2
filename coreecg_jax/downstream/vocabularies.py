"""Databases fitted together that do not annotate the same: what one never names is not known in it.

CPSC2018 names nine classes, others dozens: fitted together, a recording of the first would count as a
negative of what nobody looked for in it. A source that has no recording of a class at all says nothing of
that class, and its recordings are left out where that class is fitted and chosen by.
"""

import dataclasses

import numpy as np

from coreecg_jax.downstream.cohorts import Cohort

_NAMED = 5


def with_vocabularies(train: Cohort, validation: Cohort | None) -> tuple[Cohort, Cohort | None]:
    """The same recordings, with what their sources annotate (`Cohort.annotated`).

    What a source names is looked for in both together, before a fraction of the labels is drawn: in few
    recordings a class may be absent by chance. Of one source nothing changes.
    """
    cohorts = [train] if validation is None else [train, validation]
    sources = np.concatenate([_sources(cohort) for cohort in cohorts])
    if len(np.unique(sources)) == 1:
        return train, validation
    known = annotated(sources, np.concatenate([cohort.labels for cohort in cohorts]))
    train = dataclasses.replace(train, annotated=known[: len(train)])
    if validation is not None:
        validation = dataclasses.replace(validation, annotated=known[len(train) :])
    return train, validation


def annotated(sources: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the source of a recording has the class in any of its recordings; bool (R, C).

    True everywhere for a class that no source has: it is nobody's vocabulary that it is missing from.

    Args:
      sources: (R,), the source of each recording.
      labels: bool (R, C).
    """
    _, source_of = np.unique(sources, return_inverse=True)
    named = np.zeros((source_of.max(initial=-1) + 1, labels.shape[1]), bool)
    np.logical_or.at(named, source_of, labels)
    return named[source_of] | ~named.any(axis=0)


def unannotated(fitted: Cohort, scored: np.ndarray) -> dict[str, tuple[int, list[str]]]:
    """Source -> its recordings, and the scored classes for which they were not fitted.

    Args:
      fitted: the training set.
      scored: bool (C,).
    """
    if fitted.annotated is None:
        return {}
    sources, found = _sources(fitted), {}
    for source in np.unique(sources).tolist():
        own = sources == source
        if (absent := scored & ~fitted.annotated[own][0]).any():
            found[source] = int(own.sum()), np.array(fitted.classes)[absent].tolist()
    return found


def unannotated_text(found: dict[str, tuple[int, list[str]]]) -> list[str]:
    """A sentence a source, without a full stop."""
    return [
        f"No recording of {source} has {_some(names)}: its {count} recordings were left out where these "
        "classes were fitted, as they may be without the label and not without the finding"
        for source, (count, names) in found.items()
    ]


def _sources(cohort: Cohort) -> np.ndarray:
    return np.array([name.partition("/")[0] for name in cohort.recording_ids.tolist()])


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more classes" if more > 0 else "")
