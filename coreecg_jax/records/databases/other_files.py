"""What else lies in a folder of recordings: files that were not looked at, counted by their ending."""

import collections
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from coreecg_jax.records.formats.described import FILE
from coreecg_jax.records.formats.files import DESCRIBED

_MOST = 20  # endings that are named
_HEADER, _SIGNALS = ".hea", (".dat", ".mat")


def not_looked_at(
    source: Path, recordings: Collection[str], tables: Collection[str] = (), *, arrays: bool = True
) -> str:
    """A sentence on every file below `source` that is no recording and belongs to none; '' without any.

    To a recording belong the files of its WFDB header's name, signals beside any header, and `ecg.yaml`.
    Hidden files and folders are passed over.

    Args:
      source: the folder.
      recordings: files that are read, relative to it.
      tables: names of files that tell of recordings.
      arrays: they are read where they are described, so those that are not are told apart.
    """
    read, other = set(recordings), collections.Counter[str]()
    undescribed = collections.Counter[str]()
    for below, name in _strangers(source):
        stem, suffix = os.path.splitext(name)
        suffix = suffix.lower()
        told = name in (FILE, *tables) or (suffix == ".yaml" and _describes(f"{below}{stem}", read))
        if not (told or f"{below}{name}" in read):
            (undescribed if arrays and suffix in DESCRIBED else other)[suffix or "without ending"] += 1
    said = f"files of other kinds, not looked at: {_counts(other)}" if other else ""
    lacking = f"arrays and tables that no {FILE} describes, not looked at: {_counts(undescribed)}"
    return "\n".join(line for line in (said, lacking if undescribed else "") if line)


def _strangers(source: Path) -> Iterator[tuple[str, str]]:
    """(folder below the source, ending in "/"; name) of files that no WFDB header of their folder speaks for.

    Texts, not paths: of a folder of a hundred thousand files paths took as long as listing them.
    """
    for here, folders, files in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".")]
        headers = {name.removesuffix(_HEADER) for name in files if name.endswith(_HEADER)}
        relative = Path(here).relative_to(source).as_posix()
        below = "" if relative == "." else f"{relative}/"
        for name in files:
            stem, suffix = os.path.splitext(name)
            beside = stem in headers
            if not (name.startswith(".") or beside or (headers and suffix in _SIGNALS)):
                yield below, name


def _describes(named: str, read: Collection[str]) -> bool:
    return any(f"{named}{suffix}" in read for suffix in DESCRIBED)


def _counts(found: collections.Counter[str]) -> str:
    """'.pdf 3, .txt 1', the most frequent first."""
    by_count = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    rest = sum(count for _, count in by_count[_MOST:])
    told = [f"{ending} {count}" for ending, count in by_count[:_MOST]]
    return ", ".join(told + [f"of {len(by_count) - _MOST} more endings {rest}"] * bool(rest))
