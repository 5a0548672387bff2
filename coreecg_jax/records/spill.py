"""Pieces of bytes, put in order on disk: memory holds their keys and places, never the pieces."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self


class Spill:
    """Takes pieces in any order and gives them back in the order of their keys; to be used in a `with`.

    The file has no name: a process that is killed leaves nothing behind.
    """

    def __init__(self, folder: Path):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._places: list[tuple[int, int, int]] = []  # key, offset, bytes
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def add(self, key: int, piece: bytes) -> None:
        """Keeps a piece. Keys are expected to differ; pieces of one key come in the order they were given."""
        self._file.write(piece)
        self._places.append((key, self._end, len(piece)))
        self._end += len(piece)

    def in_order(self) -> Iterator[bytes]:
        """The pieces by their keys."""
        self._places.sort()
        for _, offset, size in self._places:
            self._file.seek(offset)
            yield self._file.read(size)
