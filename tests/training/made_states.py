"""States to save, and what is said of them."""

import jax
from made_runs import tiny_config

from coreecg_jax.training.experiment import resolved

CONFIG = resolved(tiny_config())
DATA = {"train": {"made": "ab"}, "validation": {"made": "ab"}}


def at_step(state, step):
    """A state with other numbers in all its leaves."""
    return jax.tree.map(lambda x: x + step, state)
