"""Several processes of one run as those who read see them: who am I, and what do the others say.

Of jax nothing is known here: `training.processes.sharing` makes it of jax's processes. All walk through the
same calls, in one order. What one alone cannot do, as its shard is damaged or its disk full, all hear of and
raise: else the others would wait for it.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# A user's mistakes, with which a process ends; others are bugs, of which the runtime tells the others.
_MISTAKES: dict[str, type[Exception]] = {
    "FileNotFoundError": FileNotFoundError,
    "OSError": OSError,
    "ValueError": ValueError,
}


@dataclasses.dataclass(frozen=True)
class Processes:
    """One of several processes; as made without arguments, one alone."""

    number: int = 0  # of this process
    count: int = 1
    texts: Callable[[str], list[str]] = lambda text: [text]  # tells all, and gives what each told, in order

    def shared(self, items: Sequence[Item], work: Callable[[Item], str]) -> list[str]:
        """What `work` gives for each item, in the order of the items, in all processes.

        Each process does every `count`-th item.

        Args:
          items: in all processes as many.

        Raises:
          FileNotFoundError, OSError, ValueError: what the first item raises that raises one, in all processes
            with the same words.
        """
        if self.count == 1:
            return [work(item) for item in items]
        done: list[dict[str, Any]] = []
        for item in items[self.number :: self.count]:
            done.append(_attempt(work, item))
            if "mistake" in done[-1]:
                break
        said = [json.loads(text) for text in self.texts(json.dumps(done))]
        # A process goes on up to its first failure: the first of all is met before what was not done.
        return [_text(**said[place % self.count][place // self.count]) for place in range(len(items))]

    def told(self, work: Callable[[], str]) -> list[str]:
        """What `work` gives in each process, in their order; where it fails in one, it fails in all.

        Raises:
          FileNotFoundError, OSError, ValueError: as `shared`.
        """
        return self.shared(range(self.count), lambda _: work())

    def each(self, work: Callable[[], Result]) -> Result:
        """What `work` gives here; where it fails in one process, it fails in all.

        Raises:
          FileNotFoundError, OSError, ValueError: as `shared`.
        """
        results: list[Result] = []

        def noted() -> str:
            results.append(work())
            return ""

        self.told(noted)
        return results[0]

    def require_same(self, what: str, text: str) -> None:
        """Raises ValueError, in all processes, when they do not all say the same."""
        said = self.texts(text)
        for number, other in enumerate(said):
            if other != said[0]:
                raise ValueError(
                    f"{what}: expected the same in all processes, got {said[0]} in process 0 and {other} in "
                    f"process {number}"
                )


ALONE = Processes()


def _attempt(work: Callable[[Item], str], item: Item) -> dict[str, Any]:
    """The text of an item, or what to raise in its place: the arguments of `_text`."""
    try:
        return {"text": work(item)}
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            named = [] if error.filename is None else [str(error.filename)]
            return {"mistake": "OSError", "given": [error.errno, error.strerror, *named]}
        kind = next(kind for kind, mistake in _MISTAKES.items() if isinstance(error, mistake))
        return {"mistake": kind, "given": [str(error)]}


def _text(text: str = "", mistake: str = "", given: Sequence[Any] = ()) -> str:
    if mistake:
        raise _MISTAKES[mistake](*given)  # by its number an OSError becomes the kind that it was
    return text
