"""From the serialised examples of shards to values, checked against `records.schema.FIELDS`."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from coreecg_jax.inputs.selection import DATASET_INFO_FILE, Selection
from coreecg_jax.inputs.tfrecord import Feature, parse_example, read_records
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.schema import FIELDS

Decoded = TypeVar("Decoded")

_NAME = ("source", "recording_id", "window")


def decode_all(selection: Selection, decode: Callable[[bytes], Decoded]) -> Iterator[Decoded]:
    """What `decode` makes of each example of a selection, in order.

    Raises:
      ValueError: when a shard is damaged, `decode` raises one, or a shard does not hold as many examples as
        `dataset_info.json` says; with the file, and the record where there is one.
    """
    for path, expected in zip(selection.files, selection.examples, strict=True):
        number = 0
        for number, record in enumerate(read_records(path), start=1):
            try:
                decoded = decode(record)
            except ValueError as error:
                raise ValueError(f"{path}, record {number}: {error}") from error
            yield decoded
        if number != expected:
            raise ValueError(
                f"{path}: expected {expected} examples as {DATASET_INFO_FILE} says, got {number}; the files "
                "are not of one run, write or copy the data set again"
            )


def decode_some(
    selection: Selection, decode: Callable[[bytes], Decoded], numbers: Iterable[int]
) -> Iterator[tuple[int, Decoded]]:
    """What `decode` makes of some examples, numbered from 0 through the files; the others are not read.

    Yields each number once with its example, in order.

    Raises:
      IndexError: when there is no such number.
      ValueError: as `decode_all`.
    """
    ordered = np.unique(np.fromiter(numbers, np.int64))
    if len(ordered) and not 0 <= ordered[0] <= ordered[-1] < selection.num_examples:
        raise IndexError(f"expected numbers of {selection.num_examples} examples, got {ordered}")
    ends = np.cumsum(selection.examples)
    files = np.searchsorted(ends, ordered, side="right")
    for file in np.unique(files).tolist():
        path, first = selection.files[file], int(ends[file]) - selection.examples[file]
        places = (ordered[files == file] - first).tolist()
        records = itertools.islice(read_records(path, frozenset(places)), len(places))
        for place, record in zip(places, records, strict=True):
            try:
                yield first + place, decode(record)
            except ValueError as error:
                raise ValueError(f"{path}, record {place + 1}: {error}") from error


def decode_length(record: bytes) -> int:
    """The `length` of an example in samples, all else skipped.

    Raises:
      ValueError: when it has none.
    """
    return _value("length", parse_example(record, ("length",)).get("length", []))


def names_of(selection: Selection, numbers: np.ndarray) -> list[str]:
    """'ptbxl/00123, window 0' of each of some records, numbered through the files of a selection."""
    names = dict(decode_some(selection, _name, numbers.tolist()))
    return [names[number] for number in numbers.tolist()]


def name_of(fields: Mapping[str, Any]) -> str:
    """'ptbxl/00123, window 0' of a decoded example."""
    return "{source}/{recording_id}, window {window}".format_map(fields)


def _name(record: bytes) -> str:
    fields = parse_example(record, _NAME)
    return name_of({name: _value(name, fields.get(name, [])) for name in _NAME})


def decode_window(record: bytes, window_samples: int) -> dict[str, Any]:
    """All fields of an example: numbers, texts, tuples of them, and `ecg` as int16 (12, window_samples).

    Raises:
      ValueError: when it is not what the schema says.
    """
    features = parse_example(record)
    if features.keys() != FIELDS.keys():
        raise ValueError(f"expected the features {sorted(FIELDS)}, got {sorted(features)}")
    row = {name: _value(name, feature) for name, feature in features.items() if name != "ecg"}
    row["ecg"] = _signal(features["ecg"], window_samples)
    if not 0 < row["length"] <= window_samples:
        raise ValueError(f"length: expected 1 to {window_samples} samples, got {row['length']}")
    if not 0 <= row["patient_key"] < 2**32:
        raise ValueError(f"patient_key: expected a uint32, got {row['patient_key']}")
    if len(row["labels"]) != len(row["likelihoods"]):
        raise ValueError(f"expected one likelihood a label, got {row['likelihoods']} for {row['labels']}")
    return row


def _value(name: str, feature: Feature) -> Any:
    """A scalar, or a tuple where the field holds several values."""
    field = FIELDS[name]
    values = _texts(name, feature) if field.kind == "text" else _numbers(name, feature)
    if field.shape == (None,):
        return values
    expected = field.shape[0] if field.shape else 1
    if len(values) != expected:
        raise ValueError(f"{name}: expected {expected} values, got {len(values)}")
    return values if field.shape else values[0]


def _numbers(name: str, feature: Feature) -> tuple[Any, ...]:
    dtype = np.int64 if FIELDS[name].kind == "int" else np.float32
    if isinstance(feature, np.ndarray) and feature.dtype == dtype:
        return tuple(feature.tolist())
    if len(feature):  # an empty list may not tell its kind
        raise ValueError(f"{name}: expected {np.dtype(dtype)} values")
    return ()


def _texts(name: str, feature: Feature) -> tuple[str, ...]:
    return tuple(str(value, "utf-8") for value in _bytes(name, feature))


def _bytes(name: str, feature: Feature) -> list[bytes]:
    if isinstance(feature, np.ndarray):
        raise ValueError(f"{name}: expected bytes, got {feature.dtype} values")
    return feature


def _signal(feature: Feature, window_samples: int) -> np.ndarray:
    expected = len(LEADS) * window_samples * 2
    values = _bytes("ecg", feature)
    if [len(value) for value in values] != [expected]:
        raise ValueError(
            f"ecg: expected one value of {expected} bytes (int16, {len(LEADS)} x {window_samples} samples), "
            f"got {[len(value) for value in values]}"
        )
    return np.frombuffer(values[0], "<i2").reshape(len(LEADS), window_samples)
