"""When updates are skipped too often in a row: the step and its recordings are told, and the run stops."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.inputs.together import ALONE, Processes

SKIPPED_FILE = "skipped.json"


class NotFinite(FloatingPointError):
    """A run that stops because its loss or gradient stays NaN or infinite."""


class Patience:
    """Counts, dispatch by dispatch, how many updates in a row were skipped.

    It looks at the dispatch before the one that was just sent off, so that the devices are never waited for.

    Args:
      most: in a row at which `look` raises.
      workdir: of the run; the recordings of the skipped steps are written there.
      recordings_of: the ids of the recordings of a step, counted from 0.
      processes: of the run; all look at the same steps.

    Raises:
      ValueError: when `most` is not positive.
    """

    def __init__(
        self,
        most: int,
        workdir: Path | str,
        recordings_of: Callable[[int], Sequence[str]],
        processes: Processes = ALONE,
    ) -> None:
        if most < 1:
            raise ValueError(f"run.max_skipped_in_a_row: expected more than 0, got {most}")
        self._most, self._workdir, self._recordings_of = most, Path(workdir), recordings_of
        self._processes = processes
        self._before: tuple[range, Mapping[str, Any]] | None = None

    def look(self, numbers: range, metrics: Mapping[str, Any]) -> None:
        """Raises NotFinite when a step before these was the last of too many.

        Args:
          numbers: of the steps that were just sent off.
          metrics: of theirs: a number each, or arrays whose first entries are of these steps.
        """
        before, self._before = self._before, (numbers, metrics)
        self._check(before)

    def finish(self) -> None:
        """The same for the last steps that were looked at; their result is waited for."""
        self._check(self._before)

    def _check(self, seen: tuple[range, Mapping[str, Any]] | None) -> None:
        if seen is None:
            return
        numbers, metrics = seen
        over = np.flatnonzero(_of_steps(metrics["skipped_in_a_row"], numbers) >= self._most)
        if not len(over):
            return
        number = numbers[over[0]]
        in_a_row, loss, norm = (
            float(_of_steps(metrics[name], numbers)[over[0]])
            for name in ("skipped_in_a_row", "loss", "gradient_norm")
        )
        path = self._write(range(number - int(in_a_row) + 1, number + 1))
        raise NotFinite(
            f"step {number}: expected a finite loss and gradient norm, got {loss} and {norm}, as in the "
            f"last {int(in_a_row)} steps (run.max_skipped_in_a_row = {self._most}); the checkpoint before is "
            f"kept, the recordings of these steps are in {path}. Look at them, or begin "
            "again in another --workdir with a lower optimizer.learning_rate or optimizer.clip"
        )

    def _write(self, numbers: range) -> Path:
        """The recordings of the skipped steps: read by all processes between them, written by the first.

        All have done that when this ends: who raised at once would wait for the others as a process that ends
        does, for half a minute, and take down whoever still reads.
        """
        path = self._workdir / SKIPPED_FILE
        read = self._processes.shared(
            numbers, lambda number: json.dumps(list(self._recordings_of(number - 1)))
        )
        rows = [
            {"step": step, "recordings": json.loads(names)} for step, names in zip(numbers, read, strict=True)
        ]

        def write() -> None:
            if self._processes.number == 0:
                path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")

        self._processes.each(write)
        return path


def _of_steps(metric: Any, numbers: range) -> np.ndarray:
    return np.ravel(metric)[: len(numbers)]
