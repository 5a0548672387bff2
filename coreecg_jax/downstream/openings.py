"""The seal of the test: the labels of a test set are read once a run, and each reading is written down.

The log is a file of JSON lines beside the data. A run is everything that leads to its predictions but the
settings one may be tempted to turn until the test likes them: a second look is a second look, whatever was
changed for it.
"""

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

FILE = "test_openings.jsonl"


class Opening(NamedTuple):
    """One reading of the labels of a test set."""

    run: str  # digest of `identity`
    test: str  # what was opened: label set and data specification
    number_by_run: int  # 1: for the first time by this run
    number_by_all: int  # of this test set, by any run
    predictions: str  # digest of the predictions, which were final before


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, keys in order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def open_once(
    file: Path,
    *,
    identity: Mapping[str, Any],
    test: str,
    predictions: str,
    allow_retest: bool,
) -> Opening:
    """Writes down that a run opens a test set, before it does.

    Args:
      file: of the log; made where it is not there.
      identity: what the run is, JSON.
      test: what is opened.
      predictions: digest of the predictions that will be scored.
      allow_retest: open it a second time, which is then marked.

    Raises:
      ValueError: when this run has opened this test set before, or the log is damaged.
      OSError: when the log cannot be written: what cannot be written down is not opened.
    """
    run = digest(identity)
    with _locked(file) as log:
        earlier = [line for line in _lines(log, file) if line["test"] == test]
        own = [line for line in earlier if line["run"] == run]
        if own and not allow_retest:
            raise ValueError(
                f"{test}: this run opened this test set {_times(len(own))}, last on {own[-1]['time']}, and "
                "the test is sealed: choose by --development, or open it again with --allow_retest, which "
                f"the result will say ({file})"
            )
        opening = Opening(run, test, len(own) + 1, len(earlier) + 1, predictions)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        log.seek(0, os.SEEK_END)
        log.write(json.dumps({"time": now, **opening._asdict(), "identity": dict(identity)}) + "\n")
        log.flush()
        os.fsync(log.fileno())
    return opening


def _times(count: int) -> str:
    return "once before" if count == 1 else f"{count} times before"


@contextlib.contextmanager
def _locked(file: Path) -> Generator[IO[str]]:
    """The log, held by one process at a time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        log = file.open("a+", encoding="utf-8")
    except OSError as error:
        raise OSError(
            f"{file}: the log of test openings cannot be written ({error.strerror}); without it the test "
            "stays sealed: name another place with --openings"
        ) from error
    with log:
        fcntl.flock(log, fcntl.LOCK_EX)
        yield log


def _lines(log: IO[str], file: Path) -> list[dict[str, Any]]:
    log.seek(0)
    try:
        return [json.loads(line) for line in log]
    except ValueError as error:
        raise ValueError(
            f"{file}: expected JSON lines, as launch.evaluate writes them ({error}): mend or move the file"
        ) from error
