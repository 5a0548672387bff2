"""Folds for cross-validation: patients stay whole, and each class is spread as evenly as patients allow.

Predictions of all folds are scored together, but each comes from a fit that saw the other folds. Where a fold
has more positives than the others, its fit expects fewer of them, and what knows nothing ranks worse than by
chance. To spread sets of labels over patients, as `records.folds` does, is not enough for that where patients
have several recordings, or recordings several labels.
"""

import numpy as np

from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.downstream.subsets import class_counts

FOLDS = 5


def patient_folds(
    patients: np.ndarray, labels: np.ndarray, *, folds: int = FOLDS, seed: int = 0
) -> np.ndarray:
    """A fold for each recording; recordings of one patient share it; int (n,).

    Patients with most of what is rare come first; each goes to the fold where Pearson's chi-square of the
    folds' counts, of every class, of no class and of recordings, grows least.

    Args:
      patients: (n,), equal for recordings of one patient.
      labels: bool (n, C).
      folds: how many.
      seed: another one gives other folds, as far as patients are alike.

    Raises:
      TooFewRecordings: when there are fewer patients than folds.
    """
    counts, patient_of = class_counts(labels, patients)
    if len(counts) < folds:
        raise TooFewRecordings(f"patient folds: expected at least {folds} patients, got {len(counts)}")
    counts = np.column_stack([counts, np.bincount(patient_of)])
    rng = np.random.default_rng(seed)
    fold_of_patient = rng.permutation(folds)[_dealt(counts, folds, rng.permutation(len(counts)))]
    return fold_of_patient[patient_of]


def _dealt(counts: np.ndarray, folds: int, order: np.ndarray) -> np.ndarray:
    """The fold of each patient, from counts (P, classes); among patients that are alike by their `order`."""
    share = counts / np.maximum(counts.sum(axis=0), 1)  # of all that there is of a class
    fold_of = np.empty(len(counts), np.int64)
    held = np.zeros((folds, counts.shape[1]))
    for patient in np.lexsort((order, -(share * counts).sum(axis=1))):
        fold = int((held * share[patient]).sum(axis=1).argmin())
        fold_of[patient] = fold
        held[fold] += counts[patient]
    return fold_of
