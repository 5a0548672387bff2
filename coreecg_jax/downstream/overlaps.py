"""Which recordings of two data sets are one signal: to the sample, or by fingerprint and likeness.

Fingerprints are computed from the windows as they lie in shards, not when a data set is prepared: data sets
of before need not be prepared again, and a better fingerprint is a change of code alone.
"""

import collections
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.inputs.examples import decode_all, decode_some, decode_window
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.inputs.selection import Selection, select
from coreecg_jax.records.fingerprint import Fingerprints, candidates, comparable, fingerprints_of
from coreecg_jax.records.likeness import Likeness, likeness

_LOADED = 4000  # candidate pairs whose windows are in memory at a time


class Windows(NamedTuple):
    """n windows of a data set: what they are, their fingerprints, and how to get their signals again."""

    names: np.ndarray  # str (n,), 'source/recording_id'
    patients: np.ndarray  # str (n,), 'source/patient_id'
    signals: np.ndarray  # str (n,), hash of the raw recording
    prints: Fingerprints
    load: Callable[[Iterable[int]], dict[int, np.ndarray]]  # float64[12, T] at `fingerprint.RATE`, by number

    def recordings(self) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
        """Names, patients and signals, once for each recording."""
        names, first = np.unique(self.names, return_index=True)
        return names, self.patients[first], self.signals[first]


class Pair(NamedTuple):
    """Two recordings that are one signal."""

    first: str
    second: str
    one_patient: bool
    exact: bool  # equal to the microvolt, as files
    shift: float  # seconds: the time in the first is that in the second plus this; NaN where exact
    like: Likeness | None  # None where exact


def windows_of(recordings: Recordings) -> Windows:
    """Of recordings in memory."""
    load_one = functools.partial(_comparable, recordings)
    return Windows(
        names_of(recordings.source, recordings.recording_id),
        names_of(recordings.source, recordings.patient_id),
        recordings.signal_hash,
        fingerprints_of(map(load_one, range(len(recordings)))),
        lambda numbers: {number: load_one(number) for number in numbers},
    )


def windows_in(root: Path | str, spec: str, on_window: Callable[[], object] = lambda: None) -> Windows:
    """Of the shards that a data specification names, window by window: the signals are never all in memory.

    Raises:
      FileNotFoundError, ValueError: as `inputs.selection.select` and `inputs.examples.decode_all`.
    """
    selection = select(root, spec)
    columns: dict[str, list[str]] = {"recording_id": [], "patient_id": [], "source": [], "signal_hash": []}

    def signals() -> Iterator[np.ndarray]:
        for row in decode_all(selection, _decoder(selection)):
            for name, values in columns.items():
                values.append(row[name])
            on_window()
            yield _at_rate(row, selection)

    prints = fingerprints_of(signals())
    source, recording, patient, signal = (
        np.array(columns[name], np.str_) for name in ("source", "recording_id", "patient_id", "signal_hash")
    )
    return Windows(
        names_of(source, recording),
        names_of(source, patient),
        signal,
        prints,
        functools.partial(_load, selection),
    )


def joined(parts: Sequence[Windows]) -> Windows:
    """The windows of all parts, one after the other."""
    starts = np.cumsum([0, *(len(part.names) for part in parts)]).tolist()

    def load(numbers: Iterable[int]) -> dict[int, np.ndarray]:
        wanted, loaded = sorted(set(numbers)), {}
        for part, start, end in zip(parts, starts, starts[1:]):
            if own := [number - start for number in wanted if start <= number < end]:
                loaded |= {start + number: signal for number, signal in part.load(own).items()}
        return loaded

    names, patients, signals = (np.concatenate(columns) for columns in list(zip(*parts))[:3])
    prints = [part.prints for part in parts]
    return Windows(
        names,
        patients,
        signals,
        Fingerprints(
            np.concatenate([each.beats for each in prints]),
            np.concatenate([each.counts for each in prints]),
            np.concatenate([each.sizes_NZ for each in prints]),
            np.concatenate([each.seconds for each in prints]),
        ),
        load,
    )


def same_signals(ones: Windows, others: Windows | None = None) -> list[Pair]:
    """Pairs of recordings that are one signal: one and another, or where `others` is None two of the ones.

    A recording is never paired with itself, whichever data set it stands in.
    """
    other = ones if others is None else others
    exact = set(_exact(ones, other, within=others is None))
    patients = dict(zip(ones.names.tolist(), ones.patients.tolist()))
    other_patients = dict(zip(other.names.tolist(), other.patients.tolist()))
    near = {
        names: found
        for names, found in _near(ones, other, within=others is None).items()
        if names not in exact and names[::-1] not in exact
    }
    found = [(names, True, float("nan"), None) for names in exact]
    found += [(names, False, shift, like) for names, (shift, like) in near.items()]
    return [
        Pair(first, second, patients[first] == other_patients[second], is_exact, shift, like)
        for (first, second), is_exact, shift, like in sorted(found, key=lambda one: one[0])
    ]


def signal_names(windows: Windows) -> np.ndarray:
    """str (n,): one name for all windows of the recordings that are one signal, exactly or nearly."""
    names = dict(zip(windows.names.tolist(), windows.signals.tolist()))
    below = {signal: signal for signal in names.values()}

    def root(signal: str) -> str:
        while below[signal] != signal:
            signal = below[signal]
        return signal

    for pair in same_signals(windows):
        first, second = sorted((root(names[pair.first]), root(names[pair.second])))
        below[second] = first
    return np.array([root(signal) for signal in windows.signals.tolist()], np.str_)


def _exact(ones: Windows, others: Windows, within: bool) -> Iterator[tuple[str, str]]:
    by_signal: dict[str, list[str]] = collections.defaultdict(list)
    names, _, signals = others.recordings()
    for name, signal in zip(names.tolist(), signals.tolist()):
        by_signal[signal].append(name)
    names, _, signals = ones.recordings()
    for name, signal in zip(names.tolist(), signals.tolist()):
        for other in by_signal.get(signal, ()):
            if (name < other) if within else (name != other):
                yield name, other


def _near(ones: Windows, others: Windows, within: bool) -> dict[tuple[str, str], tuple[float, Likeness]]:
    """The likest pair of windows of each pair of recordings that is one signal."""
    found = candidates(ones.prints, None if within else others.prints)
    new = (ones.names[found.first] != others.names[found.second]) & (
        ones.signals[found.first] != others.signals[found.second]
    )
    first, second, shift = (column[new] for column in found)
    order = np.argsort(second, kind="stable")
    beats = np.split(ones.prints.beats, np.cumsum(ones.prints.counts)[:-1])
    likest: dict[tuple[str, str], tuple[float, Likeness]] = {}
    for start in range(0, len(order), _LOADED):
        part = order[start : start + _LOADED]
        signals, other_signals = ones.load(first[part].tolist()), others.load(second[part].tolist())
        for one, other, moved in zip(first[part].tolist(), second[part].tolist(), shift[part].tolist()):
            like = likeness(signals[one], other_signals[other], beats[one], moved)
            names = str(ones.names[one]), str(others.names[other])
            names = (min(names), max(names)) if within else names
            if like.one_signal and (names not in likest or like.correlation > likest[names][1].correlation):
                likest[names] = moved, like
    return likest


def names_of(source: np.ndarray, names: np.ndarray) -> np.ndarray:
    """'ptbxl/13': equal ids of two sources are two things."""
    return np.array([f"{one}/{name}" for one, name in zip(source.tolist(), names.tolist())], np.str_)


def _comparable(recordings: Recordings, number: int) -> np.ndarray:
    signal = recordings.ecg[number, :, : recordings.length[number]]
    return comparable(signal, recordings.preprocessing.sampling_rate)


def _decoder(selection: Selection) -> Callable[[bytes], dict[str, Any]]:
    return functools.partial(decode_window, window_samples=selection.preprocessing.window_samples)


def _at_rate(row: dict[str, Any], selection: Selection) -> np.ndarray:
    return comparable(row["ecg"][:, : row["length"]], selection.preprocessing.sampling_rate)


def _load(selection: Selection, numbers: Iterable[int]) -> dict[int, np.ndarray]:
    """The signals of some windows, read again; the others are passed over."""
    rows = decode_some(selection, _decoder(selection), numbers)
    return {number: _at_rate(row, selection) for number, row in rows}
