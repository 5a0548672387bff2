"""A fingerprint of a window of ECG, and an index that finds the windows that may be one signal.

It stands on when the heart beats and on how large the leads are beside each other, in the order of their
size, so it stays what it is under another sampling rate, another gain, another order or sign of the leads,
noise, and the loss of half a second at an end. Candidates come from a k-d tree over sizes and intervals
between beats, never from all pairs; whether two windows are one signal is said by `likeness`.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy  # its parts are imported when first used; scipy.signal takes more than a second
from scipy.spatial import KDTree

from coreecg_jax.records.conditioning import resample

RATE = 100.0  # Hz, of all that is compared
FINGERPRINT_VERSION = 1  # of what is computed here: what is stored under another is computed anew

# Beats: peaks of the spatial velocity (the leads' slopes together), smoothed over 0.12 s.
_SMOOTH_SECONDS, _APART_SECONDS, _PEAK_SHARE = 0.12, 0.25, 0.35
_BEFORE, _AFTER = 8, 40  # samples of a beat around its peak
_QRS, _T = slice(0, 17), slice(20, 48)  # of these samples
# Ranks of the leads by size whose sizes are compared, in QRS and T wave.
_QRS_RANKS, _T_RANKS = (0, 1, 3, 5, 8, 11), (0, 3, 7)
SIZES = len(_QRS_RANKS) + len(_T_RANKS)
INTERVALS = 3  # between successive beats, in one entry of the index
# Two entries match within these. Noise of 50 uV moves 99 of 100 beats by less than 3 ms.
_INTERVAL_SECONDS = 0.005
_SIZE_Z = np.array((0.04,) * len(_QRS_RANKS) + (0.06,) * len(_T_RANKS), np.float32)
# Of windows that overlap by at least this share of the shorter one, three of four beats agree within 8 ms.
LEAST_OVERLAP = 0.8
_VOTES, _VOTE_SECONDS = 0.25, 0.04  # entries that match at one shift, of those that a window has
_BEAT_SECONDS, _BEAT_SHARE, _MEDIAN_SECONDS = 0.008, 0.75, 0.0025
_SLAB = 200_000  # entries of the index that are looked up at a time


@dataclasses.dataclass(frozen=True)
class Fingerprints:
    """Of n windows."""

    beats: np.ndarray  # float32[all beats], seconds from the start of their window, window after window
    counts: np.ndarray  # int32[n], beats of each window
    sizes_NZ: np.ndarray  # float32[n, SIZES]
    seconds: np.ndarray  # float32[n], length of each window

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def usable(self) -> np.ndarray:
        """bool[n]: whether a window has beats enough to be found: 4, or 24 to 30 a minute in 10 s."""
        return self.counts > INTERVALS


class Candidates(NamedTuple):
    """Pairs of windows that may be one signal."""

    first: np.ndarray  # int64[m], number of the window among the ones
    second: np.ndarray  # int64[m], among the others
    shift: np.ndarray  # float64[m], seconds: the time in the first is that in the second plus this


def comparable(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """float64[L, T'] at `RATE`, from a window at `rate` Hz in any unit."""
    return resample(np.asarray(ecg_LT, np.float64), rate, RATE)


def fingerprints_of(windows: Iterator[np.ndarray] | Sequence[np.ndarray]) -> Fingerprints:
    """Of windows float[L, T] at `RATE`, in any unit; a lead that is constant counts as absent."""
    beats, sizes, seconds = [], [], []
    for ecg_LT in windows:
        beats.append(beat_times(ecg_LT))
        sizes.append(_sizes(ecg_LT, beats[-1]))
        seconds.append(ecg_LT.shape[1] / RATE)
    return Fingerprints(
        np.concatenate([*beats, np.zeros(0)]).astype(np.float32),
        np.array([len(times) for times in beats], np.int32),
        np.array(sizes, np.float32).reshape(-1, SIZES),
        np.array(seconds, np.float32),
    )


def beat_times(ecg_LT: np.ndarray) -> np.ndarray:
    """float64[beats], seconds, of float[L, T] at `RATE`; finer than a sample, empty where no lead varies.

    Slopes are measured against the median slope of their lead, so gains, signs and order do not matter.
    """
    slope_LT = np.gradient(np.asarray(ecg_LT, np.float64), axis=1)
    scale_L1 = np.median(np.abs(slope_LT), axis=1, keepdims=True)
    alive = scale_L1[:, 0] > 0
    if not alive.any():
        return np.zeros(0)
    velocity_T = np.sqrt(((slope_LT[alive] / scale_L1[alive]) ** 2).mean(axis=0))
    window = np.hanning(round(_SMOOTH_SECONDS * RATE))
    smooth_T = np.convolve(velocity_T, window / window.sum(), "same")
    height = _PEAK_SHARE * np.percentile(smooth_T, 98)
    peaks, _ = scipy.signal.find_peaks(smooth_T, height=height, distance=round(_APART_SECONDS * RATE))
    before, top, after = (smooth_T[peaks + step] for step in (-1, 0, 1))  # find_peaks names no end
    bend = before - 2 * top + after
    return (peaks + 0.5 * np.divide(before - after, bend, out=np.zeros(len(peaks)), where=bend < 0)) / RATE


def _sizes(ecg_LT: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """float64[SIZES]: of QRS and T over all beats, sorted over leads; 1 is the norm of the QRS."""
    places = np.rint(beats * RATE).astype(int)
    whole = places[(places >= _BEFORE) & (places < ecg_LT.shape[1] - _AFTER)]
    if not len(whole):
        return np.zeros(SIZES)
    beats_LKX = ecg_LT[:, whole[:, None] + np.arange(-_BEFORE, _AFTER)]
    qrs_L, t_L = (np.sort(_root_mean_square(beats_LKX[:, :, part]))[::-1] for part in (_QRS, _T))
    ranks = [min(rank, len(qrs_L) - 1) for rank in (*_QRS_RANKS, *_T_RANKS)]
    chosen = np.concatenate([qrs_L[ranks[: len(_QRS_RANKS)]], t_L[ranks[len(_QRS_RANKS) :]]])
    return chosen / max(np.linalg.norm(qrs_L), 1e-9)


def _root_mean_square(beats_LKX: np.ndarray) -> np.ndarray:
    """float64[L]: of K beats about their means. Energies, not medians: one beat less changes them little.

    Weights fade to the ends, so that a part of a sample hardly matters.
    """
    weights_X = np.hanning(beats_LKX.shape[2] + 2)[1:-1]
    weights_X /= weights_X.sum()
    mean_LK = beats_LKX @ weights_X
    return np.sqrt((np.square(beats_LKX) @ weights_X - np.square(mean_LK)).clip(0).mean(axis=1))


def candidates(ones: Fingerprints, others: Fingerprints | None = None) -> Candidates:
    """Pairs that may be one signal: one and another; where `others` is None two of the ones, each pair once.

    The cost grows with the entries (about ten a window) times their logarithm, and with the pairs that match:
    of unlike recordings 1 in 2,500 pairs has an entry that matches, 1 in 100,000 enough of them.
    """
    within = others is None
    entries = _entries(ones)
    found = [
        _agreeing(ones, ones if others is None else others, *matches)
        for matches in _matches(entries, entries if others is None else _entries(others), within)
    ]
    return Candidates(*(np.concatenate(parts) for parts in zip(*found))) if found else _none()


class _Entries(NamedTuple):
    points: np.ndarray  # float32[e, SIZES + INTERVALS], so that a match is nearer than 1 in every coordinate
    window: np.ndarray  # int64[e]
    time: np.ndarray  # float32[e], seconds, of the first beat


def _entries(prints: Fingerprints) -> _Entries:
    """Every run of `INTERVALS` intervals, sorted by the first size, which is one for all of a window."""
    window = np.repeat(np.arange(len(prints)), prints.counts)
    starts = np.arange(max(0, len(prints.beats) - INTERVALS))
    starts = starts[window[starts] == window[starts + INTERVALS]]
    intervals = np.diff(prints.beats[starts[:, None] + np.arange(INTERVALS + 1)], axis=1)
    sizes = prints.sizes_NZ[window[starts]] / _SIZE_Z
    points = np.concatenate([sizes, intervals / _INTERVAL_SECONDS], axis=1).astype(np.float32)
    order = np.lexsort((window[starts], points[:, 0]))
    return _Entries(points[order], window[starts][order], prints.beats[starts][order])


def _matches(ones: _Entries, others: _Entries, within: bool) -> Iterator[tuple[np.ndarray, ...]]:
    """Windows and shifts of entries that match, slab by slab of windows, so that memory stays bounded."""
    begins = np.flatnonzero(np.diff(ones.window, prepend=-1))
    slabs = np.unique(begins[np.searchsorted(begins, np.arange(0, len(ones.window), _SLAB), "right") - 1])
    edges = [*slabs, len(ones.window)]
    for start, stop in itertools.pairwise(edges):
        low, high = ones.points[[start, stop - 1], 0]
        reach = slice(*np.searchsorted(others.points[:, 0], (low - 1.0, high + 1.0)))
        if reach.start == reach.stop:
            continue
        tree, other_tree = KDTree(ones.points[start:stop]), KDTree(others.points[reach])
        pairs = tree.sparse_distance_matrix(other_tree, 1.0, p=np.inf, output_type="ndarray")
        first, second = ones.window[start:stop][pairs["i"]], others.window[reach][pairs["j"]]
        shift = ones.time[start:stop][pairs["i"]] - others.time[reach][pairs["j"]]
        kept = first < second if within else np.ones(len(first), bool)
        yield first[kept], second[kept], shift[kept]


def _agreeing(
    ones: Fingerprints, others: Fingerprints, first: np.ndarray, second: np.ndarray, shift: np.ndarray
) -> Candidates:
    """The pairs, one a shift, whose beats agree."""
    entries = [np.maximum(prints.counts - INTERVALS, 1) for prints in (ones, others)]
    least = _VOTES * np.maximum(entries[0][first], entries[1][second])
    ends = [np.concatenate(([0], np.cumsum(prints.counts))) for prints in (ones, others)]
    where = np.flatnonzero(_votes(first, second, shift) >= least)
    keys = np.stack([first[where], second[where], np.rint(shift[where] / _VOTE_SECONDS).astype(np.int64)])
    where = where[np.unique(keys, axis=1, return_index=True)[1]]
    kept = []
    for place in where:
        one, other = int(first[place]), int(second[place])
        beats = ones.beats[ends[0][one] : ends[0][one + 1]]
        other_beats = others.beats[ends[1][other] : ends[1][other + 1]]
        exact = _agreed_shift(beats, other_beats, shift[place], ones.seconds[one], others.seconds[other])
        if exact is not None:
            kept.append((one, other, exact))
    columns = np.array(kept).reshape(-1, 3)
    return Candidates(columns[:, 0].astype(int), columns[:, 1].astype(int), columns[:, 2])


def _votes(first: np.ndarray, second: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """int64[m]: how many entries of each pair of windows match at one shift."""
    votes = np.zeros(len(first), np.int64)
    for snap in (np.floor, np.rint):  # bins in two positions: what one parts is together in the other
        keys = np.stack([first, second, snap(shift / _VOTE_SECONDS).astype(np.int64)], axis=1)
        _, which, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
        votes = np.maximum(votes, counts[which.reshape(-1)])
    return votes


def _agreed_shift(
    beats: np.ndarray, other_beats: np.ndarray, shift: float, seconds: float, other_seconds: float
) -> float | None:
    """The shift by which the beats of both lie on each other, or None where they do not."""
    low, high = max(0.0, shift), min(seconds, other_seconds + shift)
    if high - low < LEAST_OVERLAP * min(seconds, other_seconds):
        return None
    inner = beats[(beats >= low + 0.05) & (beats <= high - 0.05)]
    moved = other_beats + shift
    other_inner = moved[(moved >= low + 0.05) & (moved <= high - 0.05)]
    if not len(inner) or not len(other_inner):
        return None
    apart = inner[:, None] - other_inner[None, :]
    nearest = apart[np.arange(len(inner)), np.abs(apart).argmin(axis=1)]
    agree = np.abs(nearest) < _BEAT_SECONDS
    if agree.sum() < _BEAT_SHARE * max(len(inner), len(other_inner)):
        return None
    middle = float(np.median(nearest[agree]))
    if np.median(np.abs(nearest[agree] - middle)) > _MEDIAN_SECONDS:
        return None
    return float(shift) + middle


def _none() -> Candidates:
    return Candidates(np.zeros(0, int), np.zeros(0, int), np.zeros(0))
