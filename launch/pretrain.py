"""Pretrains an encoder, or goes on where the run stopped.

python -m launch.pretrain --config=configs/real_2core.py --workdir=runs/x [--config.FIELD=VALUE …]
"""

from collections.abc import Mapping, Sequence

import ml_collections
from absl import flags
from ml_collections import config_flags

from coreecg_jax.downstream.neighbours import neighbour_score
from coreecg_jax.downstream.tasks import TASKS
from coreecg_jax.training.experiment import network_of
from coreecg_jax.training.loop import train
from coreecg_jax.training.validation import Evaluator
from launch.shell import run_main

_CONFIG = config_flags.DEFINE_config_file("config", None, "A file of configs/.", lock_config=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)


def _evaluators(config: ml_collections.ConfigDict) -> Mapping[str, Evaluator]:
    """The nearest-neighbour score of `run.probe_task`, on its training folds only."""
    name = config.run.probe_task
    if not name:
        return {}
    if name not in TASKS:
        raise ValueError(f"run.probe_task: expected '' or one of {', '.join(sorted(TASKS))}, got {name!r}")
    score = neighbour_score(
        network_of(config), TASKS[name], config.data.root, crop_seconds=config.data.crop_seconds
    )
    return {"probe": score}


def main(argv: Sequence[str]) -> None:
    """Trains and says where the run is."""
    del argv
    config = _CONFIG.value
    state = train(config, _WORKDIR.value, _evaluators(config))
    print(f"step {int(state.step)} of {config.run.steps} done: {_WORKDIR.value}")
    print(f"next: python -m launch.probe --workdir={_WORKDIR.value} --data_root={config.data.root}")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    run_main(main)
