"""What a rival's name promises: settings that a config must say, so that it says what is trained."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from coreecg_jax.method.augmentation import Augmentation
from coreecg_jax.method.objective import Objective

NOT_AUGMENTED = {f"augment.{field.name}": 0.0 for field in dataclasses.fields(Augmentation)}


def require_settings(method: str, objective: Objective, expected: Mapping[str, Any]) -> None:
    """Raises ValueError, listing the fields of the config, where `objective` has other settings.

    Args:
      method: as in `config.method`.
      objective: what was built from the config.
      expected: field of the config ('mask.mode') -> the value that this method has.
    """
    groups = {
        "objective": objective,
        "mask": objective.stdm,
        "view": objective.fda,
        "augment": objective.augmentation,
        "model": objective.network,
    }
    wrong: list[str] = []
    for field, value in expected.items():
        group, name = field.split(".")
        got = getattr(groups[group], name)
        if got != value:
            wrong.append(f"{field} {value!r}, got {got!r}")
    if wrong:
        raise ValueError(f"method {method!r}: expected {'; '.join(wrong)}: set these fields too")
