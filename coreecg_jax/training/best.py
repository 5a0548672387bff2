"""The best checkpoint of a run: of the lowest validation loss on the way that led to its last one."""

from typing import Any

from coreecg_jax.training.processes import as_first, tell
from coreecg_jax.training.state import TrainState
from coreecg_jax.training.stored import Damaged, Stored
from coreecg_jax.training.wholeness import set_aside


class Best:
    """Keeps what is better than all before.

    A run that was killed may have been ahead of the state it goes on from, and what it saved there be of a
    way that is not gone again: on another kind of machine it comes to other bits. What is ahead therefore
    stands, so that there is one, but nothing is measured by it until its step is met with the same loss to
    the bit; it goes when there is a better one, or when its step is passed.

    Args:
      stored: the folder.
    """

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._loss: float | None = None  # of the best; not looked for yet
        self._ahead: dict[int, float] = {}  # losses by step

    def start(self, step: float) -> None:
        """Looks for what is there; what is of a later step than this is ahead.

        Those that do not say their loss are set aside. One that was about to take the place of another when
        the run was killed is put there.
        """
        if exchanged := self._stored.finish_replacing():
            tell(
                f"the best checkpoint of step {exchanged} was not in its place, as the run ended while it "
                "was replaced; it is now"
            )
        self._loss, self._ahead = float("inf"), {}
        for number in self._stored.steps():
            try:
                loss = self._stored.loss(number)
            except Damaged as error:
                aside = set_aside(self._stored, number)
                used = [f"step {other} is used" for other in self._stored.steps()[:1]]
                then = used[0] if used else "the next validation makes the best"
                tell(f"{error.reason}; it {aside}, {then}")
                continue
            if number <= step:
                self._loss = loss
                return
            self._ahead[number] = loss

    def save(self, state: TrainState, loss: float, about: dict[str, Any]) -> bool:
        """Saves the state when its loss is lower than any before; says whether it was."""
        if self._loss is None:
            self.start(float("inf"))
        assert self._loss is not None
        step = int(state.step)
        # All save or none does, and on unlike machines means may differ in their last bit.
        if not as_first(loss < self._loss):
            if self._loss < float("inf"):  # else nothing would be left
                self._remove([number for number in self._ahead if number <= step])
            return False
        self._loss = loss
        if step in self._ahead and as_first(self._ahead[step] == loss):
            self._remove([number for number in self._ahead if number < step])
            del self._ahead[step]
        else:
            self._write(step, state, about | {"validation_loss": loss})
        return True

    def _write(self, step: int, state: TrainState, about: dict[str, Any]) -> None:
        """In place of all that is ahead; at each moment one stands."""
        if set(self._stored.steps()) - set(self._ahead):
            self._remove(list(self._ahead))
        if step in self._stored.steps():
            self._stored.replace(step, state, about)
            self._ahead.pop(step, None)
        else:
            self._remove(sorted(self._ahead)[:-1])  # of one saved before two later ones nothing would be kept
            self._stored.save(step, state, about)
        if self._ahead:
            self._stored.wait()
            self._remove(list(self._ahead))

    def _remove(self, steps: list[int]) -> None:
        for step in steps:
            self._stored.remove(step)
            del self._ahead[step]
