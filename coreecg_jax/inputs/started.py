"""An iterator that is started before it is needed, in a thread of its own."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Started(Generic[Item]):
    """What `make` gives, its first item made in the background; the others are made where they are asked for.

    The thread ends with the first item, or with what is raised for it, so nothing waits in it for somebody
    who does not come.

    Args:
      make: is handed the event that nobody wants the items any more; it may end early then.
    """

    def __init__(self, make: Callable[[threading.Event], Iterator[Item]]) -> None:
        self._abandoned = threading.Event()
        self._made: Future[tuple[list[Item], Iterator[Item]]] = Future()
        self._thread = threading.Thread(target=self._start, args=(make,), name="started")
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        """The items, once; waits for the first.

        Raises:
          Exception: here, what making the first one raised in the background.
        """
        first, others = self._made.result()
        self._thread.join()
        return itertools.chain(first, others)

    def close(self) -> None:
        """Gives up on the items, and waits until the thread has noticed."""
        self._abandoned.set()
        self._thread.join()

    def _start(self, make: Callable[[threading.Event], Iterator[Item]]) -> None:
        try:
            items = make(self._abandoned)
            made = list(itertools.islice(items, 1)), items
        except BaseException as error:
            self._made.set_exception(error)
        else:
            self._made.set_result(made)
