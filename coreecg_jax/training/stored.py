"""A folder of checkpoints on disk; the only place that knows Orbax.

Orbax writes into a temporary folder and renames it, so a checkpoint is visible only when complete; it does so
in a thread of its own. It does not notice flipped bits, so each array carries a checksum.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from coreecg_jax.training import processes
from coreecg_jax.training.array_paths import path_of
from coreecg_jax.training.checksum import checksums, on_host

KEPT = 2  # where the newer is damaged, the older is used
SET_ASIDE = "set_aside"
# NFS clients remember that a name was not there, for up to a minute as they are mounted by default.
_SEEN_SECONDS = 60.0


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
    """

    def __init__(self, folder: Path, *, writes: bool) -> None:
        self._folder = folder.absolute()
        if writes:
            _make(self._folder)
        self._together = writes and jax.process_count() > 1
        lacking = not is_seen(self._folder)
        if processes.anywhere(lacking) if self._together else lacking:
            raise FileNotFoundError(
                f"{self._folder} is not there for every process of the run: choose a --workdir on a file "
                "system that all of them see"
            )
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT,
            create=False,  # it would look for the folder before it is made
            read_only=not writes,
            enable_async_checkpointing=writes,
            cleanup_tmp_directories=writes,  # of a run that was killed while it saved
            # The threads of two folders would meet at the same barriers, and the runtime refuses the second.
            multiprocessing_options=_meeting(self._folder.name, alone=not writes),
        )
        handlers = {"state": ocp.StandardCheckpointHandler(), "about": ocp.JsonCheckpointHandler()}
        self._manager = _Manager(self._folder, options=options, item_handlers=handlers)

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
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(held),
            about=ocp.args.JsonSave(about | {"checksums": checksums(held)}),
        )
        self._manager.save(step, args=items, force=True)

    def replace(self, step: int, state: Any, about: dict[str, Any]) -> None:
        """Saves a checkpoint in place of the one of its step, which stands until the new one is whole."""
        self.wait()
        beside, old = (self._folder.with_name(f"{self._folder.name}_{which}") for which in ("new", "old"))
        if processes.is_first():  # what a run left behind that was killed here
            for folder in (beside, old):
                shutil.rmtree(folder, ignore_errors=True)
        processes.wait(f"{beside.name} is free")
        with contextlib.closing(Stored(beside, writes=True)) as new:
            new.save(step, state, about)
            new.wait()
        processes.wait(f"{beside.name} is written")
        if processes.is_first():
            self.path(step).rename(old)
            new.path(step).rename(self.path(step))
            for folder in (beside, old):
                shutil.rmtree(folder)
        processes.wait(f"{beside.name} is in its place")
        self._manager.reload()

    def remove(self, step: int) -> None:
        """Deletes a checkpoint."""
        self.wait()
        self._manager.delete(step)

    def wait(self) -> None:
        """Until all is written; raises what went wrong meanwhile."""
        self._manager.wait_until_finished()

    def require_written(self) -> None:
        """Raises what went wrong so far while a checkpoint was written in the background."""
        self._manager.check_for_errors()

    def close(self) -> None:
        """Waits, and lets go of the threads."""
        self._manager.close()

    def about(self, step: int) -> dict[str, Any]:
        """What a checkpoint says about itself."""
        with self._damage_told(step):
            about = self._restore(step, about=ocp.args.JsonRestore()).about
            return {**about, "config": dict(about["config"])}

    def shapes(self, step: int) -> Any:
        """The tree of a checkpoint, with a shape and type for each array."""
        with self._damage_told(step):
            return self._manager.item_metadata(step).state.tree

    def state(self, step: int, wanted: Any) -> Any:
        """The arrays of a checkpoint, in the shardings of `wanted`, checked against their checksums."""
        with self._damage_told(step):
            state = self._restore(step, state=ocp.args.StandardRestore(wanted)).state
        expected = self.about(step).get("checksums")  # none in checkpoints of before there were any
        wrong = [
            name for name, number in checksums(state).items() if expected and expected.get(name) != number
        ]
        if found := _told_by_all(wrong, together=self._together):
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
        return self._manager.restore(step, args=ocp.args.Composite(**items))

    @contextlib.contextmanager
    def _damage_told(self, step: int) -> Generator[None]:
        """Turns whatever Orbax raises into one sentence: its errors are of many types, and fill pages.

        Of several processes one may fail where the others wait for it inside Orbax: it cannot tell them, so
        it ends, and they with it.
        """
        try:
            yield
        except (MemoryError, PermissionError):
            raise  # says nothing about the checkpoint
        except Exception as error:
            if "RESOURCE_EXHAUSTED" in str(error):  # the devices' memory
                raise
            what, so = f"cannot be read ({type(error).__name__})", "it is damaged or not whole"
            if self._together:
                older = [number for number in self.steps() if number < step]
                then = "copy the run again: there is none before"
                if older:
                    then = f"move it to another folder and start again: step {older[0]} is used"
                raise OSError(
                    f"{self.path(step)} {what}: {so}, says process {jax.process_index()}; {then}"
                ) from error
            raise self._damaged(step, what, so) from error

    def _damaged(self, step: int, what: str, so: str) -> Damaged:
        advice = f"{so}; copy the run again, or train in another --workdir"
        return Damaged(f"{self.path(step)} {what}", advice)


def _told_by_all(wrong: Sequence[str], *, together: bool) -> str:
    """Which arrays have a wrong checksum, and in which processes where not in all; '' where none has.

    Of an array that each process reads for itself one may read it wrong alone; all must set the checkpoint
    aside, or none.
    """
    said = [json.loads(text) for text in processes.texts(json.dumps(wrong))] if together else [wrong]
    names = list(dict.fromkeys(name for one in said for name in one))
    if not names:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    where = ", ".join(str(number) for number, one in enumerate(said) if one)
    return f"{names[0]}{more}" + ("" if all(said) else f" in process {where}")


def is_seen(
    folder: Path,
    *,
    seconds: float = _SEEN_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether a folder is there; where not yet, looked for again for `seconds`.

    On a network file system what another process has made may be missing here for a while: listing the folder
    above asks the server, where looking for the name alone is answered from memory.
    """
    until = clock() + seconds
    while not folder.is_dir():
        if clock() >= until:
            return False
        above = next(parent for parent in folder.parents if parent.is_dir())
        with contextlib.suppress(OSError):  # that cannot be listed
            os.listdir(above)
        sleep(1)
    return True


def _meeting(name: str, *, alone: bool) -> ocp.options.MultiprocessingOptions:
    """Who meets at the barriers of a folder."""
    this = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=this if alone else 0,
        active_processes={this} if alone else None,
        barrier_sync_key_prefix=name,
    )


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
