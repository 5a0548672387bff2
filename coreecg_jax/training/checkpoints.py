"""Checkpoints of a run: `checkpoints/last` to go on from, `checkpoints/best` by validation loss.

Orbax writes into a temporary folder and renames it, so a checkpoint is visible only when complete.
Each says what it is: config, preprocessing, versions.
"""

import contextlib
import dataclasses
import json
from collections.abc import Generator
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import ml_collections
import orbax.checkpoint as ocp

from coreecg_jax.records.schema import OtherSettings, Preprocessing
from coreecg_jax.training.state import Parameters, TrainState

PACKAGES = ("coreecg-jax", "jax", "flax", "optax", "orbax-checkpoint", "numpy")
# Settings that may differ between the start of a run and its resumption: they change no result.
FREE_ON_RESUME = ("config.run.log_every", "config.run.checkpoint_every", "config.data.root")


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A checkpoint's parameters and what it says of itself."""

    parameters: Parameters
    config: ml_collections.ConfigDict
    preprocessing: Preprocessing
    step: int
    versions: dict[str, str]  # of the packages that wrote it
    devices: str  # that it was trained on; '' in checkpoints of before this was noted

    @property
    def params(self) -> Parameters:
        """Parameters of the network alone."""
        return self.parameters["network"]


class Checkpoints:
    """Saves and restores the state of one run; a context manager."""

    def __init__(self, workdir: Path | str, config: ml_collections.ConfigDict, preprocessing: Preprocessing):
        self._config, self._preprocessing = config, preprocessing
        self._last, self._best = (_manager(workdir, which, create=True) for which in ("last", "best"))
        step = self._best.latest_step()
        self._best_loss = float("inf") if step is None else _metadata(self._best, step)["validation_loss"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for manager in (self._last, self._best):
            manager.close()

    def restore_last(self, fresh: TrainState) -> TrainState:
        """The newest state of the run in the shardings of `fresh`, or `fresh` where there is none.

        Raises:
          ValueError: when that run had other settings; the differing fields are listed.
        """
        step = self._last.latest_step()
        if step is None:
            return fresh
        saved, asked = _metadata(self._last, step), self._about()
        settings = [{name: about[name] for name in ("config", "preprocessing")} for about in (saved, asked)]
        require_same_settings(*settings, str(self._last.directory.parent.parent))
        shape = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), fresh)
        return _restore(self._last, step, state=ocp.args.StandardRestore(shape)).state

    def save_last(self, state: TrainState) -> None:
        """Saves the state, once a step."""
        self._save(self._last, state, float("nan"))

    def save_if_best(self, state: TrainState, validation_loss: float) -> bool:
        """Saves the state when its validation loss is lower than any before; says whether it was."""
        # A run resumed from before its best step meets that step again: it is there already.
        if not validation_loss < self._best_loss:
            return False
        self._best_loss = validation_loss
        self._save(self._best, state, validation_loss)
        return True

    def _save(self, manager: ocp.CheckpointManager, state: TrainState, validation_loss: float) -> None:
        step = int(state.step)
        if step in manager.all_steps():
            return
        about = self._about() | {"validation_loss": validation_loss}
        manager.save(
            step,
            args=ocp.args.Composite(state=ocp.args.StandardSave(state), about=ocp.args.JsonSave(about)),
        )

    def _about(self) -> dict[str, Any]:
        """What the run says of itself."""
        return {
            "config": json.loads(self._config.to_json_best_effort()),
            "preprocessing": json.loads(self._preprocessing.to_json()),
            "versions": {name: version(name) for name in PACKAGES},
            "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        }


def load_parameters(workdir: Path | str, which: str = "last") -> Loaded:
    """Parameters of a finished or running run, for evaluation, on one device.

    Args:
      workdir: of the run.
      which: 'last' or 'best'.

    Raises:
      FileNotFoundError: when there is no such checkpoint.
      ValueError: when it is damaged.
    """
    folder = Path(workdir) / "checkpoints" / which
    manager = _manager(workdir, which, create=False) if folder.is_dir() else None
    step = manager.latest_step() if manager else None
    if manager is None or step is None:
        raise FileNotFoundError(
            f"no {which} checkpoint under {workdir}: expected {folder} as written by launch.pretrain"
        )
    about = _metadata(manager, step)
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with _damage_told(manager, step):
        saved = manager.item_metadata(step).state
    shape = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), saved)
    state = _restore(manager, step, state=ocp.args.StandardRestore(shape)).state
    manager.close()
    preprocessing = Preprocessing.from_json(json.dumps(about["preprocessing"]))
    return Loaded(
        state["parameters"],
        ml_collections.ConfigDict(about["config"]),
        preprocessing,
        step,
        about["versions"],
        about.get("devices", ""),
    )


def require_same_settings(saved: dict[str, Any], asked: dict[str, Any], workdir: str) -> None:
    """Raises ValueError, listing fields, when a run would go on with other settings than it began with."""
    before, now = _flat(saved), _flat(asked)
    differing = [
        f"{name}: {before.get(name)!r} in the run, {now.get(name)!r} asked"
        for name in sorted(set(before) | set(now))
        if before.get(name) != now.get(name) and name not in FREE_ON_RESUME
    ]
    if differing:
        raise OtherSettings(
            f"{workdir} holds a run with other settings ({'; '.join(differing)}): "
            "choose another --workdir, or the settings of that run"
        )


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat.update(_flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value})
    return flat


def _manager(workdir: Path | str, which: str, *, create: bool) -> ocp.CheckpointManager:
    folder = (Path(workdir) / "checkpoints" / which).absolute()
    # Synchronous: the step donates the state's buffers, which a write in the background would still read.
    options = ocp.CheckpointManagerOptions(
        max_to_keep=1, create=create, read_only=not create, enable_async_checkpointing=False
    )
    handlers = {"state": ocp.StandardCheckpointHandler(), "about": ocp.JsonCheckpointHandler()}
    return ocp.CheckpointManager(folder, options=options, item_handlers=handlers)


def _metadata(manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    return _restore(manager, step, about=ocp.args.JsonRestore()).about


def _restore(manager: ocp.CheckpointManager, step: int, **items: ocp.args.CheckpointArgs) -> Any:
    with _damage_told(manager, step):
        return manager.restore(step, args=ocp.args.Composite(**items))


@contextlib.contextmanager
def _damage_told(manager: ocp.CheckpointManager, step: int) -> Generator[None]:
    """Turns whatever Orbax raises into one sentence: its errors are of many types, and fill pages."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{manager.directory / str(step)} cannot be read ({type(error).__name__}): it is damaged or not "
            "whole; copy the run again, or train in another --workdir"
        ) from error
