"""One line on the terminal: how far the run is, how fast, and its last losses."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self, SupportsFloat

import tqdm


class Progress:
    """A progress line: step, time left, recordings per second, losses; a context manager.

    Args:
      total_steps: of the whole run.
      start_step: steps done by an earlier start, not counted in the speed.
      batch_size: recordings a step.
      disable: no line at all; None: no line unless standard error is a terminal.
    """

    def __init__(
        self, total_steps: int, *, start_step: int = 0, batch_size: int, disable: bool | None = None
    ) -> None:
        self._batch_size = batch_size
        self._line = tqdm.tqdm(
            total=total_steps,
            initial=start_step,
            unit="step",
            disable=disable,
            dynamic_ncols=True,
            bar_format="step {n_fmt}/{total_fmt} · {remaining} left{postfix}",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._line.close()

    def update(self, step: int, losses: Mapping[str, SupportsFloat] | None = None) -> None:
        """Moves the line to `step` done; `losses`, where given, replace those that it shows."""
        if losses is not None:
            self._line.set_postfix_str(self._describe(losses), refresh=False)
        self._line.update(step - self._line.n)

    def _describe(self, losses: Mapping[str, SupportsFloat]) -> str:
        steps_per_second = self._line.format_dict["rate"] or 0.0
        shown = [f"{steps_per_second * self._batch_size:.1f} recordings/s"]
        return " · ".join(["", *shown, *(f"{name} {float(value):.4g}" for name, value in losses.items())])
