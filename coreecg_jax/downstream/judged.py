"""Predictions beside the truth: what choices, thresholds and scores are made from."""

from typing import NamedTuple

import numpy as np


class Judged(NamedTuple):
    """Predictions of n recordings for C classes, and what is true of them."""

    probabilities: np.ndarray  # float (n, C)
    labels: np.ndarray  # bool (n, C)
    groups: np.ndarray  # int (n,), equal for recordings of one patient
    fold: np.ndarray | None  # int (n,), the fit that each prediction comes from; None: one fit
    known: np.ndarray | None = None  # bool (n, C), where a label says something (`vocabularies`); None: all
