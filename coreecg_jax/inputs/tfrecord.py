"""TFRecord files and tf.train.Example messages, read without TensorFlow.

The framing is that of tensorflow/core/lib/io/record_writer.h; the messages are those of
tensorflow/core/example/example.proto in the protocol buffers wire format. Only what these messages
contain is understood: anything else is reported, never skipped.
"""

from collections.abc import Container, Iterator
from pathlib import Path

import numpy as np

from coreecg_jax.records.record_file import FOOTER, HEADER, masked_crc32c

# What a feature of an Example holds, in order: any number of bytes, int64 or float32 values.
Feature = list[bytes] | np.ndarray

# Wire types of protocol buffers.
_VARINT, _DELIMITED, _FIXED32 = 0, 2, 5


def read_records(path: Path | str, wanted: Container[int] | None = None) -> Iterator[bytes]:
    """The records of a TFRecord file, each checked against its CRC.

    Args:
      path: of the file.
      wanted: numbers of records, from 0; the others are passed over unread, so their damage is not seen.

    Raises:
      ValueError: when the file is truncated or corrupt, with its name, the record and its byte offset.
    """
    for record in walk_records(path, wanted):
        if isinstance(record, ValueError):
            raise record
        yield record


def walk_records(path: Path | str, wanted: Container[int] | None = None) -> Iterator[bytes | ValueError]:
    """As `read_records`, with an error in the place of each record that is damaged.

    Where it is the length of a record that is damaged, nobody knows where the next begins: that error is the
    last of its file.
    """
    size, number, offset = Path(path).stat().st_size, 0, 0
    with open(path, "rb") as file:
        while offset < size:
            number += 1
            header = file.read(HEADER.size)
            if len(header) < HEADER.size:
                yield _corrupt(path, number, offset, "truncated header")
                return
            length, crc = HEADER.unpack(header)
            if masked_crc32c(header[:8]) != crc:
                yield _corrupt(path, number, offset, "wrong checksum of the length")
                return
            end = offset + HEADER.size + length + FOOTER.size
            if end > size:
                yield _corrupt(path, number, offset, "truncated data")
                return
            if wanted is None or number - 1 in wanted:
                data = file.read(length)
                whole = FOOTER.pack(masked_crc32c(data)) == file.read(FOOTER.size)
                yield data if whole else _corrupt(path, number, offset, "wrong checksum of the data")
            else:
                file.seek(end)
            offset = end


def _corrupt(path: Path | str, number: int, offset: int, what: str) -> ValueError:
    return ValueError(
        f"{path}, record {number}: {what} at byte {offset}; the file is damaged, write or copy it again"
    )


def parse_example(record: bytes, names: Container[str] | None = None) -> dict[str, Feature]:
    """The features of a serialised tf.train.Example by name, or only those named.

    A feature without values, whose kind is then not told, is an empty list.

    Raises:
      ValueError: when the bytes are not an Example, or name a feature twice.
    """
    features: dict[str, Feature] = {}
    for start, end in _messages(record, 0, len(record), field=1):
        for entry_start, entry_end in _messages(record, start, end, field=1):
            name, value_start, value_end = _map_entry(record, entry_start, entry_end)
            if name in features:
                raise ValueError(f"malformed Example: feature {name!r} stands twice")
            if names is None or name in names:
                features[name] = _feature(record, value_start, value_end)
    return features


def _messages(data: bytes, start: int, end: int, field: int) -> Iterator[tuple[int, int]]:
    """The bounds of the length-delimited values in data[start:end], all of which have one field number."""
    while start < end:
        got, wire, value_start, value_end = _next_field(data, start, end)
        if (got, wire) != (field, _DELIMITED):
            raise ValueError(f"malformed Example: expected field {field}, got {got} of wire type {wire}")
        yield value_start, value_end
        start = value_end


def _next_field(data: bytes, start: int, end: int) -> tuple[int, int, int, int]:
    """Field number, wire type and bounds of the value that stand at `start`; the bounds lie within `end`."""
    tag, start = _varint(data, start, end)
    wire = tag & 7
    if wire == _DELIMITED:
        length, start = _varint(data, start, end)
        stop = start + length
    elif wire == _FIXED32:
        stop = start + 4
    elif wire == _VARINT:
        _, stop = _varint(data, start, end)
    else:
        raise ValueError(f"malformed Example: unexpected wire type {wire}")
    if stop > end:
        raise ValueError("malformed Example: a value reaches beyond its message")
    return tag >> 3, wire, start, stop


def _varint(data: bytes, start: int, end: int) -> tuple[int, int]:
    """The unsigned number that stands at `start`, and where the next byte stands."""
    if start < end and data[start] < 0x80:  # nearly all are of one byte, and most of the time goes here
        return data[start], start + 1
    value = 0
    for position in range(start, min(end, start + 10)):
        byte = data[position]
        value |= (byte & 0x7F) << 7 * (position - start)
        if byte < 0x80:
            if value >= 1 << 64:
                break
            return value, position + 1
    raise ValueError("malformed Example: a number is cut short or longer than 64 bits")


def _map_entry(data: bytes, start: int, end: int) -> tuple[str, int, int]:
    """The key of an entry of the feature map and the bounds of its value."""
    name, value = "", (end, end)
    while start < end:
        field, wire, value_start, start = _next_field(data, start, end)
        if (field, wire) == (1, _DELIMITED):
            name = str(data[value_start:start], "utf-8")  # UnicodeDecodeError is a ValueError
        elif (field, wire) == (2, _DELIMITED):
            value = (value_start, start)
        else:
            raise ValueError(f"malformed Example: unexpected field {field} in the feature map")
    return name, *value


def _feature(data: bytes, start: int, end: int) -> Feature:
    """The values of one feature."""
    if start == end:
        return []
    kind, wire, list_start, list_end = _next_field(data, start, end)
    if list_end != end or wire != _DELIMITED or kind not in (1, 2, 3):
        raise ValueError("malformed Example: expected one list of bytes, floats or integers in a feature")
    if kind == 1:
        return [data[first:last] for first, last in _messages(data, list_start, list_end, field=1)]
    return _floats(data, list_start, list_end) if kind == 2 else _integers(data, list_start, list_end)


def _floats(data: bytes, start: int, end: int) -> np.ndarray:
    """A FloatList, packed or not; float32[number]."""
    values = []
    while start < end:
        field, wire, value_start, start = _next_field(data, start, end)
        if field != 1 or wire not in (_DELIMITED, _FIXED32) or (start - value_start) % 4:
            raise ValueError("malformed Example: expected a list of floats")
        values.append(data[value_start:start])
    return np.frombuffer(b"".join(values), "<f4")


def _integers(data: bytes, start: int, end: int) -> np.ndarray:
    """An Int64List, packed or not; int64[number]."""
    values = []
    while start < end:
        field, wire, position, start = _next_field(data, start, end)
        if field != 1 or wire not in (_DELIMITED, _VARINT):
            raise ValueError("malformed Example: expected a list of integers")
        while position < start:
            value, position = _varint(data, position, start)
            values.append(value)
    return np.array(values, np.uint64).view(np.int64)
