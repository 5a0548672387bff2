"""The whole way once: recordings, shards, pretraining, probe, report. Interrupted, it goes on where it was.

python -m launch.demo [--source=../shared/ecg]
Without --source the recordings are simulated: nothing is downloaded.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from configs import demo
from coreecg_jax.downstream.openings import FILE
from coreecg_jax.downstream.result_files import Report, read_report
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.figures.report import verdict
from coreecg_jax.records.databases.discovery import discover
from coreecg_jax.records.databases.simulated import list_recordings
from coreecg_jax.records.local_runs import local
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.prepare import prepare
from coreecg_jax.records.refusals import NothingReadable
from coreecg_jax.records.schema import OtherSettings, Preprocessing
from coreecg_jax.training.loop import train
from launch.demo_data import choose, fit_batches, title_of
from launch.evaluating import EVALUATIONS, Asked, evaluated
from launch.reporting import write_report_page
from launch.restored import encoder_of
from launch.shell import run_main
from launch.telling import now_and_then, steps_done
from launch.watching import pictures
from launch.writable import require_writable

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of all that the demo makes; default: runs/demo….")
_SOURCE = flags.DEFINE_string("source", None, "Folder of recordings of any format; default: simulated ones.")
_RECORDINGS = flags.DEFINE_integer("recordings", 2000, "Simulated recordings.", lower_bound=200)
_STEPS = flags.DEFINE_integer("steps", None, "Steps of pretraining; default: configs/demo.py.", lower_bound=1)


def _workdir() -> Path:
    """One folder a source, so that one demo does not stand in the way of another."""
    source = Path(_SOURCE.value).resolve().name if _SOURCE.value else ""
    return Path(_WORKDIR.value or f"runs/demo{'_' + source if source else ''}")


def _prepare(root: Path, sampling_rate: float) -> list[str]:
    """Names of the data sets, prepared or found prepared; those with nothing usable are left out."""
    listings = discover(Path(_SOURCE.value)) if _SOURCE.value else [list_recordings(_RECORDINGS.value)]
    settings = Settings(Preprocessing(sampling_rate=sampling_rate))
    names = []
    for listing in listings:
        # Before it is prepared, as that may be refused for what a note says.
        for note in listing.note.splitlines():
            print(f"note: {listing.name}: {note}", flush=True)
        # Starting a process takes as long as preparing some hundred recordings.
        workers = min(os.cpu_count() or 1, 1 + len(listing.recordings) // 500)
        try:
            prepared = prepare(listing, root, settings, run=local(workers), progress=True)
        except NothingReadable as error:
            print(f"left out: {error}", flush=True)
            continue
        print(prepared.report(), flush=True)
        names.append(listing.name)
    if not names:
        raise ValueError(f"--source={_SOURCE.value}: no recording can be used, for the reasons above")
    return names


def _probe(run: Path, task: Task, root: Path) -> Report | None:
    """The numbers of the probe, which are written beside the run once for its last step."""
    file, encoder = run / EVALUATIONS / "demo.json", encoder_of(str(run))
    if file.is_file() and (numbers := read_report(file))["encoders"][0]["step"] == encoder.step:
        print(f"was there already: {file}", flush=True)
        return numbers
    # A demo is looked at, not believed: it may be run again, and may probe what it was pretrained on.
    asked = Asked(task, root, root / FILE, rival_seeds=(0,), allow_retest=True, allow_overlap=True)
    try:
        return evaluated(asked, [encoder], out=file).numbers
    except ValueError as error:  # too few patients or positives: the rest of the report is worth having
        print(f"no probe: {error}", flush=True)
        return None


def _run(workdir: Path) -> None:
    """Four stages; each says what it does."""
    config, root, run = demo.get_config(), workdir / "data", workdir / "pretrained"
    config.data.root, config.run.steps = str(root), _STEPS.value or config.run.steps
    config.optimizer.warmup_steps = min(config.optimizer.warmup_steps, config.run.steps // 4)
    print("1 of 4: recordings become shards", flush=True)
    names = _prepare(root, config.data.sampling_rate)
    data = choose(str(root), names, simulated=not _SOURCE.value)
    config.data.train, config.data.validation = data.train, data.validation
    fit_batches(config)
    print(
        f"2 of 4: pretraining, {config.run.steps} steps without any label; they are compiled first (if XLA "
        "asks 'Very slow compile?' the machine is busy, and nothing is wrong)",
        flush=True,
    )
    if data.remark:
        print(data.remark, flush=True)
    with now_and_then(lambda: steps_done(run, config.run.steps)):
        train(config, run, pictures=pictures(config))
    print("3 of 4: a probe of the frozen encoder, and what it must beat", flush=True)
    with now_and_then(lambda: "probing"):
        numbers = _probe(run, data.task, root) if data.task else None
    print("4 of 4: the report", flush=True)
    write_report_page(workdir / "report.html", [str(run)], title=title_of(names, _SOURCE.value))
    print(f"{verdict(numbers)}\nreport: {workdir / 'report.html'}")


def main(argv: Sequence[str]) -> None:
    """Runs, and says what to do where another demo stands in the way."""
    del argv
    workdir = _workdir()
    require_writable("--workdir", workdir)
    try:
        _run(workdir)
    except OtherSettings as error:
        raise ValueError(
            f"{workdir} holds a demo of other recordings or settings: delete it, or choose another --workdir "
            f"(make demo DEMO=folder). In full: {error}"
        ) from error


if __name__ == "__main__":
    run_main(main)
