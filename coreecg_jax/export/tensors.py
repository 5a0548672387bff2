"""Parameters as `model.safetensors`, read with every check before anything is allocated.

The format (huggingface.co/docs/safetensors): 8 bytes, little-endian, the length of the header; the header,
JSON, name -> {dtype, shape, data_offsets}; the numbers, end to end. Nothing in it can be executed.
"""

import io
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from coreecg_jax.export.parsing import parse_json
from coreecg_jax.export.refusal import BundleRefused

Shapes = Mapping[str, tuple[int, ...]]
LONGEST_HEADER = 1 << 20  # bytes; a network has some dozens of tensors, about 100 bytes each
_METADATA = {"format": "flax"}


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves of nested dicts by their path, joined by dots; `nested` undoes it."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        inner = isinstance(value, Mapping)
        leaves.update(flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value})
    return leaves


def nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts from paths joined by dots."""
    tree: dict[str, Any] = {}
    for path, value in leaves.items():
        *folders, name = path.split(".")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[name] = value
    return tree


def tensors_to_bytes(tensors: Mapping[str, np.ndarray]) -> bytes:
    """The file of float32 tensors.

    Raises:
      ValueError: when one is of another type, or not finite.
    """
    header: dict[str, Any] = {"__metadata__": _METADATA}
    body = io.BytesIO()
    for name in sorted(tensors):
        array = np.asarray(tensors[name])
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"{name}: expected finite float32, got {array.dtype}")
        start = body.tell()
        body.write(np.ascontiguousarray(array).astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [start, body.tell()]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body.getvalue()


def read_tensors(path: Path, expected: Shapes) -> dict[str, np.ndarray]:
    """The float32 tensors of a file that holds exactly those expected.

    Raises:
      BundleRefused: when the size, the header, a name, type, shape, place or number is not as it must be.
    """
    with path.open("rb") as file:
        places, start = _checked_header(file, path.stat().st_size, expected)
        tensors = {}
        for name, (begin, end) in places.items():
            file.seek(start + begin)
            array = np.frombuffer(file.read(end - begin), "<f4")
            if array.size != (end - begin) // 4 or not np.isfinite(array).all():
                raise BundleRefused(f"{path.name}: {name}: expected {(end - begin) // 4} finite numbers")
            tensors[name] = array.reshape(expected[name])
    return tensors


def _checked_header(file: BinaryIO, size: int, expected: Shapes) -> tuple[dict[str, tuple[int, int]], int]:
    """Where each tensor lies among the numbers, in the order of the file, and where these begin."""
    start = 8 + _header_length(file, size)
    header = parse_json(file.read(start - 8), "model.safetensors")
    header.pop("__metadata__", None)
    missing, unknown = sorted(set(expected) - set(header)), sorted(set(header) - set(expected))
    if missing or unknown:
        raise BundleRefused(
            f"model.safetensors: not the tensors of the network in config.json: missing {missing[:5]}, "
            f"unknown {[name[:60] for name in unknown[:5]]}"
        )
    places: dict[str, tuple[int, int]] = {}
    for name, entry in header.items():
        # bool is an int for Python: compared by their text, true is not 1.
        begin = places[next(reversed(places))][1] if places else 0
        end = begin + 4 * int(np.prod(expected[name], dtype=np.int64))
        wanted = {"dtype": "F32", "shape": list(expected[name]), "data_offsets": [begin, end]}
        if not isinstance(entry, dict) or json.dumps(entry, sort_keys=True) != json.dumps(
            wanted, sort_keys=True
        ):
            raise BundleRefused(f"model.safetensors: {name}: expected {wanted}, got {str(entry)[:200]}")
        places[name] = begin, end
    if start + end != size:
        raise BundleRefused(f"model.safetensors: expected {start + end} bytes in all, got {size}")
    return places, start


def _header_length(file: BinaryIO, size: int) -> int:
    first = file.read(8)
    if len(first) < 8:
        raise BundleRefused(f"model.safetensors: expected at least 8 bytes, got {size}")
    (length,) = struct.unpack("<Q", first)
    if not 2 <= length <= min(LONGEST_HEADER, size - 8):
        raise BundleRefused(
            f"model.safetensors: expected a header of 2 to {min(LONGEST_HEADER, size - 8)} bytes, "
            f"got {length}"
        )
    return length
