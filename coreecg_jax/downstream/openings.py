"""The seal of the test: the labels of a test set are read once a run, and each reading is written down.

The log is a file of JSON lines beside the data. A run is everything that leads to its predictions but the
settings one may be tempted to turn until the test likes them: a second look is a second look, whatever was
changed for it. Two runs are one where they share a checkpoint or are two steps of one training (`same_run`);
two tests are one where they share a split, or recordings under other names (`sketches`).

Development opens no test, but what is scored in it may be of another task's test. So that is written down
too, and an opening says how often its run had looked there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from coreecg_jax.downstream.log_of_openings import (
    AS_TEXT,
    DEVELOPMENT,
    OPENING,
    Line,
    add_line,
    data_of,
    kind_of,
    locked,
    read_lines,
)
from coreecg_jax.downstream.provenance import digest_of_json
from coreecg_jax.downstream.refusals import AlreadyOpened
from coreecg_jax.downstream.same_run import of_one_run, steps_of, who
from coreecg_jax.downstream.shared_splits import shared_splits
from coreecg_jax.downstream.sketches import meet

FILE = "test_openings.jsonl"


class Opening(NamedTuple):
    """One reading of the labels of a test set."""

    run: str  # digest of `identity`
    test: str  # what was opened: label set and data specification
    number_by_run: int  # 1: for the first time by this run
    number_by_all: int  # of any part of this test, by any run, whatever the label set
    predictions: str  # digest of the predictions, which were final before
    log: str = ""  # in which it was counted, where that is not the one beside the data
    # Before, of any part of this test, by a checkpoint or training of this run:
    in_other_questions: int = 0  # openings by other labels, or another subset or protocol
    in_development: int = 0  # scored by whichever labels, subset and protocol


class Development(NamedTuple):
    """What was scored to choose by."""

    test: str  # label set and data specification, as those of a test
    opened_before: int | None  # openings of a part of it by the same checkpoint or training; None: not known
    log: str = ""  # as of an opening
    failed: str = ""  # why it is not known, or was not written down


class Sealed(NamedTuple):
    """A test that a run is about to open, or what is scored in development."""

    identity: Mapping[str, Any]  # what the run is, JSON (`same_run.identity_of`)
    label_set: str
    data: str  # data specification
    is_split: bool = True  # of a task, whose other recordings settings can be chosen by
    recordings: Sequence[str] = ()  # a sketch of them
    beside: Sequence[str] = ()  # specifications of the other tests of the question, which are not this one

    @property
    def test(self) -> str:
        """As the log and messages have it."""
        return f"{self.label_set} of {self.data}"


class _Before(NamedTuple):
    """How often a part of a test was looked at."""

    by_run: int
    by_all: int
    in_other_questions: int
    in_development: int


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
    with locked(file) as log:
        before = _before(read_lines(log, file), file, sealed, allow_retest)
        opening = Opening(
            run=digest_of_json(dict(sealed.identity)),
            test=sealed.test,
            number_by_run=before.by_run + 1,
            number_by_all=before.by_all + 1,
            predictions=predictions,
            log=_elsewhere(file, root),
            in_other_questions=before.in_other_questions,
            in_development=before.in_development,
        )
        add_line(log, {"kind": OPENING, **opening._asdict(), **_about(sealed)})
    return opening


def require_sealed(file: Path, sealed: Sealed, *, allow_retest: bool) -> None:
    """Raises as `open_once` would, before anything is fitted; writes nothing."""
    with locked(file) as log:
        _before(read_lines(log, file), file, sealed, allow_retest)


def note_development(file: Path, scored: Sealed, *, root: Path | str) -> Development:
    """Writes down what a run was scored on in development; where it cannot, it says why and goes on.

    Args:
      file, root: as of `open_once`.
      scored: what is scored, and who is.
    """
    try:
        with locked(file) as log:
            add_line(log, {"kind": DEVELOPMENT, "test": scored.test, **_about(scored)})
            opened, failed = _opened_before(log, file, scored)
    except OSError as error:
        why = getattr(error.__cause__ or error, "strerror", None) or error
        opened, failed = (
            _read_only(file, scored),
            f"This development could not be written down in {file} ({why}): a later opening of what is "
            "scored here will not count it.",
        )
    return Development(scored.test, opened, _elsewhere(file, root), failed)


def _about(sealed: Sealed) -> dict[str, Any]:
    """Of a line, what says who looked at which recordings."""
    return {"recordings": list(sealed.recordings), "identity": dict(sealed.identity)}


def _elsewhere(file: Path, root: Path | str) -> str:
    """The log, where it is not the one beside the data; else ''."""
    return "" if file.resolve() == Path(root, FILE).resolve() else str(file)


def _before(lines: Sequence[Line], file: Path, sealed: Sealed, allow_retest: bool) -> _Before:
    """Who looked at a part of this test before.

    Raises:
      AlreadyOpened: when this run opened it.
    """
    # Lines of development are most of a log, and count of this run alone: who it is is told sooner.
    counted = [line for line in lines if kind_of(line) == OPENING or _is_of_run(line, sealed)]
    here = [line for line in counted if _share_a_part(line, sealed)]
    opened = [line for line in here if kind_of(line) == OPENING]
    own = [line for line in opened if _same_run(line, sealed)]
    if own and not allow_retest:
        choose = "by --development" if sealed.is_split else "on a task that has a test split"
        last = own[-1]
        called = "" if last["test"] == sealed.test else f" as {last['test']}"
        raise AlreadyOpened(
            f"{sealed.test}: {_same_run(last, sealed)} opened this test set {times(len(own))} before, "
            f"last on {last['time']}{called}{steps_of(last['identity'])}, and the test is sealed: choose "
            f"{choose}, or open it again with --allow_retest, which the result will say ({file})"
        )
    return _Before(
        by_run=len(own),
        by_all=len(opened),
        in_other_questions=sum(_is_of_run(line, sealed) for line in opened) - len(own),
        in_development=sum(kind_of(line) == DEVELOPMENT for line in here),
    )


def _opened_before(log: IO[str], file: Path, scored: Sealed) -> tuple[int | None, str]:
    """How often this run opened a part of what it is scored on, whatever the question; or why that is not
    known: development, which opens nothing, is not stopped by it."""
    try:
        opened = [line for line in read_lines(log, file) if kind_of(line) == OPENING]
    except ValueError as error:
        return None, f"It is not known whether this run opened what is scored here as a test: {error}."
    return sum(_share_a_part(line, scored) and _is_of_run(line, scored) for line in opened), ""


def _read_only(file: Path, scored: Sealed) -> int | None:
    """The same where a log cannot be written."""
    try:
        with file.open(**AS_TEXT) as log:
            return _opened_before(log, file, scored)[0]
    except FileNotFoundError:
        return 0
    except OSError:
        return None


def _share_a_part(line: Line, sealed: Sealed) -> bool:
    """Whether two tests have recordings in common: by what they are called, or by their sketches."""
    data = data_of(line["test"])
    if shared_splits(data, sealed.data):
        return True
    return data not in sealed.beside and meet(line.get("recordings", ()), sealed.recordings)


def _is_of_run(line: Line, sealed: Sealed) -> bool:
    """Whatever the labels, subset and protocol."""
    return of_one_run(line["identity"], sealed.identity) is not None


def _same_run(line: Line, sealed: Sealed) -> str | None:
    """Who it was, where a line is of this run and label set (`same_run.who`)."""
    if line["test"].partition(" of ")[0] != sealed.label_set:
        return None
    return who(line["identity"], sealed.identity)


def times(count: int) -> str:
    """How often, in words."""
    return "once" if count == 1 else f"{count} times"
