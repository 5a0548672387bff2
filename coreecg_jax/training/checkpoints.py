"""Checkpoints of a run: `checkpoints/last` to go on from, `checkpoints/best` by validation loss.

Each says what it is (`identity`). Of both kinds two are kept: where the newer is damaged, the older is used,
and that is told.
"""

import contextlib
import dataclasses
import functools
import json
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import jax
import ml_collections

from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.best import Best
from coreecg_jax.training.identity import (
    changed_code,
    describe,
    require_same_arrays,
    require_same_everywhere,
    require_same_run,
)
from coreecg_jax.training.interruption import Stopped
from coreecg_jax.training.processes import sharing, tell
from coreecg_jax.training.state import Parameters, TrainState
from coreecg_jax.training.stored import Stored, kinds, shaped
from coreecg_jax.training.wholeness import first_whole, set_aside


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A checkpoint's parameters and what it says of itself."""

    parameters: Parameters
    config: ml_collections.ConfigDict
    preprocessing: Preprocessing
    step: int
    versions: dict[str, str]  # of the packages that wrote it
    # Empty in checkpoints of before these were noted.
    devices: str  # that it was trained on
    commit: str = ""  # of the code
    data: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)  # digests of manifests

    @property
    def params(self) -> Parameters:
        """Parameters of the network alone."""
        return self.parameters["network"]


class Checkpoints:
    """Saves and restores the state of one run; a context manager, at the end of which all is on disk.

    Args:
      workdir: of the run.
      config, preprocessing, data, shards: as `identity.describe` takes them.
    """

    def __init__(
        self,
        workdir: Path | str,
        config: ml_collections.ConfigDict,
        preprocessing: Preprocessing,
        data: Mapping[str, Mapping[str, str]] | None = None,
        shards: Mapping[str, Mapping[str, str]] | None = None,
    ):
        self._workdir = workdir
        self._about = describe(config, preprocessing, data or {}, shards)
        require_same_everywhere(self._about)
        # Nothing is seen of a step before its best: a run that goes on from it would not look for that again.
        self._best = Stored(_folder(workdir, "best"), writes=True)
        self._last = Stored(_folder(workdir, "last"), writes=True, after=self._best)
        self._of_lowest_loss = Best(self._best)
        self._told = False  # that a save failed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error and not isinstance(error, Exception):
            return  # a Ctrl-C that is not held back: nothing is waited for
        # What is raised already says why the run ends, and that a save failed too is told beside it; but that
        # a run stopped says that its state is saved.
        silent = error is not None and not isinstance(error, Stopped)
        for stored in (self._best, self._last):
            with contextlib.suppress(Exception) if silent else contextlib.nullcontext(), self._failure_told():
                stored.close()

    @contextlib.contextmanager
    def all_written(self) -> Generator[None]:
        """Around what saves: at its end, and where the run is asked to stop, all is on disk.

        Raises:
          OSError and others: when it cannot be written, in place of Stopped, which says that it is.
        """
        try:
            yield
        except Stopped:
            self._wait()
            raise
        self._wait()

    def restore_last(self, fresh: TrainState) -> TrainState:
        """The newest whole state of the run in the shardings of `fresh`, or `fresh` where there is none.

        A damaged checkpoint that has one before it is moved to `checkpoints/set_aside`, with a message; of
        the best, on which nothing rests, the only one too.

        Raises:
          OtherSettings: when that run had other settings, data or arrays; the differing fields are listed.
          Damaged: when no state to go on from is whole.
        """
        sharing().require_same(f"checkpoints of {self._workdir}", str(self._last.steps()))
        state = fresh
        if self._last.steps():
            state = first_whole(self._last, functools.partial(self._restored, fresh), set_aside)
        # Now, not before: of another run nothing is moved.
        sharing().require_same(f"best checkpoints of {self._workdir}", str(self._best.steps()))
        self._of_lowest_loss.start(int(state.step))
        return state

    def save_last(self, state: TrainState) -> None:
        """Saves the state, once a step; returns while it is still being written.

        Raises:
          OSError and others: when this or an earlier save failed, as on a full disk.
        """
        with self._failure_told():
            self._best.require_written()
            self._last.save(int(state.step), state, self._about)

    def save_before_error(self, state: TrainState) -> None:
        """Saves a state before an error goes out, and says so; on disk when this returns. What fails here is
        told and not raised, and where the arrays are no longer there nothing is done."""
        if any(leaf.is_deleted() for leaf in jax.tree.leaves(state)):
            return  # given to a step that failed
        with contextlib.suppress(Exception):
            if step := int(state.step):
                self.save_last(state)
                self._wait()
                tell(
                    f"step {step} is saved: when what follows is mended, the same command goes on from there"
                )

    def save_if_best(self, state: TrainState, validation_loss: float) -> bool:
        """Saves the state when its validation loss is lower than any before; says whether it was.

        Before is on the way to this state: what an earlier start saved further on counts where this one comes
        to the same loss there, to the bit (`best.Best`). Of a step that was saved as the last before, it is
        on disk when this returns.
        """
        with self._failure_told():
            saved = self._of_lowest_loss.save(state, validation_loss, self._about)
            if saved and int(state.step) in self._last.steps():  # made up for: seen before its best
                self._best.wait()
        return saved

    def require_written(self) -> None:
        """Raises what went wrong so far while a checkpoint was written in the background."""
        with self._failure_told():
            for stored in (self._best, self._last):  # which fails with the best
                stored.require_written()

    def _wait(self) -> None:
        with self._failure_told():
            for stored in (self._best, self._last):
                stored.wait()

    @contextlib.contextmanager
    def _failure_told(self) -> Generator[None]:
        """Says, once, from where a run goes on of which a checkpoint could not be written."""
        try:
            yield
        except Exception:
            if not self._told:
                self._told = True
                steps = self._last.written()
                whole = f"the last whole one is of step {steps[0]}" if steps else "there is no whole one yet"
                # By any process: the disk may be full of one alone.
                sys.stderr.write(f"warning: a checkpoint could not be written; {whole}\n")
            raise

    def _restored(self, fresh: TrainState, step: int) -> TrainState:
        about = self._last.about(step)
        require_same_run(about, self._about, str(self._workdir))
        require_same_arrays(kinds(self._last.shapes(step)), kinds(fresh), str(self._last.path(step)))
        state = self._last.state(step, shaped(fresh))
        if changes := changed_code(about, self._about):
            tell(f"step {step} is of other code ({changes}): what follows may differ in its last bits")
        return state


def begun(
    workdir: Path | str,
    config: ml_collections.ConfigDict,
    preprocessing: Preprocessing,
    data: Mapping[str, Mapping[str, str]],
    shards: Mapping[str, Mapping[str, str]] | None = None,
) -> int:
    """The step of the run in `workdir` that would be gone on from, 0 where there is none; nothing is written,
    and of several processes each reads alone.

    Raises:
      OtherSettings: when that run had other settings or data, as `Checkpoints.restore_last`.
      Damaged: when no checkpoint says what it is.
    """
    folder = _folder(workdir, "last")
    if not folder.is_dir():
        return 0
    asked = describe(config, preprocessing, data, shards)

    def checked(step: int) -> int:
        require_same_run(stored.about(step), asked, str(workdir))
        return step

    with contextlib.closing(Stored(folder, writes=False)) as stored:
        return first_whole(stored, checked, lambda stored, step: "is left out") if stored.steps() else 0


def load_parameters(workdir: Path | str, which: str = "last") -> Loaded:
    """Parameters of a finished or running run, for evaluation, on one device.

    Where the newest checkpoint is damaged the one before is used, with a message; nothing is moved, for the
    run may be somebody else's, or still going.

    Args:
      workdir: of the run.
      which: 'last' or 'best'.

    Raises:
      FileNotFoundError: when there is no such checkpoint.
      Damaged: when none is whole.
    """
    folder = _folder(workdir, which)
    stored = Stored(folder, writes=False) if folder.is_dir() else None
    if stored is None or not stored.steps():
        bundle = Path(workdir, "model.safetensors").is_file()
        hint = "; this is an exported bundle, for launch.embed and CoReECGEmbedder" if bundle else ""
        raise FileNotFoundError(
            f"no {which} checkpoint under {workdir}: expected {folder} as written by launch.pretrain{hint}"
        )
    with contextlib.closing(stored):
        return first_whole(stored, functools.partial(_loaded, stored), lambda stored, step: "is left out")


def _loaded(stored: Stored, step: int) -> Loaded:
    about = stored.about(step)
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    state = stored.state(step, shaped(stored.shapes(step), device))
    return Loaded(
        state["parameters"],
        ml_collections.ConfigDict(about["config"]),
        Preprocessing.from_json(json.dumps(about["preprocessing"])),
        step,
        about["versions"],
        about.get("devices", ""),
        about.get("commit", ""),
        about.get("data", {}),
    )


def _folder(workdir: Path | str, which: str) -> Path:
    return Path(workdir) / "checkpoints" / which
