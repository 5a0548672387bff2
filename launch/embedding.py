"""From a command line to the recordings that it names, and what became of them."""

import collections
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from coreecg_jax.export.streaming import Row
from coreecg_jax.records.databases.folder import TABLE
from coreecg_jax.records.formats.files import SUFFIXES, read_recording, recordings_below
from coreecg_jax.records.progress import shown_progress
from coreecg_jax.records.recording import Recording

_MOST_SETS = 20  # of leads, that are told one by one


class Named(NamedTuple):
    """A file, and the folder up to which a description of it may stand."""

    path: Path
    top: Path

    @property
    def id(self) -> str:
        """Its path, that of a WFDB header without the suffix; however it was typed, the same.

        Below the current folder the path from there, else the typed one, without '.' and '..' in its middle.
        """
        path, here = Path(os.path.normpath(self.path)), Path.cwd()
        path = path.relative_to(here) if path.is_relative_to(here) else path
        return (path.with_suffix("") if path.suffix == ".hea" else path).as_posix()

    def read(self) -> Recording:
        """The recording; refused where it cannot be read."""
        return read_recording(self.path, self.top)


def recordings_of(names: Sequence[str]) -> list[Named]:
    """The recordings of files and folders, each once, those of a folder sorted.

    Raises:
      FileNotFoundError: when a name is neither, or a folder has none.
      ValueError: when there is no name.
    """
    if not names:
        raise ValueError("expected files or folders of recordings after the flags, got none")
    found: dict[str, Named] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            # The table of a folder that an ecg.yaml describes looks like a recording; preparing skips it too.
            here = [Named(file, path) for file in recordings_below(path) if file.name != TABLE]
        else:
            file = path if path.suffix.lower() in SUFFIXES else Path(f"{name}.hea")
            here = [Named(file, file.parent)] if file.is_file() else []
        if not here:
            raise FileNotFoundError(
                f"{name}: expected a file ({', '.join(SUFFIXES)}), a WFDB record's path without suffix, or a "
                "folder with recordings in it"
            )
        for one in here:
            found.setdefault(one.id, one)
    return list(found.values())


class Counted:
    """Hands rows on as they come, says how far it is, and counts."""

    def __init__(self, batches: Iterable[list[Row]], total: int):
        self._batches, self._total = batches, total
        self._reasons: collections.Counter[str] = collections.Counter()
        self._first = ""
        self._unseen: collections.Counter[tuple[str, ...]] = collections.Counter()
        self._ignored: collections.Counter[str] = collections.Counter()

    def __iter__(self) -> Iterator[list[Row]]:
        with shown_progress(self._total, "embedding") as update:
            for rows in self._batches:
                self._reasons.update(row.reason for row in rows)
                self._unseen.update(tuple(row.leads) for row in rows if row.unseen)
                self._ignored.update(name for row in rows for name in row.ignored)
                self._first = self._first or next((f"{r.id}: {r.sentence}" for r in rows if r.reason), "")
                yield rows
                update(len(rows))

    def summary(self) -> str:
        """How many were embedded and refused, for which reasons, and the first refusal in full."""
        refused = {reason: count for reason, count in sorted(self._reasons.items()) if reason}
        text = f"{self._reasons['']} embedded, {sum(refused.values())} refused"
        if self._unseen:
            few = self._unseen.total()
            text = f"{few} with fewer leads than training ever left to the encoder; {text}"
        if refused:
            counts = ", ".join(f"{reason} {count}" for reason, count in refused.items())
            text = f"{text} ({counts}); the first: {self._first}"
        if self._ignored:
            names = ", ".join(f"{name} {count}" for name, count in sorted(self._ignored.items()))
            text = f"{text}\nsignals that are none of the twelve leads, ignored: {names}"
        return text

    def unseen_sets(self, known: Callable[[Sequence[str]], str]) -> Iterator[str]:
        """A line for each set of leads that training never left: its rows, and what `known` says of it."""
        sets = self._unseen.most_common()
        for leads, count in sets[:_MOST_SETS]:
            yield f"leads {', '.join(leads)}: {count} rows; accuracy: {known(leads)}"
        if rest := sets[_MOST_SETS:]:
            yield f"{len(rest)} other sets of leads: {sum(count for _, count in rest)} rows"
