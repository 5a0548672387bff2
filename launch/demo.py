"""The whole way once: recordings, shards, pretraining, probe, report. Interrupted, it goes on where it was.

python -m launch.demo --workdir=runs/demo [--source=../shared/ecg]
Without --source the recordings are simulated: nothing is downloaded.
"""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from configs import demo
from coreecg_jax.downstream.methods import compared_methods
from coreecg_jax.downstream.protocol import evaluate
from coreecg_jax.downstream.tables import read_report, report, write_report
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.figures.report import verdict
from coreecg_jax.records.databases.discovery import discover
from coreecg_jax.records.databases.simulated import list_recordings
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.prepare import prepare
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.loop import train
from launch.demo_data import choose
from launch.reporting import PROBE_FILE, write_report_page
from launch.restored import encoder_of
from launch.shell import run_main
from launch.watching import pictures

_WORKDIR = flags.DEFINE_string("workdir", "runs/demo", "Folder of all that the demo makes.")
_SOURCE = flags.DEFINE_string("source", None, "Folder of WFDB recordings; default: simulated ones.")
_RECORDINGS = flags.DEFINE_integer("recordings", 2000, "Simulated recordings.", lower_bound=200)
_STEPS = flags.DEFINE_integer("steps", None, "Steps of pretraining; default: configs/demo.py.", lower_bound=1)


def _prepare(root: Path, sampling_rate: float) -> list[str]:
    """Names of the data sets, each prepared or found prepared."""
    listings = discover(Path(_SOURCE.value)) if _SOURCE.value else [list_recordings(_RECORDINGS.value)]
    settings = Settings(Preprocessing(sampling_rate=sampling_rate))
    for listing in listings:
        # Starting a process takes as long as preparing some hundred recordings.
        workers = min(os.cpu_count() or 1, 1 + len(listing.recordings) // 500)
        print(prepare(listing, root, settings, workers=workers, progress=True).report(), flush=True)
    return [listing.name for listing in listings]


def _probe(run: Path, task: Task, root: Path) -> None:
    """Writes the numbers of the probe beside the run, once."""
    file = run / PROBE_FILE
    if file.is_file():
        print(f"was there already: {file}")
        return
    encoder = encoder_of(str(run), "lead")
    methods = functools.partial(compared_methods, [encoder], rival_seeds=(0,))
    write_report(report(evaluate(task, root, methods), [encoder]), file)


def main(argv: Sequence[str]) -> None:
    """Four stages; each says what it does."""
    del argv
    config, workdir = demo.get_config(), Path(_WORKDIR.value)
    root, run = workdir / "data", workdir / "pretrained"
    config.data.root, config.run.steps = str(root), _STEPS.value or config.run.steps
    config.optimizer.warmup_steps = min(config.optimizer.warmup_steps, config.run.steps // 4)
    print("1 of 4: recordings become shards", flush=True)
    data = choose(str(root), _prepare(root, config.data.sampling_rate))
    config.data.train, config.data.validation = data.train, data.validation
    print(f"2 of 4: pretraining, {config.run.steps} steps without any label", flush=True)
    if data.remark:
        print(data.remark, flush=True)
    train(config, run, pictures=pictures(config))
    print("3 of 4: a probe of the frozen encoder, the untrained one and random convolutions", flush=True)
    if data.task:
        _probe(run, data.task, root)
    print("4 of 4: the report", flush=True)
    write_report_page(workdir / "report.html", [str(run)])
    print(verdict(read_report(run / PROBE_FILE) if data.task else None))
    print(f"report: {workdir / 'report.html'}")


if __name__ == "__main__":
    run_main(main)
