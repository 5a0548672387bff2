"""`SHA256SUMS`: a digest of every file of a folder, in the format of sha256sum.

`sha256sum -c SHA256SUMS` checks the folder without us. It finds damage and careless changes; whoever can
change a file and its digest is not stopped by it.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\0]+)")
_BLOCK = 1 << 20


def digest_of_file(path: Path, tick: Callable[[int], object] = lambda read: None) -> str:
    """SHA-256 of a file, read in blocks; `tick` is told the bytes of each."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            total.update(block)
            tick(len(block))
    return total.hexdigest()


def write_sums(folder: Path, known: Mapping[str, str]) -> None:
    """Writes `SHA256SUMS` of all files of a folder; those whose digest is `known` are not read again."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    lines = [f"{known.get(name) or digest_of_file(folder / name)}  {name}\n" for name in names]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def read_sums(folder: Path) -> dict[str, str]:
    """File -> digest.

    Raises:
      FileNotFoundError: when the folder has no `SHA256SUMS`.
      ValueError: when a line of it is none.
    """
    path = folder / SUMS
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} has no {SUMS}: it was prepared before there were any, or not copied whole"
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [_LINE.fullmatch(line) for line in lines]
    if not lines or not all(found):
        raise ValueError(f"{path}: expected lines of digest and file name, it is damaged")
    return {match[2]: match[1] for match in found if match}


def damaged(
    folder: Path, sums: Mapping[str, str], tick: Callable[[int], object] = lambda read: None
) -> Iterator[str]:
    """A sentence for each file that is not as it was written; all files are read."""
    for name, expected in sums.items():
        path = folder / name
        if not path.is_file():
            yield f"{path} is missing"
        elif (got := digest_of_file(path, tick)) != expected:
            yield f"{path} has SHA-256 {got[:16]}…, expected {expected[:16]}…"
