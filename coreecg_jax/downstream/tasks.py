"""What is predicted on which recordings, and the cohorts a task is fitted and scored on."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from coreecg_jax.downstream.features import first_windows, recording_rows
from coreecg_jax.inputs.reader import Recordings, read_recordings
from coreecg_jax.records.label_sets import CODES, codes_as_classes, label_matrix, load_label_set


@dataclasses.dataclass(frozen=True)
class Task:
    """A label set on data specifications (`inputs.selection`). Without `test`: nested cross-validation."""

    name: str
    label_set: str
    train: str
    test: str | None


# Folds 9 and 10 together, because few records are at hand; nothing is chosen on fold 9.
PTBXL_SUPERCLASS = Task("ptbxl_superclass", "ptbxl_superclass", "ptbxl:fold1-8", "ptbxl:fold9+fold10")
LUDB_FINDINGS = Task("ludb_findings", "ludb_findings", "ludb", None)
SIMULATED_CONDITIONS = Task(
    "simulated_conditions", "simulated_conditions", "simulated:probe", "simulated:test"
)
TASKS = {task.name: task for task in (PTBXL_SUPERCLASS, LUDB_FINDINGS, SIMULATED_CONDITIONS)}
# Recordings that must have a code, and that must lack it, for it to be a class by itself: two a fold.
LEAST_WITH_CODE = 10


def codes_task(spec: str) -> Task:
    """Every code of `spec` that is frequent enough as a class, by nested cross-validation."""
    return Task(CODES, CODES, spec, None)


class Identities(NamedTuple):
    """Who and what a set of recordings is, without its labels."""

    patients: frozenset[str]
    signal_hashes: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Cohort:
    """R recordings that have a label of the set, and how many had none or were left out."""

    recordings: Recordings  # all windows of the R recordings
    classes: tuple[str, ...]
    labels: np.ndarray  # bool (R, C)
    patients: np.ndarray  # str (R,), unique over sources
    signal_hashes: np.ndarray  # str (R,)
    unlabelled: int  # recordings without any label of the set: dropped, as is the convention for PTB-XL
    shared: int = 0  # recordings dropped because their patient or signal is in the test set

    @property
    def groups(self) -> np.ndarray:
        """A number for each recording: equal for one patient, and for patients with a signal in common."""
        return joined_groups(self.patients, self.signal_hashes)

    def take(self, keep: np.ndarray) -> "Cohort":
        """The recordings where `keep`, bool (R,), is true."""
        return dataclasses.replace(
            self,
            recordings=self.recordings.take(keep[recording_rows(self.recordings)]),
            labels=self.labels[keep],
            patients=self.patients[keep],
            signal_hashes=self.signal_hashes[keep],
        )


def read_cohort(root: Path | str, spec: str, label_set: str) -> Cohort:
    """The recordings of `spec` with at least one label of the set (`label_sets.CODES`: its own codes).

    Raises:
      FileNotFoundError: when data are missing.
      ValueError: when the specification or the label set is wrong, or no recording has a label of the set.
    """
    recordings = read_recordings(root, spec)
    firsts = first_windows(recordings)
    known = (
        codes_as_classes(firsts.labels, LEAST_WITH_CODE) if label_set == CODES else load_label_set(label_set)
    )
    labels = label_matrix(known, firsts.labels)
    # Without a label of a published set: dropped. Without a frequent code, but with rare ones: all negative.
    has_code = np.array([bool(codes) for codes in firsts.labels])
    labelled = has_code if label_set == CODES else np.asarray(labels.any(axis=1))
    if not labelled.any():
        raise ValueError(f"{spec!r}: none of {len(labels)} recordings has a label of {label_set!r}")
    cohort = Cohort(
        recordings, known.classes, labels, _patients(firsts), firsts.signal_hash, int((~labelled).sum())
    )
    return cohort.take(labelled)


def read_identities(root: Path | str, spec: str) -> Identities:
    """Patients and signals of `spec`: all that may be known of a test set before it is opened."""
    firsts = first_windows(read_recordings(root, spec))
    return Identities(frozenset(_patients(firsts).tolist()), frozenset(firsts.signal_hash.tolist()))


def without_shared(train: Cohort, test: Identities) -> Cohort:
    """The training recordings of which neither the patient nor the signal is in the test set.

    PTB-XL holds some signals under two ids, in different folds: what a probe has seen it must not be asked.
    """
    known_patient = np.isin(train.patients, list(test.patients))
    shared = known_patient | np.isin(train.signal_hashes, list(test.signal_hashes))
    return dataclasses.replace(train.take(~shared), shared=int(shared.sum()))


def joined_groups(patients: np.ndarray, signal_hashes: np.ndarray) -> np.ndarray:
    """Connected components of recordings that share a patient or a signal; int (R,)."""
    _, patient = np.unique(patients, return_inverse=True)
    _, signal = np.unique(signal_hashes, return_inverse=True)
    nodes = patient.max() + signal.max() + 2
    edges = coo_array((np.ones(len(patient)), (patient, signal + patient.max() + 1)), shape=(nodes, nodes))
    _, component = connected_components(edges, directed=False)
    return component[patient]


def _patients(recordings: Recordings) -> np.ndarray:
    pairs = zip(recordings.source.tolist(), recordings.patient_id.tolist(), strict=True)
    return np.array([f"{source}/{patient}" for source, patient in pairs])
