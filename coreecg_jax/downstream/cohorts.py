"""The recordings a task is fitted and scored on, with their labels, patients and signals."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from coreecg_jax.downstream.features import first_rows, first_windows, recording_rows
from coreecg_jax.downstream.overlaps import Windows, names_of, same_signals, signal_names, windows_of
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.inputs.reader import Recordings, read_recordings
from coreecg_jax.records.label_sets import CODES, LabelSet, codes_as_classes, label_matrix, load_label_set

# Recordings that must have a code, and that must lack it, for it to be a class by itself: two a fold.
LEAST_WITH_CODE = 10


class NothingLabelled(TooFewRecordings):
    """None of the recordings has a label of the set."""


@dataclasses.dataclass(frozen=True)
class Cohort:
    """R recordings that have a label of the set, and how many had none or were left out."""

    recordings: Recordings  # all windows of the R recordings
    classes: tuple[str, ...]
    labels: np.ndarray  # bool (R, C)
    patients: np.ndarray  # str (R,), unique over sources
    signal_hashes: np.ndarray  # str (R,), equal for recordings that are one signal, exactly or nearly
    recording_ids: np.ndarray  # str (R,), unique over sources
    unlabelled: int  # recordings without any label of the set: dropped, as is the convention for PTB-XL
    label_set: LabelSet
    any_likelihood: tuple[int, ...]  # of all that were read, recordings of each class at any likelihood
    shared: int = 0  # recordings dropped as some of their group are in the test set, or chosen by
    leadless: int = 0  # recordings dropped because none of the leads that are used carries signal
    drawn_from: tuple[int, ...] = ()  # positives of each class before a fraction was drawn; empty: none was
    annotated: np.ndarray | None = None  # bool (R, C), whether the source names the class; None: all do

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def groups(self) -> np.ndarray:
        """A number for each recording: equal for one patient, and for patients with a signal in common."""
        return joined_groups(self.patients, self.signal_hashes)

    @property
    def learnable(self) -> np.ndarray:
        """Classes with a positive, drawn or not, that a method could be fitted to; bool (C,)."""
        return np.array(self.drawn_from or self.labels.sum(axis=0)) > 0

    def take(self, keep: np.ndarray) -> "Cohort":
        """The recordings where `keep`, bool (R,), is true."""
        return dataclasses.replace(
            self,
            recordings=self.recordings.take(keep[recording_rows(self.recordings)]),
            labels=self.labels[keep],
            patients=self.patients[keep],
            signal_hashes=self.signal_hashes[keep],
            recording_ids=self.recording_ids[keep],
            annotated=None if self.annotated is None else self.annotated[keep],
        )


def read_cohort(
    root: Path | str, spec: str, label_set: str | LabelSet, min_likelihood: float = 0.0
) -> Cohort:
    """The recordings of `spec` with at least one label of the set (`label_sets.CODES`: its own codes).

    Codes of a likelihood below `min_likelihood` (per cent) do not count. A set that another cohort was read
    with is given as it is: the codes of a test would be other classes than those that were fitted.

    Raises:
      FileNotFoundError: when data are missing.
      ValueError: when the specification or the label set is wrong.
      NothingLabelled: when no recording has a label of the set.
    """
    recordings = read_recordings(root, spec)
    labels = first_windows(recordings).labels
    return labelled(recordings, labels, _known(label_set, labels), spec, min_likelihood)


def _known(label_set: str | LabelSet, labels: Sequence[Sequence[str]]) -> LabelSet:
    if isinstance(label_set, LabelSet):
        return label_set
    return codes_as_classes(labels, LEAST_WITH_CODE) if label_set == CODES else load_label_set(label_set)


def labelled(
    recordings: Recordings,
    labels: Sequence[Sequence[str]],
    label_set: LabelSet,
    spec: str,
    min_likelihood: float = 0.0,
) -> Cohort:
    """The recordings, of windows in any number, that have a label of the set; all, where it is complete.

    Args:
      recordings: windows of R recordings.
      labels: the codes of each recording, R of them.
      label_set: with its classes.
      spec: what the recordings are called in an error.
      min_likelihood: per cent; codes below it do not count.

    Raises:
      NothingLabelled: when none has.
    """
    firsts = first_windows(recordings)
    matrix = at_any = label_matrix(label_set, labels)
    if min_likelihood > 0:
        matrix = label_matrix(label_set, labels, firsts.likelihoods, min_likelihood)
    # Without a label of a published set: dropped. Without a frequent code, but with rare ones: all negative.
    has_code = np.array([bool(codes) for codes in labels])
    known = has_code if label_set.name == CODES else np.asarray(matrix.any(axis=1))
    if label_set.complete and known.any():
        known = np.ones(len(labels), bool)
    if not known.any():
        raise NothingLabelled(f"{spec!r}: none of {len(labels)} recordings has a label of {label_set.name!r}")
    cohort = Cohort(
        recordings=recordings,
        classes=label_set.classes,
        labels=matrix,
        patients=names_of(firsts.source, firsts.patient_id),
        signal_hashes=signal_names(windows_of(recordings))[first_rows(recordings)],
        recording_ids=names_of(firsts.source, firsts.recording_id),
        unlabelled=int((~known).sum()),
        label_set=label_set,
        any_likelihood=tuple(at_any.sum(axis=0).tolist()),
    )
    return cohort.take(known)


def apart(train: Cohort, validation: Cohort | None, test: Recordings | None) -> tuple[Cohort, Cohort | None]:
    """What is fitted, less all that is of one group with validation or test, and validation less the test's.

    PTB-XL holds some signals under two ids, in different folds, and databases hold recordings of one another
    at other rates and gains (`overlaps`): what a probe has seen it must not be asked. Groups are joined over
    all three by patients and signals: where one recording of a patient stands in the test under another id,
    that is the patient's, so the others are of a known patient too.

    Raises:
      ValueError: when none is left to fit on or to choose by.
    """
    if validation is None and test is None:
        return train, None
    cohorts = [train] if validation is None else [train, validation]
    parts = [_Part(c.recording_ids, c.patients, c.signal_hashes, windows_of(c.recordings)) for c in cohorts]
    if test is not None:
        windows = windows_of(test)
        parts.append(_Part(*windows.recordings(), windows))
    known, *others = _groups_over(parts)
    names = ["validation"] * (validation is not None) + ["test"] * (test is not None)
    train = _without(train, np.isin(known, np.concatenate(others)), "fitted on", " or ".join(names))
    if validation is not None and test is not None:
        validation = _without(validation, np.isin(others[0], others[1]), "chosen by", "test")
    return train, validation


class _Part(NamedTuple):
    """R recordings."""

    names: np.ndarray  # str (R,)
    patients: np.ndarray  # str (R,)
    signals: np.ndarray  # str (R,)
    windows: Windows


def _groups_over(parts: Sequence[_Part]) -> list[np.ndarray]:
    """`joined_groups` of each part, over all of them together."""
    ends = np.cumsum([len(part.names) for part in parts]).tolist()
    numbers = [
        {name: end - len(part.names) + place for place, name in enumerate(part.names.tolist())}
        for part, end in zip(parts, ends)
    ]
    pairs = [
        (numbers[one][pair.first], numbers[other][pair.second])
        for one, other in itertools.combinations(range(len(parts)), 2)
        for pair in same_signals(parts[one].windows, parts[other].windows)
    ]
    patients = np.concatenate([part.patients for part in parts])
    signals = np.concatenate([part.signals for part in parts])
    return np.split(joined_groups(patients, signals, pairs), ends[:-1])


def _without(cohort: Cohort, shared: np.ndarray, use: str, others: str) -> Cohort:
    """The recordings that are not shared, bool (R,); the others are counted."""
    if shared.all():
        raise ValueError(
            f"all {len(cohort)} recordings to be {use} share a patient or a signal with the {others} set: "
            "name other data, or another test"
        )
    return dataclasses.replace(cohort.take(~shared), shared=cohort.shared + int(shared.sum()))


def joined_groups(
    patients: np.ndarray, signal_hashes: np.ndarray, pairs: Sequence[tuple[int, int]] = ()
) -> np.ndarray:
    """Connected components of recordings that share a patient or a signal; int (R,).

    Args:
      patients, signal_hashes: (R,).
      pairs: numbers of recordings that are one signal, whatever their hashes.
    """
    _, patient = np.unique(patients, return_inverse=True)
    _, signal = np.unique(signal_hashes, return_inverse=True)
    nodes = patient.max() + signal.max() + 2
    first, second = np.array(pairs, int).reshape(-1, 2).T
    ends = (
        np.concatenate([patient, patient[first]]),
        np.concatenate([signal + patient.max() + 1, patient[second]]),
    )
    edges = coo_array((np.ones(len(ends[0])), ends), shape=(nodes, nodes))
    _, component = connected_components(edges, directed=False)
    return component[patient]
