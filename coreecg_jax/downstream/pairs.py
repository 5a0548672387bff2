"""On how little an AUROC rests: out of fold it compares a positive with a negative of its own fold only."""

from typing import NamedTuple

import numpy as np

from coreecg_jax.downstream.judged import Judged


class FewPairs(NamedTuple):
    """A class whose AUROC rests on few pairs of a positive and a negative, or on one patient."""

    within_folds: int  # pairs that are compared
    pairs: int  # all there are
    label: str  # 'positives' or 'negatives': of which one patient has the larger share
    of_patient: int  # so many of that label are of one patient
    recordings: int  # with that label


def few_pairs(judged: Judged) -> list[FewPairs | None]:
    """For each class what its AUROC rests on, where that is little; None where it is enough.

    k folds that are even hold 1/k of all pairs. Little is less than half of that, or one patient with more
    than half of the positives or of the negatives: a patient's recordings lie in one fold. Of predictions of
    one fit all pairs are compared, and it is the one patient alone that makes them few.
    """
    one_fit = np.zeros(len(judged.labels), int)
    fold = one_fit if judged.fold is None else np.unique(judged.fold, return_inverse=True)[1]
    return [_few(column, judged.groups, fold) for column in judged.labels.T]


def _few(labels: np.ndarray, groups: np.ndarray, fold: np.ndarray) -> FewPairs | None:
    folds = int(fold.max()) + 1
    positives, negatives = (np.bincount(fold[of], minlength=folds) for of in (labels, ~labels))
    within = int(positives @ negatives)
    pairs = int(positives.sum() * negatives.sum())
    if not pairs:
        return None
    largest = [
        (name, int(np.unique(groups[of], return_counts=True)[1].max()), int(of.sum()))
        for name, of in (("positives", labels), ("negatives", ~labels))
    ]
    label, of_patient, recordings = max(largest, key=lambda each: each[1] / each[2])
    enough = 2 * within * folds >= pairs and 2 * of_patient <= recordings
    return None if enough else FewPairs(within, pairs, label, of_patient, recordings)
