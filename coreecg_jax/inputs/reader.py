"""Whole data sets in memory, read without TensorFlow: for evaluation and for device placement."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.inputs.batch import Batch, available_leads
from coreecg_jax.inputs.examples import decode_all, decode_window
from coreecg_jax.inputs.selection import select
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.schema import Preprocessing

_NUMBERS = {
    "length": np.int32,
    "quality": np.int32,
    "window": np.int32,
    "patient_key": np.uint32,
    "fold": np.int32,
    "age": np.float32,
}
_TEXTS = ("recording_id", "patient_id", "source", "sex", "signal_hash")


@dataclasses.dataclass(frozen=True)
class Recordings:
    """n windows of recordings, one row each, in the order of the shards. Fields as in `schema.FIELDS`."""

    ecg: np.ndarray  # int16 (n, 12, W), units of `preprocessing.microvolts_per_unit`
    length: np.ndarray  # int32 (n,), samples
    quality: np.ndarray  # int32 (n, 12), bits of `schema.LeadFlag`
    recording_id: np.ndarray  # str (n,)
    window: np.ndarray  # int32 (n,)
    patient_id: np.ndarray  # str (n,)
    patient_key: np.ndarray  # uint32 (n,)
    source: np.ndarray  # str (n,)
    fold: np.ndarray  # int32 (n,)
    labels: tuple[tuple[str, ...], ...]  # n tuples of codes
    likelihoods: tuple[tuple[float, ...], ...]  # per cent, one a label
    age: np.ndarray  # float32 (n,), years
    sex: np.ndarray  # str (n,)
    signal_hash: np.ndarray  # str (n,)
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.length)

    @property
    def available(self) -> np.ndarray:
        """Whether a lead carries signal; bool (n, 12)."""
        return available_leads(self.quality)

    def take(self, indices: Any) -> "Recordings":
        """The rows at `indices` (integers, a slice or a bool mask), in that order."""
        rows = self._rows(indices)
        columns: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            column = getattr(self, field.name)
            if isinstance(column, np.ndarray):
                columns[field.name] = column[rows]
            elif isinstance(column, tuple):
                columns[field.name] = tuple(column[row] for row in rows)
        return dataclasses.replace(self, **columns)

    def batch(self, indices: Any) -> Batch:
        """The rows at `indices` (integers, a slice or a bool mask) as a step receives them."""
        rows = self._rows(indices)
        return Batch(
            ecg=self.ecg[rows],
            length=self.length[rows],
            available=available_leads(self.quality[rows]),
            patient=self.patient_key[rows],
        )

    def _rows(self, indices: Any) -> np.ndarray:
        return np.atleast_1d(np.arange(len(self))[indices])


def read_recordings(
    root: Path | str, spec: str, *, min_seconds: float = 0.0, most: int | None = None
) -> Recordings:
    """The windows of at least `min_seconds` that a data specification (`selection`) names, all or `most`.

    Raises:
      FileNotFoundError: when a folder or file is missing.
      ValueError: when the specification is wrong, a shard is damaged or is not what `schema.FIELDS` says,
        or no window is long enough.
    """
    selection = select(root, spec)
    min_length = selection.minimum_length(min_seconds)
    window_samples = selection.preprocessing.window_samples
    # One allocation for all samples: the large part of the memory is never held twice.
    room = selection.num_examples if most is None else min(most, selection.num_examples)
    ecg = np.empty((room, len(LEADS), window_samples), np.int16)
    rows: list[dict[str, Any]] = []
    for row in decode_all(selection, functools.partial(decode_window, window_samples=window_samples)):
        if len(rows) == room:
            break
        if row["length"] >= min_length:
            ecg[len(rows)] = row.pop("ecg")
            rows.append(row)
    if not rows:
        raise ValueError(
            f"{spec!r}: none of {selection.num_examples} windows lasts {min_seconds:g} s, as crops of "
            "that length need (data.crop_seconds of a run)"
        )
    return _recordings(ecg[: len(rows)], rows, selection.preprocessing)


def _recordings(ecg: np.ndarray, rows: list[dict[str, Any]], preprocessing: Preprocessing) -> Recordings:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return Recordings(
        ecg=ecg,
        preprocessing=preprocessing,
        labels=tuple(columns["labels"]),
        likelihoods=tuple(columns["likelihoods"]),
        **{name: np.array(columns[name], dtype) for name, dtype in _NUMBERS.items()},
        **{name: np.array(columns[name], np.str_) for name in _TEXTS},
    )
