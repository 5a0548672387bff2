"""MATLAB files of the CPSC2018 contest: a struct `ECG` of sex, age and data, twelve rows in mV at 500 Hz.

Read by scipy, once the file is known to be small when decompressed, and not deep: scipy takes memory as a
file asks for it, and follows its elements down without an end.
"""

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from coreecg_jax.records.formats.limits import check_file, check_values
from coreecg_jax.records.formats.placing import placed
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused

SAMPLING_RATE = 500.0  # Hz
MAX_BYTES = 1 << 26  # as stored, and decompressed: 20 minutes
_HEADER = 128  # bytes; the last four are version and byte order
_LITTLE_ENDIAN_5 = b"\x00\x01IM"
_COMPRESSED, _MATRIX = 15, 14  # types of elements
_MOST_ELEMENTS = 1000  # a recording has four


def read_contest_mat(path: Path) -> Recording:
    """The recording of a file.

    Raises:
      RecordingRefused: when it cannot be read, with the reason.
    """
    check_file(path, MAX_BYTES)
    try:
        ecg = scipy.io.loadmat(io.BytesIO(_decompressed(path.read_bytes())), variable_names=("ECG",))["ECG"]
        fields = {name: ecg[name].item() for name in ("sex", "age", "data")}
        samples_LT, comments = np.asarray(fields["data"], np.float64), _comments(fields)
    except Exception as error:  # whatever scipy's parser stumbles over; a field that is not there
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {type(error).__name__}: {error}") from error
    if samples_LT.ndim != 2 or len(samples_LT) != len(LEADS):
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{path.name}: expected ECG.data of 12 leads x samples, got shape {samples_LT.shape}",
        )
    check_values(path.name, *samples_LT.shape)
    return placed(path.name, LEADS, samples_LT, [1.0] * len(LEADS), SAMPLING_RATE, comments)


def _decompressed(raw: bytes) -> bytes:
    """The same file without compression."""
    if raw[_HEADER - 4 : _HEADER] != _LITTLE_ENDIAN_5:
        raise ValueError("expected a MATLAB 5 file")
    elements, at, left = [raw[:_HEADER]], _HEADER, MAX_BYTES
    while at + 8 <= len(raw):
        kind, size = np.frombuffer(raw, "<u4", 2, at).tolist()
        body = raw[at + 8 : at + 8 + size]
        if kind == _COMPRESSED:
            unpacking = zlib.decompressobj()
            element = unpacking.decompress(body, left)
            if unpacking.unconsumed_tail:
                raise ValueError(f"expected at most {MAX_BYTES} bytes when decompressed")
        else:
            element = raw[at : at + 8] + body
        elements.append(element)
        at, left = at + 8 + size, max(1, left - len(element))
    whole = b"".join(elements)
    if whole.count(_MATRIX.to_bytes(4, "little")) > _MOST_ELEMENTS:
        raise ValueError(f"expected at most {_MOST_ELEMENTS} elements")
    return whole


def _comments(fields: dict[str, Any]) -> list[str]:
    """Age and sex as `header_comments` reads them."""
    age, sex = (np.asarray(fields[name]) for name in ("age", "sex"))
    said = {
        "Age": f"{age.item():g}" if age.size == 1 else "",
        "Sex": str(sex.item()) if sex.size == 1 else "",
    }
    return [f"{key}: {value}" for key, value in said.items() if value]
