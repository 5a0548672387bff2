"""TFRecord files, written without TensorFlow, which takes seconds and half a gigabyte to load.

The framing is that of tensorflow/core/lib/io/record_writer.h; `inputs/tfrecord` reads it.
"""

import struct
from collections.abc import Iterable
from pathlib import Path

HEADER = struct.Struct("<QI")  # length of the data, masked CRC of these eight bytes
FOOTER = struct.Struct("<I")  # masked CRC of the data
_LENGTH = struct.Struct("<Q")


def masked_crc32c(data: bytes) -> int:
    """CRC-32C, rotated and shifted as TFRecord stores it."""
    # Here, as a step that is fed from memory runs on machines that have no package for it.
    import google_crc32c

    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def framed(record: bytes) -> bytes:
    """A record as it stands in a file: header, data, footer."""
    head = HEADER.pack(len(record), masked_crc32c(_LENGTH.pack(len(record))))
    return b"".join((head, record, FOOTER.pack(masked_crc32c(record))))


def write_records(path: Path | str, records: Iterable[bytes]) -> None:
    """Writes a TFRecord file."""
    with open(path, "wb") as file:
        for record in records:
            file.write(framed(record))
