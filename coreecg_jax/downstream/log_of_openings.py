"""The file of openings, and of what was scored in development: JSON lines, held by one process at a time."""

import contextlib
import datetime
import fcntl
import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO, Any

from coreecg_jax.downstream.same_run import require_comparable
from coreecg_jax.inputs.selection import named_splits

OPENING, DEVELOPMENT = "opening", "development"  # kinds of lines; those of before say none: openings all
# What is no UTF-8 damages its line alone, which is then named.
AS_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "replace"}
_COMPARED = "time", "test", "identity"  # of a line, that which is read again

Line = dict[str, Any]


@contextlib.contextmanager
def locked(file: Path) -> Generator[IO[str]]:
    """The log, held by one process at a time.

    Raises:
      OSError: when it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        log = file.open("a+", **AS_TEXT)
    except OSError as error:
        raise OSError(
            f"{file}: the log of test openings cannot be written ({error.strerror}); without it the test "
            "stays sealed: name another place with --openings"
        ) from error
    with log:
        fcntl.flock(log, fcntl.LOCK_EX)
        yield log


def add_line(log: IO[str], about: Mapping[str, Any]) -> None:
    """Writes a line of now, which lasts when this returns; whole or not at all, as a part of one would stop
    every opening that comes later.

    Raises:
      OSError: when it cannot be written.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    file, end = log.fileno(), log.seek(0, os.SEEK_END)
    begin = "" if _ends_a_line(log.name, end) else "\n"
    line = f"{begin}{json.dumps({'time': now, **about})}\n".encode()
    try:
        while line:  # unbuffered: what is left in a buffer would be written when the file is closed
            line = line[os.write(file, line) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, end)
        raise


def read_lines(log: IO[str], file: Path) -> list[Line]:
    """What the log says, line by line; blank lines say nothing.

    Raises:
      ValueError: when a line cannot be compared with others.
    """
    log.seek(0)
    return [_line(text, f"{file}, line {number}") for number, text in enumerate(log, 1) if text.strip()]


def count_openings(file: Path) -> int:
    """Openings in a log, there or not; what cannot be read counts as one, for caution."""
    if not file.is_file():
        return 0
    lines = file.read_text(**AS_TEXT).splitlines()
    return sum(bool(line.strip()) and not _is_development(line) for line in lines)


def kind_of(line: Mapping[str, Any]) -> str:
    """`OPENING` or `DEVELOPMENT`."""
    return line.get("kind", OPENING)


def data_of(test: str) -> str:
    """The specification in 'LABEL_SET of SPECIFICATION'."""
    return test.partition(" of ")[2]


def _is_development(text: str) -> bool:
    with contextlib.suppress(ValueError, AttributeError):
        return kind_of(json.loads(text)) == DEVELOPMENT
    return False


def _line(text: str, place: str) -> Line:
    try:
        line = json.loads(text)
        if not isinstance(line, dict):
            raise ValueError(f"got {type(line).__name__}")
        if absent := [name for name in _COMPARED if name not in line]:
            raise ValueError(f"it lacks {', '.join(absent)}")
        if kind_of(line) not in (OPENING, DEVELOPMENT):
            raise ValueError(f"got kind {line['kind']!r}")
        if not all(isinstance(digest, str) for digest in line.get("recordings", ())):
            raise ValueError("its recordings are no digests")
        require_comparable(line["identity"])
        named_splits(data_of(line["test"]))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(
            f"{place}: expected the JSON of an opening or of development, as launch.evaluate writes it, with "
            f"{', '.join(_COMPARED)} ({error}): it was cut off or changed; mend that line alone, as each of "
            "the others counts"
        ) from error
    return line


def _ends_a_line(file: str, end: int) -> bool:
    """Whether what is added begins a line of its own: a last line may have lost its end."""
    if not end:
        return True
    with open(file, "rb") as log:
        log.seek(end - 1)
        return log.read(1) == b"\n"
