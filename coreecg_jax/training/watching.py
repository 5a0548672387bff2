"""What is looked at from time to time while a run trains."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.interruption import Interruption
from coreecg_jax.training.journal import METRICS_FILE, Journal, read_metrics
from coreecg_jax.training.state import Parameters, TrainState
from coreecg_jax.training.validation import Evaluator, Validator

Draw = Callable[[Parameters], bytes]  # a picture (PNG) of what the parameters do


@dataclasses.dataclass(frozen=True)
class Watch:
    """Journals what evaluators say and pictures show; a checkpoint is the best by validation loss."""

    validator: Validator
    evaluators: Mapping[str, Evaluator]  # others
    pictures: Mapping[str, Draw]
    journal: Journal
    checkpoints: Checkpoints
    interruption: Interruption

    def __call__(self, number: int, state: TrainState) -> None:
        """All of it or nothing: where the run stops or is killed, this is made up for at the next start."""
        validation = self.validator(state.parameters, self.interruption.look)
        if validation is None:
            return
        told = {"validation": validation}
        for name, evaluator in self.evaluators.items():
            if self.interruption.look():
                return
            told[name] = evaluator(state.parameters)
        self.checkpoints.save_if_best(state, validation["loss"])
        for name, draw in self.pictures.items():
            self.journal.draw(number, name, draw(state.parameters))
        # Last, and in one line: by it `was_watched` knows that all was done.
        self.journal.write_together(number, told)


def was_watched(number: int, workdir: Path | str) -> bool:
    """Whether the journal, where there is one, has what was seen at a step, which is the last of `Watch`."""
    rows = read_metrics(workdir) if (Path(workdir) / METRICS_FILE).is_file() else []
    return any(row["step"] == number and "validation/loss" in row for row in rows)
