"""Validation under fixed crops, views and masks: the same question at every step and in every run."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from coreecg_jax.inputs.batch import Batch
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.inputs.transfer import to_devices
from coreecg_jax.method.objective import Objective
from coreecg_jax.training.health import representation_health
from coreecg_jax.training.mesh import Placement
from coreecg_jax.training.state import Parameters
from coreecg_jax.training.step import make_validation_step

Evaluator = Callable[[Parameters], dict[str, float]]
# Of the parameters, and what says before each batch whether to stop; None where it did.
Validator = Callable[[Parameters, Callable[[], bool]], dict[str, float] | None]


def make_validator(
    objective: Objective,
    recordings: Recordings,
    *,
    batch_size: int,
    placement: Placement,
    of_parameters: Any = None,
) -> Validator:
    """A function of the parameters that gives mean metrics and the health of the representation, all or none.

    Whole batches only, so that each contrastive loss has the same number of candidates; what is left
    over of the recordings is not used.

    Raises:
      ValueError: when there are fewer recordings than `batch_size`.
    """
    if len(recordings) < batch_size:
        raise ValueError(
            f"data.validation_batch_size: expected at most the {len(recordings)} validation windows of "
            f"{objective.window_seconds:g} s or more, got {batch_size}"
        )
    step = make_validation_step(objective, placement=placement, of_parameters=of_parameters)
    batches = list(to_devices(_whole_batches(recordings, batch_size), placement.divided))

    def validate(parameters: Parameters, stop: Callable[[], bool]) -> dict[str, float] | None:
        results = []
        for number, batch in enumerate(batches):
            if stop():
                return None
            # Waited for: else all batches would be sent off before anyone could ask for a stop.
            results.append(jax.device_get(step(parameters, batch, np.int32(number))))
        names = results[0].metrics
        means = {name: float(np.mean([result.metrics[name] for result in results])) for name in names}
        halves = [np.split(result.projection_2BE, 2) for result in results]
        z1_BE, z2_BE = (np.concatenate(half) for half in zip(*halves))
        global_BD = np.concatenate([result.global_2BD for result in results])
        return means | representation_health(z1_BE, z2_BE, global_BD)

    return validate


def _whole_batches(recordings: Recordings, batch_size: int) -> Iterable[Batch]:
    for first in range(0, len(recordings) - batch_size + 1, batch_size):
        yield recordings.batch(np.arange(first, first + batch_size))
