"""Less of what there is: fewer leads, fewer labelled recordings."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from coreecg_jax.downstream.features import recording_rows
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.records.leads import LEADS, LIMB_LEADS, lead_indices
from coreecg_jax.records.schema import LeadFlag

# Number of leads -> which. Eight hold all that twelve do (the other limb leads are sums of I and II); six,
# three and two are those of the PhysioNet/CinC challenge 2021.
LEAD_SUBSETS: dict[int, tuple[str, ...]] = {
    12: LEADS,
    8: ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"),
    6: LIMB_LEADS,
    3: ("I", "II", "V2"),
    2: ("I", "II"),
    1: ("I",),
}
# Groups of one class that are compared at a step. The more, the closer all classes stay to their share, and
# the longer it takes: with 64, half of 17,441 recordings of PTB-XL misses the halves of 71 classes by one
# positive (RMS; 12 at random), in 0.4 s.
_CANDIDATES = 64


def only_leads(recordings: Recordings, leads: Sequence[str]) -> Recordings:
    """A copy in which all leads but those named carry zeros and the flag `LeadFlag.MISSING`.

    The shape stays (n, 12, W) with each lead at its place, so that a model cannot take one lead for another.

    Raises:
      UnknownLeadError: when a name is none of the twelve.
      ValueError: when a lead is named twice, or none is named.
    """
    removed = np.setdiff1d(np.arange(len(LEADS)), lead_indices(leads))
    ecg, quality = recordings.ecg.copy(), recordings.quality.copy()
    ecg[:, removed] = 0
    quality[:, removed] |= LeadFlag.MISSING
    return dataclasses.replace(recordings, ecg=ecg, quality=quality)


def has_signal(recordings: Recordings) -> np.ndarray:
    """Whether a recording has a window with a lead that carries signal; bool (R,), by first appearance."""
    rows = recording_rows(recordings)
    return np.bincount(rows, weights=recordings.available.any(axis=1)) > 0


def nested_fractions(labels: np.ndarray, groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Which recordings to keep so that about `fraction` of all, and of each class, are left; bool (R,).

    A seed puts the groups in one order, whatever the fraction, and a fraction keeps the first of them: what a
    small fraction keeps, a larger one keeps, too. The order is greedy, in the spirit of iterative
    stratification (Sechidis et al. 2011, doi:10.1007/978-3-642-23808-6_10): next comes a group with the class
    whose count lags most behind its share. The size of a group counts as a class, too.

    The first groups of all bring each class its first positive, the rarest class first and as many classes a
    recording as are found: where a fraction would leave a rare class none it has one, more than its share.

    Args:
      labels: bool (R, C).
      groups: (R,), equal for recordings that stay together (of one patient).
      fraction: of the recordings, above 0 and at most 1.
      seed: another one gives another subset.

    Returns:
      True for as many recordings as whole groups bring nearest to `fraction` * R; for one group at least.

    Raises:
      ValueError: when the fraction is out of range, or labels and groups do not fit.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction: expected above 0 and at most 1, got {fraction:g}")
    if labels.ndim != 2 or labels.shape[:1] != groups.shape or not len(labels):
        raise ValueError(
            f"expected labels (R, C) and groups (R,) of one recording or more, got {labels.shape} and "
            f"{groups.shape}"
        )
    counts, group_of = class_counts(labels, groups)
    sizes = np.bincount(group_of)
    order = np.fromiter(_stratified_order(counts, sizes, np.random.default_rng(seed)), np.int64, len(sizes))
    reached = np.cumsum(sizes[order])
    # The prefix whose size is nearest: as many groups as there are midpoints below the target, and one.
    prefix = 1 + np.searchsorted((reached[:-1] + reached[1:]) / 2, fraction * len(labels))
    return np.isin(group_of, order[:prefix])


def class_counts(labels: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recordings of each class in each group, float (G, C + 1), and the group of each recording, int (R,).

    Recordings without any class are a class of their own, the last, so that they keep their share.

    Args:
      labels: bool (R, C).
      groups: (R,), equal for recordings that stay together.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    classes = np.column_stack([labels, ~labels.any(axis=1)]).astype(bool)
    counts = np.zeros((group_of.max(initial=-1) + 1, classes.shape[1]))
    np.add.at(counts, group_of, classes)
    return counts, group_of


def _stratified_order(counts: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> Iterator[int]:
    """Each group once: first those that cover the classes, then by the lag of the classes.

    Args:
      counts: float (G, C), positives of each class in each group; each group has one or more.
      sizes: int (G,), recordings of each group.
      rng: for the order in which the groups of a class are looked at.
    """
    missing = np.append(counts.any(axis=0), np.zeros(_size_classes(sizes).shape[1], bool))
    counts = np.column_stack([counts, _size_classes(sizes)])
    covers, squares, total = counts > 0, (counts**2).sum(axis=1) / 2, counts.sum(axis=0)
    half = total / np.maximum(covers.sum(axis=0), 1) / 2  # of what a group brings: due is what rounds to one
    rarest_first = iter(np.argsort(total, kind="stable"))
    waiting, left = _Waiting(counts, rng), total.copy()
    lag = np.zeros(len(total))  # positives that are due by the recordings so far, less those that came
    for _ in sizes:
        wanted = next((c for c in rarest_first if missing[c]), None)
        if wanted is not None:
            candidates = waiting.of(wanted)
            gain = (covers[candidates] & missing).sum(axis=1) / sizes[candidates]
        else:
            candidates = waiting.of(int(np.where(left > 0, lag - half, -np.inf).argmax()))
            gain = counts[candidates] @ lag - squares[candidates]  # by which the lags shrink
        group = candidates[int(gain.argmax())]
        waiting.remove(group)
        missing &= ~covers[group]
        left -= counts[group]
        lag += total * (sizes[group] / sizes.sum()) - counts[group]
        yield group


def _size_classes(sizes: np.ndarray) -> np.ndarray:
    """Recordings of each group by its size (1, 2, to 4, to 8, …): else those of large groups came last."""
    power = np.ceil(np.log2(sizes)).astype(int)
    return sizes[:, None] * (power[:, None] == np.arange(power.max() + 1)[None])


class _Waiting:
    """The groups of each class that have not been taken, in random order."""

    def __init__(self, counts: np.ndarray, rng: np.random.Generator) -> None:
        self._taken = np.zeros(len(counts), bool).tolist()
        shuffled = rng.permutation(len(counts))
        self._of_class = [shuffled[column[shuffled] > 0].tolist() for column in counts.T]

    def of(self, which: int) -> list[int]:
        """Some groups that have the class; one at least while any is left."""
        stack, found = self._of_class[which], []
        while stack and len(found) < _CANDIDATES:
            group = stack.pop()
            if not self._taken[group]:
                found.append(group)
        stack.extend(reversed(found))
        return found

    def remove(self, group: int) -> None:
        """The group is not found again."""
        self._taken[group] = True
