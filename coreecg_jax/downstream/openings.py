"""The seal of the test: the labels of a test set are read once a run, and each reading is written down.

The log is a file of JSON lines beside the data. A run is everything that leads to its predictions but the
settings one may be tempted to turn until the test likes them: a second look is a second look, whatever was
changed for it. Two runs are one where they share a checkpoint or are two steps of one training (`same_run`);
two tests are one where they share a split.
"""

import contextlib
import datetime
import fcntl
import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from coreecg_jax.downstream.provenance import digest_of_json
from coreecg_jax.downstream.same_run import require_comparable, steps_of, who
from coreecg_jax.downstream.shared_splits import shared_splits
from coreecg_jax.inputs.selection import named_splits

FILE = "test_openings.jsonl"
_COMPARED = "time", "test", "identity"  # of a line, that which is read again


class Opening(NamedTuple):
    """One reading of the labels of a test set."""

    run: str  # digest of `identity`
    test: str  # what was opened: label set and data specification
    number_by_run: int  # 1: for the first time by this run
    number_by_all: int  # of any of these splits, by any run, whatever the label set
    predictions: str  # digest of the predictions, which were final before
    log: str = ""  # in which it was counted, where that is not the one beside the data


class Sealed(NamedTuple):
    """A test that a run is about to open."""

    identity: Mapping[str, Any]  # what the run is, JSON (`same_run.identity_of`)
    label_set: str
    data: str  # data specification
    is_split: bool = True  # of a task, whose other recordings settings can be chosen by

    @property
    def test(self) -> str:
        """As the log and messages have it."""
        return f"{self.label_set} of {self.data}"


def open_once(
    file: Path, sealed: Sealed, *, root: Path | str, predictions: str, allow_retest: bool
) -> Opening:
    """Writes down that a run opens a test set, before it does.

    Args:
      file: of the log; made where it is not there.
      root: folder of the data, beside which the log is expected.
      sealed: the test, and who opens it.
      predictions: digest of the predictions that will be scored.
      allow_retest: open it a second time, which is then marked.

    Raises:
      ValueError: when this run has opened this test set before, or the log is damaged.
      OSError: when the log cannot be written: what cannot be written down is not opened.
    """
    run = digest_of_json(dict(sealed.identity))
    with _locked(file) as log:
        own, earlier = _before(log, file, sealed, allow_retest)
        opening = Opening(run, sealed.test, own + 1, earlier + 1, predictions, _elsewhere(file, root))
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        line = json.dumps({"time": now, **opening._asdict(), "identity": dict(sealed.identity)})
        begin = "" if _ends_a_line(log) else "\n"
        log.seek(0, os.SEEK_END)
        log.write(f"{begin}{line}\n")
        log.flush()
        os.fsync(log.fileno())
    return opening


def require_sealed(file: Path, sealed: Sealed, *, allow_retest: bool) -> None:
    """Raises as `open_once` would, before anything is fitted; writes nothing."""
    with _locked(file) as log:
        _before(log, file, sealed, allow_retest)


def _elsewhere(file: Path, root: Path | str) -> str:
    """The log, where it is not the one beside the data; else ''."""
    return "" if file.resolve() == Path(root, FILE).resolve() else str(file)


def _before(log: IO[str], file: Path, sealed: Sealed, allow_retest: bool) -> tuple[int, int]:
    """How often this run, and how often anybody, opened a part of this test."""
    earlier = [line for line in _lines(log, file) if _share_a_split(line["test"], sealed.test)]
    own = [line for line in earlier if _same_run(line, sealed)]
    if own and not allow_retest:
        choose = "by --development" if sealed.is_split else "on a task that has a test split"
        raise ValueError(
            f"{sealed.test}: {_same_run(own[-1], sealed)} opened this test set {times(len(own))} before, "
            f"last on {own[-1]['time']}{steps_of(own[-1]['identity'])}, and the test is sealed: choose "
            f"{choose}, or open it again with --allow_retest, which the result will say ({file})"
        )
    return len(own), len(earlier)


def _share_a_split(one: str, other: str) -> bool:
    """Whether two tests ('LABEL_SET of SPECIFICATION') have recordings in common, by what they are called."""
    return bool(shared_splits(_data(one), _data(other)))


def _data(test: str) -> str:
    return test.partition(" of ")[2]


def _same_run(line: Mapping[str, Any], sealed: Sealed) -> str | None:
    """Who it was, where a line is of this run and label set (`same_run.who`)."""
    if line["test"].partition(" of ")[0] != sealed.label_set:
        return None
    return who(line["identity"], sealed.identity)


def times(count: int) -> str:
    """How often, in words."""
    return "once" if count == 1 else f"{count} times"


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
    """What the log says, opening by opening; blank lines say nothing."""
    log.seek(0)
    return [_line(text, f"{file}, line {number}") for number, text in enumerate(log, 1) if text.strip()]


def _line(text: str, place: str) -> dict[str, Any]:
    """One opening.

    Raises:
      ValueError: when it cannot be compared with others.
    """
    try:
        line = json.loads(text)
        if not isinstance(line, dict):
            raise ValueError(f"got {type(line).__name__}")
        if absent := [name for name in _COMPARED if name not in line]:
            raise ValueError(f"it lacks {', '.join(absent)}")
        require_comparable(line["identity"])
        named_splits(_data(line["test"]))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(
            f"{place}: expected the JSON of an opening, as launch.evaluate writes it, with "
            f"{', '.join(_COMPARED)} ({error}): it was cut off or changed; mend that line alone, as each of "
            "the others is an opening that counts"
        ) from error
    return line


def _ends_a_line(log: IO[str]) -> bool:
    """Whether what is added begins a line of its own: a last line may have lost its end."""
    log.seek(0)
    return log.read()[-1:] in ("", "\n")
