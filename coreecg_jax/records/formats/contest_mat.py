"""MATLAB files of the CPSC2018 contest: a struct `ECG` of sex, age and data, twelve rows in mV at 500 Hz.

MATLAB 5 files as the MathWorks describe them ("MAT-File Format"), as far as these need it. scipy's `loadmat`
reads them all, and ends the process where a file is damaged in some ways (found by `make fuzz`).
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from coreecg_jax.records.formats.limits import check_file, check_values
from coreecg_jax.records.formats.placing import placed
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused

SAMPLING_RATE = 500.0  # Hz
MAX_BYTES = 1 << 26  # as stored, and decompressed: 20 minutes
_HEADER = 128  # bytes; the last four are version and byte order
_LITTLE_ENDIAN_5 = b"\x00\x01IM"
_MATRIX, _COMPRESSED, _STRUCT = 14, 15, 2
_DTYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 16: "u1"}
Element = tuple[int, bytes]  # its type, and what it holds


def read_contest_mat(path: Path) -> Recording:
    """The recording of a file.

    Raises:
      RecordingRefused: when it cannot be read, with the reason.
    """
    check_file(path, MAX_BYTES)
    try:
        fields = _fields(path.read_bytes())
        samples_LT, age, sex = fields["data"], fields["age"], fields["sex"]
    except (ValueError, KeyError, IndexError, zlib.error) as error:
        raise RecordingRefused(
            Reason.UNREADABLE, f"{path.name}: no struct ECG of sex, age and data ({error})"
        ) from error
    if samples_LT.ndim != 2 or len(samples_LT) != len(LEADS):
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{path.name}: expected ECG.data of 12 leads x samples, got shape {samples_LT.shape}",
        )
    check_values(path.name, *samples_LT.shape)
    said = {
        "Age": f"{age.item():g}" if age.size == 1 else "",
        "Sex": "".join(chr(int(one)) for one in sex.ravel()[:20]),
    }
    comments = [f"{key}: {value}" for key, value in said.items()]
    return placed(path.name, LEADS, samples_LT, [1.0] * len(LEADS), SAMPLING_RATE, comments)


def _fields(raw: bytes) -> dict[str, np.ndarray]:
    """The fields of the struct `ECG`: numbers, and text as numbers of characters."""
    if raw[_HEADER - 4 : _HEADER] != _LITTLE_ENDIAN_5:
        raise ValueError("expected a MATLAB 5 file")
    for kind, body in _elements(raw[_HEADER:], padded=False):
        if kind == _COMPRESSED:
            unpacking = zlib.decompressobj()
            unpacked = unpacking.decompress(body, MAX_BYTES)
            if unpacking.unconsumed_tail:
                raise ValueError(f"expected at most {MAX_BYTES} bytes when decompressed")
            kind, body = next(_elements(unpacked), (0, b""))
        if kind != _MATRIX:
            continue
        (_, flags), _, (_, name), *rest = _elements(body)
        if name == b"ECG" and flags[:1] == bytes([_STRUCT]):
            return _named(rest)
    raise ValueError("none in the file")


def _named(rest: list[Element]) -> dict[str, np.ndarray]:
    """Of a struct: length of the names, the names, then the fields in their order."""
    (_, length), (_, names), *fields = rest
    width = int.from_bytes(length[:4], "little")
    if not 0 < width <= 64 or len(names) != width * len(fields):
        raise ValueError("expected one element of the struct")
    found = [names[at : at + width].rstrip(b"\0") for at in range(0, len(names), width)]
    wanted = {b"sex": "sex", b"age": "age", b"data": "data"}
    return {wanted[name]: _numbers(body) for name, (_, body) in zip(found, fields) if name in wanted}


def _numbers(body: bytes) -> np.ndarray:
    """float64 of a matrix of real numbers or characters."""
    _, (_, dimensions), _, (kind, stored) = _elements(body)
    shape = np.frombuffer(dimensions, "<i4").tolist()
    if kind not in _DTYPES or min(shape, default=-1) < 0:
        raise ValueError(f"numbers of kind {kind} and shape {shape}")
    return np.frombuffer(stored, _DTYPES[kind]).astype(np.float64).reshape(shape, order="F")


def _elements(raw: bytes, *, padded: bool = True) -> Iterator[Element]:
    """The elements that stand end to end; small ones hold up to four bytes beside their type."""
    at = 0
    while at + 8 <= len(raw):
        kind, size = np.frombuffer(raw, "<u4", 2, at).tolist()
        if kind >> 16:  # small
            yield kind & 0xFFFF, raw[at + 4 : at + 4 + min(4, kind >> 16)]
            at += 8
            continue
        if at + 8 + size > len(raw):
            raise ValueError("cut short")
        yield kind, raw[at + 8 : at + 8 + size]
        at += 8 + size + (-size % 8 if padded else 0)
