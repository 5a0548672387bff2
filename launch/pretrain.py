"""Pretrains an encoder, or goes on where the run stopped.

python -m launch.pretrain --config=configs/real_2core.py --workdir=runs/x [--config.FIELD=VALUE …]

Exit statuses, for schedulers too: docs/running.md.
"""

from collections.abc import Sequence

from absl import flags
from ml_collections import config_flags

from coreecg_jax.training.estimate import estimate
from coreecg_jax.training.loop import train
from launch.shell import run_main
from launch.watching import evaluators, pictures

_CONFIG = config_flags.DEFINE_config_file("config", None, "A file of configs/.", lock_config=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Check, print what the run would need, and train nothing.")


def main(argv: Sequence[str]) -> None:
    """Trains and says where the run is."""
    del argv
    config = _CONFIG.value
    if _DRY_RUN.value:
        print(estimate(config, _WORKDIR.value).report())
        return
    state = train(config, _WORKDIR.value, evaluators(config), pictures(config))
    print(f"step {int(state.step)} of {config.run.steps} done: {_WORKDIR.value}")
    print(f"next: python -m launch.evaluate --checkpoint={_WORKDIR.value} --data_root={config.data.root}")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    run_main(main)
