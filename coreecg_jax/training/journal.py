"""The metrics of a run: a file of JSON lines for programs, and event files for TensorBoard.

`metrics.jsonl` holds one line a write, e.g. ``{"step": 10, "train/loss": 0.71, "train/accuracy": null}``.
It is strict JSON, which has no word for what is not finite: NaN and infinities become null (the event
files keep them). TensorBoard's own writers import TensorFlow where it is installed; the framing and the
messages that are used here do not.
"""

import json
import math
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, SupportsFloat

from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # ty: ignore[missing-module-member]
from tensorboard.compat.proto.summary_pb2 import Summary  # ty: ignore[missing-module-member]
from tensorboard.summary.writer.record_writer import RecordWriter

METRICS_FILE = "metrics.jsonl"


class Journal:
    """Writes the metrics of a run; a context manager.

    Args:
      workdir: the folder of the run, made where it is missing.
      resume_step: the step of the checkpoint from which the run goes on. What an interrupted run wrote about
        later steps is dropped, so that the journal reads like that of a run without interruption.

    Raises:
      FileExistsError: when there is a journal and `resume_step` is not given.
      ValueError: when the journal to go on with is damaged.
    """

    def __init__(self, workdir: Path | str, *, resume_step: int | None = None) -> None:
        workdir = Path(workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        path = workdir / METRICS_FILE
        if path.exists() and resume_step is None:
            raise FileExistsError(
                f"{path} is the journal of another run: choose a new workdir, or resume that run"
            )
        if path.exists() and resume_step is not None:
            _drop_after(path, resume_step)
        self._lines = path.open("a", buffering=1, encoding="utf-8")
        self._events = RecordWriter(_event_path(workdir).open("wb"))
        self._add_event(file_version="brain.Event:2")
        if resume_step is not None:
            # TensorBoard drops the events of earlier files from this step on.
            self._add_event(step=resume_step + 1, session_log=SessionLog(status=SessionLog.START))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files."""
        self._lines.close()
        self._events.close()

    def write(self, step: int, metrics: Mapping[str, SupportsFloat], prefix: str = "train") -> None:
        """Adds `metrics` as ``prefix/name``: anything that float() takes, scalars on devices too."""
        self.write_together(step, {prefix: metrics})

    def write_together(self, step: int, told: Mapping[str, Mapping[str, SupportsFloat]]) -> None:
        """Adds metrics of several prefixes as one line: a kill leaves all of them or none."""
        values = {
            f"{prefix}/{name}": float(value)
            for prefix, metrics in told.items()
            for name, value in metrics.items()
        }
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._lines.write(json.dumps({"step": int(step), **finite}, allow_nan=False) + "\n")
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add_event(step=int(step), summary=Summary(value=scalars))

    def draw(self, step: int, tag: str, png: bytes) -> None:
        """Adds a picture, for TensorBoard only."""
        image = Summary.Image(encoded_image_string=png, colorspace=4)  # 4: RGBA
        self._add_event(step=int(step), summary=Summary(value=[Summary.Value(tag=tag, image=image)]))

    def _add_event(self, **fields: Any) -> None:
        self._events.write(Event(wall_time=time.time(), **fields).SerializeToString())
        self._events.flush()


class Unwritten(Journal):
    """Where another process of the run writes its journal."""

    def __init__(self) -> None:
        """Opens nothing."""

    def close(self) -> None:
        """Nothing is open."""

    def write_together(self, step: int, told: Mapping[str, Mapping[str, SupportsFloat]]) -> None:
        """Not here."""

    def draw(self, step: int, tag: str, png: bytes) -> None:
        """Not here."""


def read_metrics(workdir: Path | str) -> list[dict[str, Any]]:
    """The lines of the journal of a run, in order; a last line that a kill cut short is left out.

    Raises:
      FileNotFoundError: when there is no journal.
      ValueError: when a line is not what `Journal` writes.
    """
    return [row for row, _ in _read_lines(Path(workdir) / METRICS_FILE)]


def _read_lines(path: Path) -> list[tuple[dict[str, Any], str]]:
    """Each whole line of the file, decoded and as text."""
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    return [(_decode_line(line, path, number), line) for number, line in enumerate(lines, start=1)]


def _decode_line(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
        if isinstance(row["step"], int):
            return row
    except (ValueError, TypeError, KeyError):
        pass
    raise ValueError(
        f"{path}, line {number}: expected a JSON object with a step, got {line[:80]!r}; mend or move it"
    )


def _drop_after(path: Path, step: int) -> None:
    """Leaves only the lines up to `step`; at every moment the file is the old one or the new one."""
    kept = [f"{line}\n" for row, line in _read_lines(path) if row["step"] <= step]
    new = path.with_suffix(".new")
    new.write_text("".join(kept), encoding="utf-8")
    os.replace(new, path)


def _event_path(workdir: Path) -> Path:
    """A name that TensorBoard knows as an event file, later in its order than those of earlier starts."""
    return workdir / f"events.out.tfevents.{time.time_ns():020d}.{socket.gethostname()}.{os.getpid()}"
