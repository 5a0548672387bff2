"""The manifest: one JSON line a recording, and a last one, `{"summary": …}`, that counts them."""

import collections
import json
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple


class Manifest:
    """Takes the line of each recording as it comes, and counts."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._counts = dict.fromkeys(
            (
                "read",
                "refused",
                "windows",
                "with_bad_leads",
                "with_masked_leads",
                "with_ignored_signals",
                "repeated_signals",
            ),
            0,
        )
        self._refused: collections.Counter[str] = collections.Counter()
        self._windows: collections.Counter[str] = collections.Counter()
        self._suspected: collections.Counter[str] = collections.Counter()
        self._dropped_seconds = 0.0
        self._hashes: set[int] = set()

    def add(self, split: str, text: bytes) -> None:
        """Writes and counts one recording, by its line."""
        self._file.write(text)
        line = json.loads(text)
        self._counts[line["status"]] += 1
        if line["status"] == "refused":
            self._refused[line["reason"]] += 1
            return
        self._windows[split] += line["windows"]
        self._counts["windows"] += line["windows"]
        self._counts["with_bad_leads"] += any(line["flags"])
        self._counts["with_masked_leads"] += any(line["masked"])
        self._counts["with_ignored_signals"] += bool(line["ignored_signals"])
        signal = int(line["signal_hash"], 16)
        self._counts["repeated_signals"] += signal in self._hashes
        self._hashes.add(signal)
        self._suspected.update(list(line["measured"]["suspected"]))
        self._dropped_seconds += line["dropped_seconds"]

    def finish(self, missing: int, settings: dict[str, Any]) -> dict[str, Any]:
        """Writes and returns the summary."""
        summary = {
            **self._counts,
            "missing": missing,
            "dropped_seconds": round(self._dropped_seconds, 3),
            "refused_by_reason": dict(sorted(self._refused.items())),
            "suspected": dict(sorted(self._suspected.items())),
            "windows_by_split": dict(self._windows),
            "settings": settings,
        }
        self._file.write(json.dumps({"summary": summary}).encode() + b"\n")
        return summary


def read_summary(path: Path) -> dict[str, Any]:
    """The summary of a finished manifest.

    Raises:
      ValueError: when the last line is no summary.
    """
    last = ""
    with path.open(encoding="utf-8") as file:
        for line in file:
            last = line
    parsed = json.loads(last or "{}")
    if "summary" not in parsed:
        raise ValueError(f"{path}: expected a summary in the last line, found none: prepare with --overwrite")
    return parsed["summary"]


class Refusals(NamedTuple):
    """Recordings that were refused for one reason."""

    count: int
    file: str  # of the first in the manifest
    sentence: str  # of the first, without its name


def refusals(path: Path) -> dict[str, Refusals]:
    """Reason -> what was refused for it, of a manifest, finished or not; in the order of their firsts."""
    counts, firsts = collections.Counter[str](), dict[str, tuple[str, str]]()
    with path.open(encoding="utf-8") as file:
        for text in file:
            if '"refused"' not in text:  # most lines: of a large manifest few are to be parsed
                continue
            line = json.loads(text)
            if line.get("status") == "refused":
                counts[line["reason"]] += 1
                firsts.setdefault(line["reason"], (line["file"], line["sentence"]))
    return {
        reason: Refusals(counts[reason], file, sentence.removeprefix(f"{Path(file).name}: "))
        for reason, (file, sentence) in firsts.items()
    }
