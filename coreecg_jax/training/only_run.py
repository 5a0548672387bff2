"""One run at a time in a folder: a second would remove the checkpoint that the first is writing."""

import contextlib
from collections.abc import Generator
from pathlib import Path

from coreecg_jax.locks import locked
from coreecg_jax.training.processes import is_first, sharing

LOCK = "lock"


@contextlib.contextmanager
def only_run(workdir: Path | str) -> Generator[None]:
    """Holds the folder of a run, by the first of its processes.

    Raises:
      OSError: in all processes of the run, with the same words, when another run holds it; nothing in the
        folder is changed.
    """
    file = Path(workdir) / LOCK

    def refusal(holder: str) -> str:
        return (
            f"{workdir} is locked: expected no other run there, got one that goes on{holder}, which holds "
            f"{file}; wait for it, stop it, or choose another --workdir"
        )

    with contextlib.ExitStack() as held:
        sharing().each(lambda: held.enter_context(locked(file, refusal)) if is_first() else None)
        yield
