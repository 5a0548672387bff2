"""A test that was opened, and of which no report came to be: what is known of it is kept, and used again.

Between the opening and the JSON stand tables on a disk that may be full, and code that may raise. Asked again
the test would be opened a second time, for predictions that were final before the first.
"""

import contextlib
import dataclasses
import os
import pickle
import sys
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from coreecg_jax.downstream.methods import Encoder
from coreecg_jax.downstream.protocol import Evaluation
from coreecg_jax.downstream.refusals import Unfinished
from coreecg_jax.downstream.result_files import Report
from coreecg_jax.downstream.scores import TooFewRecordings

SUFFIX = ".unreported"
_OF_ANOTHER_VERSION = (TypeError, ValueError, KeyError, IndexError)  # of tuples that have got another field


class Unreported(NamedTuple):
    """An evaluation, who was asked and how, and where its result belongs."""

    found: Evaluation
    encoders: tuple[Encoder, ...]  # without parameters
    asked: Any  # `evaluating.Asked`
    file: Path  # JSON
    made_by: Report  # `provenance.program` that fitted and predicted


@contextlib.contextmanager
def kept_unless_reported(
    found: Evaluation, encoders: Sequence[Encoder], asked: Any, file: Path, made_by: Report
) -> Generator[None]:
    """While a report is made: whatever raises, an interruption too, an opened test is kept beside `file`.

    Where that cannot be written, it is kept in the folder for temporary files. That there are too few
    recordings for a score is an answer, and no reason to keep anything.
    """
    try:
        yield
    except TooFewRecordings:
        raise
    except BaseException:
        if found.opening is not None:
            bare = tuple(dataclasses.replace(each, pretrained={}, untrained={}) for each in encoders)
            _keep(Unreported(found, bare, asked, file.resolve(), made_by))
        raise


def require_reported(file: Path) -> None:
    """Raises Unfinished where a test was opened for this result, or a source of it, and was not reported."""
    waiting = [_beside(file), *sorted(file.with_suffix("").glob(f"*{SUFFIX}"))]
    for kept in waiting:
        if kept.is_file():
            raise Unfinished(
                f"{file}: expected a test that was opened for it to be reported, got {kept}: {_how(kept)}; "
                "or move that file away, to ask anew"
            )


def read_unreported(kept: Path) -> Unreported:
    """What was kept. It is a pickle, which runs what it says: read only what was written here.

    Raises:
      FileNotFoundError: when there is no such file.
      ValueError: when it is something else.
    """
    with kept.open("rb") as file:
        try:
            there = pickle.load(file)
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, *_OF_ANOTHER_VERSION) as error:
            raise _other(kept) from error
    if not isinstance(there, Unreported):
        raise _other(kept)
    return there


def _keep(unreported: Unreported) -> None:
    why = []
    for place in (_beside, _elsewhere):
        try:  # the second is not even made where the first will do
            kept = place(unreported.file)
            _write(unreported, kept)
        except (OSError, pickle.PicklingError, TypeError, AttributeError) as error:
            why.append(str(error))
            continue
        print(
            f"The test was opened and its report was not made; all predictions are kept: {_how(kept)}.",
            file=sys.stderr,
            flush=True,
        )
        return
    print(
        f"The test was opened, its report was not made, and nothing could be kept ({'; '.join(why)}).",
        file=sys.stderr,
        flush=True,
    )


def _write(unreported: Unreported, kept: Path) -> None:
    """Whole or not at all."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".unreported-") as staging:
        new = Path(staging) / kept.name
        with new.open("wb") as file:
            pickle.dump(unreported, file, protocol=pickle.HIGHEST_PROTOCOL)
        os.replace(new, kept)


def _beside(file: Path) -> Path:
    return file.with_suffix(SUFFIX)


def _elsewhere(file: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix="coreecg-")) / _beside(file).name


def _how(kept: Path) -> str:
    return (
        "when what went wrong is mended, the report is made from it, without another opening, by "
        f"python -m launch.evaluate --finish={kept}"
    )


def _other(kept: Path) -> ValueError:
    return ValueError(
        f"--finish={kept}: expected what launch.evaluate kept of a test without a report, of this version of "
        f"the code; name the file ending in {SUFFIX} that it told"
    )
