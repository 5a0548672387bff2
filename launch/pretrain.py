"""Pretrains an encoder, or goes on where the run stopped.

python -m launch.pretrain --config=configs/real_2core.py --workdir=runs/x [--config.FIELD=VALUE …]

One of several processes (launch/places/): the same command in each, with --distributed, or with
--coordinator_address, --process_id and --num_processes.

Exit statuses, for schedulers too: docs/running.md.
"""

from collections.abc import Sequence
from pathlib import Path

import ml_collections
from absl import flags

from configs import base
from coreecg_jax.training.estimate import estimate
from coreecg_jax.training.interruption import ends_at_once
from coreecg_jax.training.loop import train
from coreecg_jax.training.processes import is_first, join, own_status, sharing
from launch import devices
from launch.config_files import define_config_file
from launch.shell import run_main
from launch.watching import watched
from launch.writable import require_writable

_CONFIG = define_config_file("config", base.__file__, "A file of configs/.", is_default=False)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "One of several processes, as the cluster tells.")
_COORDINATOR = flags.DEFINE_string("coordinator_address", None, "HOST:PORT of process 0.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Of this process, from 0.", lower_bound=0)
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "Processes in all.", lower_bound=1)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Check, print what the run would need, and train nothing.")
flags.declare_key_flag("compile_cache")


def main(argv: Sequence[str]) -> None:
    """Trains and says where the run is."""
    del argv
    config, named = _CONFIG.value, _named()
    if _several():
        join(coordinator_address=named[0], process_id=named[1], num_processes=named[2])
    computes_on = devices.described(config)
    if _DRY_RUN.value:
        watched(config, sharing())  # what it is made of is checked, as before training
        needs = estimate(config, _WORKDIR.value).report()
        if is_first():
            print(needs)
        return
    if is_first():
        print(computes_on, flush=True)
    # Before data are read, which may take minutes; where one process cannot write, all end with its words.
    sharing().each(lambda: require_writable("--workdir", _WORKDIR.value))
    state = train(config, _WORKDIR.value, *watched(config, sharing()))
    if not is_first():
        return
    print(f"step {int(state.step)} of {config.run.steps} done: {_WORKDIR.value}")
    print(f"next: {_next(config)}")


def _next(config: ml_collections.ConfigDict) -> str:
    """A command that fits this run, and opens no test: it scores validation, or out of fold the training set,
    and writes that down. Without a task of its own launch.evaluate asks one of PTB-XL, whatever the run has
    seen."""
    if not config.run.probe_task:
        return f"python -m launch.report --workdir={_WORKDIR.value}"
    where = f"--checkpoint={_WORKDIR.value} --data_root={config.data.root}"
    return f"python -m launch.evaluate {where} --task={config.run.probe_task} --development"


def cache_folder() -> Path | None:
    """Of several processes the run's own, as all see it. jax writes from the first process only: of a folder
    on each host the first would have at the next start what the others compile, and GPUs, which share out the
    trials of kernels while they compile, would wait for it."""
    return Path(_WORKDIR.value, ".cache", "jax").absolute() if _several() else None


def _several() -> bool:
    return _DISTRIBUTED.value or any(value is not None for value in _named())


def _named() -> tuple[str | None, int | None, int | None]:
    return _COORDINATOR.value, _PROCESS_ID.value, _NUM_PROCESSES.value


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    with own_status(), ends_at_once():
        run_main(main, cache_folder=cache_folder)
