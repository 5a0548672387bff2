"""From a command line to the recordings that it names, and what became of them."""

import collections
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import tqdm

from coreecg_jax.export.streaming import Row


def headers_of(names: Sequence[str]) -> list[Path]:
    """WFDB headers of files and folders, each once, those of a folder sorted.

    Raises:
      FileNotFoundError: when a name is neither, or a folder has none.
      ValueError: when there is no name.
    """
    if not names:
        raise ValueError("expected files or folders of WFDB recordings after the flags, got none")
    found: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        header = path if path.suffix == ".hea" else Path(f"{name}.hea")
        here = sorted(path.rglob("*.hea")) if path.is_dir() else [header]
        if not here or not (path.is_dir() or header.is_file()):
            raise FileNotFoundError(
                f"{name}: expected a WFDB header (.hea), a record's path without suffix, or a folder with "
                "headers in it"
            )
        found |= dict.fromkeys(here)
    return list(found)


class Counted:
    """Hands rows on as they come, shows progress on a terminal, and counts."""

    def __init__(self, batches: Iterable[list[Row]], total: int):
        self._batches, self._total = batches, total
        self._reasons: collections.Counter[str] = collections.Counter()
        self._first = ""
        self._unseen = 0

    def __iter__(self) -> Iterator[list[Row]]:
        with tqdm.tqdm(total=self._total, unit=" recordings", disable=None) as bar:
            for rows in self._batches:
                self._reasons.update(row.reason for row in rows)
                self._unseen += sum(row.unseen for row in rows)
                self._first = self._first or next((f"{r.id}: {r.sentence}" for r in rows if r.reason), "")
                yield rows
                bar.update(len(rows))

    def summary(self) -> str:
        """How many were embedded and refused, for which reasons, and the first refusal in full."""
        refused = {reason: count for reason, count in sorted(self._reasons.items()) if reason}
        text = f"{self._reasons['']} embedded, {sum(refused.values())} refused"
        if self._unseen:
            text = f"{self._unseen} with fewer leads than training ever left to the encoder; {text}"
        if not refused:
            return text
        counts = ", ".join(f"{reason} {count}" for reason, count in refused.items())
        return f"{text} ({counts}); the first: {self._first}"
