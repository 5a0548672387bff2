"""One made data set for all that train whole runs; a state, and a run that saved some."""

from pathlib import Path

import jax
import pytest
from made_runs import PREPROCESSING, placement_of, small_state
from made_shards import example, serialise, write_data_set

from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.state import TrainState


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 windows of 9 to 10 s at 100 Hz in two shards: three batches an epoch of configs/tiny.py."""
    folder = tmp_path_factory.mktemp("data")
    records = [serialise(example(number, "made", samples=1000)) for number in range(24)]
    write_data_set(folder, "made", {"all": [records[:10], records[10:]]}, preprocessing=PREPROCESSING)
    return folder


@pytest.fixture(scope="session")
def fresh() -> TrainState:
    """A state like that of a run but of few leaves, on eight devices; not to be given away to a step."""
    return jax.device_put(small_state(), placement_of(8).replicated)


@pytest.fixture
def saved(tmp_path: Path, fresh: TrainState) -> Path:
    """A run whose last checkpoints are of steps 3 and 5, the best of 3."""
    from made_states import (  # asks jax for its devices, whose number is not yet set above
        CONFIG,
        DATA,
        at_step,
    )

    with Checkpoints(tmp_path, CONFIG, PREPROCESSING, DATA) as checkpoints:
        checkpoints.save_if_best(at_step(fresh, 3), 1.0)
        for step in (3, 5):
            checkpoints.save_last(at_step(fresh, step))
    return tmp_path
