"""tf.train.Example messages and a description of shards, written without tensorflow-datasets.

The benchmarks make their own data, also where only jax and its relatives are installed. What users have is
written by tensorflow-datasets (`records/shards`); the bytes are the same, which a test says.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.records.shards import VERSION, Lengths

_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3  # fields of tf.train.Feature


def example(fields: Mapping[str, Any]) -> bytes:
    """The message of one example: its features in the order of their names.

    Args:
      fields: name -> an array of int16 (its bytes), a text, an int, a float, or a sequence of one of these.
    """
    entries = (
        _part(1, _part(1, name.encode()) + _part(2, _feature(fields[name]))) for name in sorted(fields)
    )
    return _part(1, b"".join(entries))


def describe(folder: Path, name: str, splits: Mapping[str, Sequence[Lengths]]) -> None:
    """Writes of `dataset_info.json` what a reader of shards looks at."""
    info = {
        "name": name,
        "version": VERSION,
        "splits": [
            {"name": split, "shardLengths": [str(shard.examples) for shard in shards]}
            for split, shards in splits.items()
        ],
    }
    (folder / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")


def _feature(value: Any) -> bytes:
    if isinstance(value, np.ndarray) and value.dtype == np.int16:
        return _part(_BYTES_LIST, _part(1, value.astype("<i2").tobytes()))
    values = [value] if isinstance(value, str | int | float) else list(value)
    if isinstance(values[0], str):
        return _part(_BYTES_LIST, b"".join(_part(1, each.encode()) for each in values))
    if isinstance(values[0], float):
        return _part(_FLOAT_LIST, _part(1, np.array(values, "<f4").tobytes()))
    return _part(_INT64_LIST, _part(1, b"".join(_varint(int(each)) for each in values)))


def _part(field: int, payload: bytes) -> bytes:
    """A length-delimited field."""
    return _varint(field << 3 | 2) + _varint(len(payload)) + payload


def _varint(number: int) -> bytes:
    """A whole number from 0 on."""
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
