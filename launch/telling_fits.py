"""An evaluation says on standard error what is fitted or asked, which fold it is, and how long it takes."""

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Callable, Generator, Iterator, Sequence

import numpy as np

from coreecg_jax.downstream.cohorts import Cohort
from coreecg_jax.downstream.features import first_rows
from coreecg_jax.downstream.fits import Fit, Fitted
from coreecg_jax.downstream.folds import FOLDS
from coreecg_jax.downstream.methods import Methods
from coreecg_jax.downstream.protocol import Evaluation, MakeMethods
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.records.schema import Preprocessing
from launch.telling import every

EVERY = 30.0  # seconds between two lines of one stage
Tell = Callable[[str], None]  # of a line
Stage = Callable[[str], contextlib.AbstractContextManager[None]]  # of a line; while it lasts


def on_stderr(line: str) -> None:
    """Says it at once."""
    print(line, file=sys.stderr, flush=True)


def silent(line: str) -> None:
    """Says nothing."""
    del line


class Embedded:
    """How many recordings are embedded: told while features are computed, read by who says how far it is."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, done: int, count: int) -> None:
        """As `features.Watch`."""
        self._said = f", {done:,} of {count:,} recordings embedded"

    def __str__(self) -> str:
        """', 640 of 2,163 recordings embedded'; '' where none was since `forget`."""
        return self._said

    def forget(self) -> None:
        """What was embedded was of another stage."""
        self._said = ""


def told_methods(
    make_methods: MakeMethods, tell: Tell, *, nested: bool, embedded: Embedded | None = None
) -> MakeMethods:
    """Makes the same methods, which tell of each fit and each prediction before it is made.

    Args:
      make_methods: from the data's preprocessing to what is compared.
      tell: is told a line; from another thread while a stage lasts.
      nested: whether each run is fitted once a fold, and not once on all.
      embedded: what the methods tell while they embed; it is said of a stage that lasts.
    """
    telling = functools.partial(_stage, tell=tell, embedded=embedded or Embedded())

    def told(preprocessing: Preprocessing) -> Methods:
        return {
            name: tuple(
                dataclasses.replace(
                    run, fit=_told(run.fit, _name(name, run.name, number, len(runs)), telling, nested)
                )
                for number, run in enumerate(runs, 1)
            )
            for name, runs in make_methods(preprocessing).items()
        }

    return told


def told_sources(
    answers: Iterator[tuple[str, Evaluation | TooFewRecordings]], sources: Sequence[str], tell: Tell
) -> Iterator[tuple[str, Evaluation | TooFewRecordings]]:
    """The same answers, each source told of before it is asked about."""
    lines = (
        tell(f"source {source} ({number} of {len(sources)})") for number, source in enumerate(sources, 1)
    )
    return (answer for _, answer in zip(lines, answers))


def _name(method: str, run: str, number: int, runs: int) -> str:
    return f"{method}, {run}" + (f" ({number} of {runs})" if runs > 1 else "")


def _told(fit: Fit, name: str, stage_of: Stage, nested: bool) -> Fit:
    times = 0

    def telling(train: Cohort, validation: Cohort | None) -> Fitted:
        nonlocal times
        times += 1
        stage = f"{name}: fold {times} of {FOLDS}" if nested else name
        chosen_by = f", chosen by {len(validation)}" if validation is not None else ""
        with stage_of(f"{stage}: fitted on {len(train)} recordings{chosen_by}"):
            fitted = fit(train, validation)

        def predict(recordings: Recordings) -> np.ndarray:
            with stage_of(f"{stage}: predicts {len(first_rows(recordings))} recordings"):
                return fitted.predict(recordings)

        return fitted._replace(predict=predict)

    return telling


@contextlib.contextmanager
def _stage(line: str, *, tell: Tell, embedded: Embedded) -> Generator[None]:
    """Tells it now, and every `EVERY` seconds how long it has lasted, and how far embedding is."""
    embedded.forget()
    tell(line)
    with every(EVERY, lambda minutes: tell(f"{line}: {minutes:.1f} min so far{embedded}")):
        yield
