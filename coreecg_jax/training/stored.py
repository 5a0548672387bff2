"""A folder of checkpoints on disk; the only place that knows Orbax.

Orbax writes into a temporary folder and renames it, so a checkpoint is visible only when complete; it does so
in a thread of its own. It does not notice flipped bits, so each array carries a checksum.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import orbax.checkpoint as ocp

from coreecg_jax.training import processes
from coreecg_jax.training.array_paths import path_of
from coreecg_jax.training.checksum import checksums, on_host
from coreecg_jax.training.exchange import exchange, finish, forget, place_beside
from coreecg_jax.training.seen import is_seen
from coreecg_jax.training.verdict import told_by_all

Read = TypeVar("Read")

KEPT = 2  # where the newer is damaged, the older is used
SET_ASIDE = "set_aside"
# For a write in the background: twice what Orbax has, as two are written at once.
_WRITE_SECONDS = 2400


class Damaged(ValueError):
    """A checkpoint that cannot be read, or is read as something else than was saved.

    Attributes:
      reason: which and why, without what to do.
    """

    def __init__(self, reason: str, advice: str) -> None:
        """'REASON: it is damaged or not whole; ADVICE'."""
        super().__init__(f"{reason}: {advice}")
        self.reason = reason


class _Manager(ocp.CheckpointManager):
    """Orbax's, which does not ask whether the run shall stop.

    It would ask with the number of the training step, `Interruption.look` asks with the number of its looks,
    and jax keeps one count for both: after the higher number the notices of the lower are not heard.
    """

    def reached_preemption(self, step: int) -> bool:
        del step
        return False


class Stored:
    """The checkpoints of one kind, by step; each a tree of arrays and what it says about itself.

    Args:
      folder: `runs/x/checkpoints/last`.
      writes: whether checkpoints are saved here, by all processes of the run together; otherwise nothing on
        disk is changed, and a process reads alone: others may do something else meanwhile, or fail.
      after: nothing of a save here is seen before what is being written there is; where that fails, this too.
    """

    def __init__(self, folder: Path, *, writes: bool, after: "Stored | None" = None) -> None:
        self._folder = folder.absolute()
        self._after = after
        self._newest = self._waits_for = -1  # steps: saved here last; saved there when it was
        if writes:
            _make(self._folder)
        self._together = writes and jax.process_count() > 1
        lacking = not is_seen(self._folder)
        if processes.anywhere(lacking) if self._together else lacking:
            raise FileNotFoundError(
                f"{self._folder} is not there for every process of the run: choose a --workdir on a file "
                "system that all of them see"
            )
        self._manager = self._managed(writes)
        # Of several processes one that cannot read would leave the others waiting for it inside Orbax.
        self._reader = self._managed(writes=False) if self._together else self._manager

    def _managed(self, writes: bool) -> _Manager:
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT,
            create=False,  # it would look for the folder before it is made
            read_only=not writes,
            enable_async_checkpointing=writes,
            async_options=_in_background(self._wait_for_the_other) if writes else None,
            cleanup_tmp_directories=writes,  # of a run that was killed while it saved
            # The threads of two folders would meet at the same barriers, and the runtime refuses the second.
            multiprocessing_options=_meeting(self._folder.name, alone=not writes),
        )
        handlers = {"state": ocp.StandardCheckpointHandler(), "about": ocp.JsonCheckpointHandler()}
        return _Manager(self._folder, options=options, item_handlers=handlers)

    def steps(self) -> list[int]:
        """Of the complete checkpoints, the newest first."""
        return sorted(self._manager.all_steps(), reverse=True)

    def written(self) -> list[int]:
        """The same as they are on disk: after a save that failed Orbax may still count its step."""
        return sorted(
            (int(path.name) for path in self._folder.glob("*") if path.name.isdecimal()), reverse=True
        )

    def path(self, step: int) -> Path:
        """The folder of a checkpoint."""
        return self._folder / str(step)

    def save(self, step: int, state: Any, about: dict[str, Any]) -> None:
        """Saves a checkpoint, once; returns when the state is copied, before it is written."""
        self.wait()
        if step in self.steps():
            return
        # The next step is given these buffers to write into: what is written in the background is a copy.
        held = on_host(state)
        self._newest, self._waits_for = step, self._after._newest if self._after else -1
        about = about | {"checksums": checksums(held)}
        items = ocp.args.Composite(state=ocp.args.StandardSave(held), about=ocp.args.JsonSave(about))
        self._manager.save(step, args=items, force=True)

    def replace(self, step: int, state: Any, about: dict[str, Any]) -> None:
        """Saves a checkpoint in place of the one of its step, which stands until the new one is whole."""
        self.wait()
        if processes.is_first():
            forget(self._folder)
        beside = place_beside(self._folder)
        processes.wait(f"{beside.name} is free")
        with contextlib.closing(Stored(beside, writes=True)) as new:
            new.save(step, state, about)
            new.wait()
        processes.wait(f"{beside.name} is written")
        if processes.is_first():
            exchange(self._folder, step)
        processes.wait(f"{beside.name} is in its place")
        self._manager.reload()

    def finish_replacing(self) -> str:
        """Ends what `replace` was killed in; the step that is in its place again, '' where none was away."""
        step = processes.sharing().told(lambda: finish(self._folder) if processes.is_first() else "")[0]
        if step:
            self._manager.reload()
        return step

    def remove(self, step: int) -> None:
        """Deletes a checkpoint."""
        self.wait()
        self._manager.delete(step)

    def wait(self) -> None:
        """Until all is written; raises what went wrong meanwhile."""
        self._manager.wait_until_finished()

    def require_written(self) -> None:
        """Raises what went wrong so far while a checkpoint was written in the background."""
        # `check_for_errors` finds nothing: a thread of Orbax has taken the error, for who waits.
        if not self._manager.is_saving_in_progress():
            self.wait()

    def _wait_for_the_other(self) -> None:
        # Where the other has saved a later step since, it had waited for this one; and all who wait are told
        # of an error, this thread and the main one.
        if self._after and self._after._newest == self._waits_for:
            self._after.wait()

    def close(self) -> None:
        """Waits, and lets go of the threads."""
        self._manager.close()
        if self._reader is not self._manager:
            self._reader.close()

    def about(self, step: int) -> dict[str, Any]:
        """What a checkpoint says about itself."""

        def read() -> dict[str, Any]:
            about = self._restore(step, about=ocp.args.JsonRestore()).about
            return {**about, "config": dict(about["config"])}

        return self._read(step, read)

    def loss(self, step: int) -> float:
        """The validation loss that a checkpoint of the best says."""
        about = self.about(step)
        return self._read(step, lambda: float(about["validation_loss"]))

    def shapes(self, step: int) -> Any:
        """The tree of a checkpoint, with a shape and type for each array."""
        return self._read(step, lambda: self._reader.item_metadata(step).state.tree)

    def state(self, step: int, wanted: Any) -> Any:
        """The arrays of a checkpoint, in the shardings of `wanted`, checked against their checksums."""
        state = self._read(step, lambda: self._restore(step, state=ocp.args.StandardRestore(wanted)).state)
        expected = self.about(step).get("checksums")  # none in checkpoints of before there were any
        wrong = [
            name for name, number in checksums(state).items() if expected and expected.get(name) != number
        ]
        if found := told_by_all(wrong, together=self._together):
            raise self._damaged(step, f"has a wrong checksum of {found}", "it is damaged")
        return state

    def set_aside(self, step: int) -> Path:
        """Moves a checkpoint to where nothing looks for it; says where."""
        folder = self._folder.parent / SET_ASIDE
        folder.mkdir(exist_ok=True)
        name = f"{self._folder.name}_{step}"
        times = len(list(folder.glob(f"{name}*")))
        aside = folder / (f"{name}_{times}" if times else name)
        processes.wait("a checkpoint is set aside")
        if processes.is_first():
            self.path(step).rename(aside)
        processes.wait("it is")
        self._manager.reload()
        return aside

    def _restore(self, step: int, **items: Any) -> Any:
        return self._reader.restore(step, args=ocp.args.Composite(**items))

    def _read(self, step: int, read: Callable[[], Read]) -> Read:
        """What `read` gives of a checkpoint; of several processes each reads alone, and all hear of damage
        that one meets.

        Whatever Orbax raises becomes one sentence: its errors are of many types, and fill pages.
        """
        found: list[Read] = []
        failure: Exception | None = None
        try:
            found.append(read())
        except (MemoryError, PermissionError):
            raise  # says nothing about the checkpoint
        except Exception as error:
            if "RESOURCE_EXHAUSTED" in str(error):  # the devices' memory
                raise
            failure = error
        here = [type(failure).__name__] if failure else []
        if told := told_by_all(here, together=self._together):
            raise self._damaged(step, f"cannot be read ({told})", "it is damaged or not whole") from failure
        return found[0]

    def _damaged(self, step: int, what: str, so: str) -> Damaged:
        advice = f"{so}; copy the run again, or train in another --workdir"
        return Damaged(f"{self.path(step)} {what}", advice)


def _meeting(name: str, *, alone: bool) -> ocp.options.MultiprocessingOptions:
    """Who meets at the barriers of a folder."""
    this = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=this if alone else 0,
        active_processes={this} if alone else None,
        barrier_sync_key_prefix=name,
    )


def _in_background(before_seen: Callable[[], None]) -> ocp.AsyncOptions:
    """`before_seen` is called between the writing of a checkpoint and the rename by which it is seen, in the
    thread that does both; what it raises is an error of the writing."""
    return ocp.AsyncOptions(timeout_secs=_WRITE_SECONDS, post_finalization_callback=before_seen)


def _make(folder: Path) -> None:
    """By the first process, before any other looks for it."""
    if processes.is_first():
        folder.mkdir(parents=True, exist_ok=True)
    processes.wait(f"{folder.name} is made")


def shaped(tree: Any, sharding: jax.sharding.Sharding | None = None) -> Any:
    """What to ask `Stored.state` for: arrays as in `tree`, in their own shardings or all in one."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding or x.sharding), tree
    )


def kinds(tree: Any) -> dict[str, str]:
    """'float32[8,3]' of each array by its path."""
    flat = jax.tree_util.tree_leaves_with_path(tree)
    return {path_of(path): f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]" for path, leaf in flat}
