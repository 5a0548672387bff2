"""Where a checkpoint is damaged, the one before is used, and that is told."""

from collections.abc import Callable
from typing import TypeVar

from coreecg_jax.training.processes import tell
from coreecg_jax.training.stored import Damaged, Stored

Read = TypeVar("Read")


def first_whole(stored: Stored, read: Callable[[int], Read], leave: Callable[[Stored, int], str]) -> Read:
    """What `read` makes of the newest whole checkpoint; `leave` does and says what becomes of newer ones.

    Raises:
      Damaged: of the newest, when none is whole; nothing is left then.
    """
    damaged: list[tuple[int, Damaged]] = []
    for step in stored.steps():
        try:
            found = read(step)
        except Damaged as error:
            damaged.append((step, error.with_traceback(None)))  # which would hold what was read
            continue
        for newer, error in damaged:
            tell(f"{error.reason}; it {leave(stored, newer)}, step {step} is used")
        return found
    raise damaged[0][1]


def set_aside(stored: Stored, step: int) -> str:
    """Moves a checkpoint away (`Stored.set_aside`); says so."""
    return f"is set aside as {stored.set_aside(step)}"
