"""Databases fitted together that do not annotate the same: what one never names is not known in it.

CPSC2018 names nine classes, others dozens: fitted together, a recording of the first would count as a
negative of what nobody looked for in it. Where a task is `by_vocabulary`, as where each source is held out, a
source that has no recording of a class at all says nothing of that class, and its recordings are left out
where that class is fitted and chosen by. Of other tasks a mark says where that may be amiss: of one's own
folders, cases in one and controls in the other, the controls are negatives though they never name the class.
"""

import dataclasses

import numpy as np

from coreecg_jax.downstream.cohorts import Cohort

_NAMED = 5
_Absent = dict[str, tuple[int, list[str]]]  # source -> its recordings, and names of classes


def with_vocabularies(train: Cohort, validation: Cohort | None) -> tuple[Cohort, Cohort | None]:
    """The same recordings, with what their sources annotate (`Cohort.annotated`).

    What a source names is looked for in both together, before a fraction of the labels is drawn: in few
    recordings a class may be absent by chance. Nothing is masked of one source, nor of a set that is complete
    by its publisher's word.
    """
    cohorts = [train] if validation is None else [train, validation]
    sources = np.concatenate([_sources(cohort) for cohort in cohorts])
    masks: list[np.ndarray | None] = [None] * len(cohorts)
    if len(np.unique(sources)) > 1 and not train.label_set.complete:
        known = annotated(sources, np.concatenate([cohort.labels for cohort in cohorts]))
        masks = list(np.split(known, [len(train)][: len(cohorts) - 1]))
    told = [dataclasses.replace(cohort, annotated=mask) for cohort, mask in zip(cohorts, masks, strict=True)]
    return told[0], None if validation is None else told[1]


def annotated(sources: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the source of a recording has the class in any of its recordings; bool (R, C).

    True everywhere for a class that no source has, and for one that all recordings of its sources have: it
    can be told from those of the others alone.

    Args:
      sources: (R,), the source of each recording.
      labels: bool (R, C).
    """
    _, source_of = np.unique(sources, return_inverse=True)
    named = np.zeros((source_of.max(initial=-1) + 1, labels.shape[1]), bool)
    np.logical_or.at(named, source_of, labels)
    known = named[source_of]
    return known | ~(known & ~labels).any(axis=0)


def unannotated(fitted: Cohort, scored: np.ndarray) -> _Absent:
    """Source -> its recordings, and the scored classes for which they were not fitted.

    Args:
      fitted: the training set.
      scored: bool (C,).
    """
    if fitted.annotated is None:
        return {}
    return _absent(fitted, scored, fitted.annotated)


def never_named(fitted: Cohort, scored: np.ndarray) -> _Absent:
    """Source -> its recordings, and the scored classes that none of them has but recordings of others do.

    Of what was fitted as negatives: empty where the fits were by vocabulary, and for one source, as what is
    nowhere positive is not scored (`macro_classes`). Empty, too, where a fraction of the labels was drawn, in
    which a class may be absent by chance. Arguments as of `unannotated`.
    """
    if fitted.drawn_from or fitted.annotated is not None:
        return {}
    return _absent(fitted, scored & fitted.labels.any(axis=0), fitted.labels)


def unannotated_text(found: _Absent) -> list[str]:
    """A sentence a source, without a full stop."""
    return [
        f"No recording of {source} has {_some(names)}: its {count} recordings were left out where these "
        "classes were fitted, as they may be without the label and not without the finding"
        for source, (count, names) in found.items()
    ]


def never_named_text(found: _Absent) -> list[str]:
    """A sentence a source, without a full stop."""
    return [
        f"None of the {count} recordings of {source} that were fitted has {_some(names)}: where it does not "
        "annotate these classes, its recordings were fitted as negatives without being any"
        for source, (count, names) in found.items()
    ]


def _absent(fitted: Cohort, asked: np.ndarray, flags: np.ndarray) -> _Absent:
    """Source -> its recordings, and the classes that are `asked` about and none of them has a flag of."""
    sources, found = _sources(fitted), {}
    for source in np.unique(sources).tolist():
        own = flags[sources == source]
        if (absent := asked & ~own.any(axis=0)).any():
            found[source] = len(own), np.array(fitted.classes)[absent].tolist()
    return found


def _sources(cohort: Cohort) -> np.ndarray:
    return np.array([name.partition("/")[0] for name in cohort.recording_ids.tolist()])


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more classes" if more > 0 else "")
