"""Validation under fixed crops, views and masks: the same question at every step and in every run."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from coreecg_jax.inputs.together import ALONE, Processes
from coreecg_jax.inputs.transfer import rows_here, to_devices
from coreecg_jax.inputs.validation_windows import ValidationWindows
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
    windows: ValidationWindows,
    *,
    batch_size: int,
    placement: Placement,
    of_parameters: Any = None,
    processes: Processes = ALONE,
) -> Validator:
    """A function of the parameters that gives mean metrics and the health of the representation, all or none.

    Whole batches only, so that each contrastive loss has the same number of candidates; what is left
    over of the windows is not used. Each process reads, and its devices hold, its rows of them only.

    Raises:
      ValueError: when there are fewer windows than `batch_size`.
      OSError, ValueError: when a shard cannot be read or is damaged, in all processes.
    """
    if len(windows) < batch_size:
        raise ValueError(
            f"data.validation_batch_size: expected at most the {len(windows)} validation windows of "
            f"{objective.window_seconds:g} s or more, got {batch_size}"
        )
    step = make_validation_step(objective, placement=placement, of_parameters=of_parameters)
    read = windows.batches(batch_size, rows_here(placement.divided, batch_size))
    batches = processes.each(lambda: list(to_devices(read, placement.divided)))

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
