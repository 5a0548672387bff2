"""From runs to the page of their report: restores, gathers, draws, writes."""

import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_collections
import numpy as np

from coreecg_jax.downstream.account import MOST_RECORDINGS, Account, account_of
from coreecg_jax.downstream.result_files import read_report
from coreecg_jax.figures.curves import importance_of
from coreecg_jax.figures.report import RecordingShown, RunShown, report_page
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.inputs.selection import select
from coreecg_jax.records.leads import LEADS
from coreecg_jax.training.checkpoints import Loaded, load_parameters
from coreecg_jax.training.estimate import count_parameters
from coreecg_jax.training.experiment import build
from coreecg_jax.training.journal import read_metrics
from launch.evaluating import EVALUATIONS
from launch.known_tasks import known_tasks

_HERTZ = np.arange(0.0, 49.0, 3.0)  # where a spectrum is shown when there is no importance curve


def write_report_page(
    out: Path,
    workdirs: Sequence[str],
    *,
    evaluations: Sequence[str] = (),
    data_root: str | None = None,
    title: str = "",
) -> None:
    """Writes the page whole or not at all.

    Args:
      out: HTML file.
      workdirs: one run, or two.
      evaluations: JSON of `launch.evaluate`, one a run; default: the newest of each run where there is one.
      data_root: of the data sets, when they were moved since.
      title: of the page; default: the names of the runs.

    Raises:
      FileNotFoundError, ValueError: when a run, its data or a probe cannot be read.
    """
    if evaluations and len(evaluations) != len(workdirs):
        raise ValueError(f"--evaluation: expected one file a run ({len(workdirs)}), got {len(evaluations)}")
    files = [Path(name) for name in evaluations] or [_newest(workdir) for workdir in workdirs]
    short = [Path(workdir).name for workdir in workdirs]
    names = short if len(set(short)) == len(short) else list(workdirs)
    runs = [
        _run(name, workdir, read_report(file) if file else None, data_root)
        for name, workdir, file in zip(names, workdirs, files, strict=True)
    ]
    text = report_page(runs, title)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".report-") as staging:
        new = Path(staging) / out.name
        new.write_text(text, encoding="utf-8")
        os.replace(new, out)


def _newest(workdir: str) -> Path | None:
    """The result that was written last for a run, of a test that was opened."""
    files = [
        file
        for file in (Path(workdir) / EVALUATIONS).glob("*.json")
        if not file.stem.endswith("_development") and not file.with_suffix("").is_dir()
    ]
    return max(files, key=lambda file: file.stat().st_mtime, default=None)


def _run(name: str, workdir: str, probe: dict[str, Any] | None, data_root: str | None) -> RunShown:
    loaded, metrics = load_parameters(workdir), read_metrics(workdir)
    data, root = loaded.config.data, data_root or loaded.config.data.root
    train, validation = (
        read_recordings(root, spec, min_seconds=data.crop_seconds, most=MOST_RECORDINGS)
        for spec in (data.train, data.validation)
    )
    hertz, importance = _importance(metrics)
    objective = build(loaded.config, loaded.preprocessing).objective
    account = account_of(name, objective, loaded.parameters, train, validation, frequency_hz=hertz)
    return RunShown(
        name=name,
        facts=_facts(workdir, root, loaded, metrics, account, probe),
        metrics=metrics,
        recording=_recording(account),
        explained=_explained(account),
        frequency_hz=hertz,
        importance=importance,
        power=account.power,
        leakage=_leakage(account),
        similarity=account.similarities,
        probe=probe,
        commands=_commands(workdir, data, root, probe),
    )


def _importance(metrics: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        return importance_of(metrics)
    except ValueError:  # not validated yet
        return _HERTZ, None


def _explained(account: Account) -> dict[str, tuple[float, ...]] | None:
    if account.explained is None:
        return None
    rows = account.explained.items()
    return {name: (value.overall, *value.by_kind.values()) for name, value in rows}


def _recording(account: Account) -> RecordingShown:
    example = account.example
    return RecordingShown(
        *(example.recording_LT, example.view_LT, example.prediction_LT, example.hidden_LT),
        leads=LEADS,
        sampling_rate=example.sampling_rate,
        title=f"recording {example.recording_id}, crops of {example.crop_seconds:g} s end to end",
    )


def _leakage(account: Account) -> list[list[str]] | None:
    if account.leakage is None:
        return None
    return [
        [name, str(kept), f"{of_limb:.1%}", f"{of_all:.1%}", f"{linear:.3f}"]
        for name, kept, of_limb, of_all, linear in account.leakage
    ]


def _facts(
    workdir: str,
    root: str,
    loaded: Loaded,
    metrics: Sequence[dict[str, Any]],
    account: Account,
    probe: dict[str, Any] | None,
) -> tuple[tuple[str, str], ...]:
    config, model, data = loaded.config, loaded.config.model, loaded.config.data
    speeds = [row["train/recordings_per_second"] for row in metrics if "train/recordings_per_second" in row]
    same = " (what was trained on: these numbers say nothing of other recordings)"
    facts = {
        "Run": f"{workdir}, seed {config.seed}",
        "Steps": f"{loaded.step:,} of {config.run.steps:,}, {data.batch_size} recordings each",
        "Trained on": f"{select(root, data.train).num_examples:,} windows of {data.train}",
        "Validated on": f"{select(root, data.validation).num_examples:,} windows of {data.validation}"
        + (same if data.train == data.validation else ""),
        "Looked at below": f"{account.validation_windows:,} validation windows",
        "Signal": f"{loaded.preprocessing.sampling_rate:g} Hz, {loaded.preprocessing.high_pass:g} to "
        f"{loaded.preprocessing.low_pass:g} Hz, crops of {data.crop_seconds:g} s",
        "Network": f"width {model.width}, depth {model.depth}, {model.heads} heads; {model.decoder} decoder; "
        f"{count_parameters(loaded.params):,} parameters",
        "FDA, STDM": f"{config.view.mode}, {config.mask.mode}",
        "Augmentation": _strengths(config),
        "Devices": loaded.devices or "not noted",
        "Speed": f"{np.median(speeds):,.0f} recordings/s (median)" if speeds else "not noted",
        "Versions": ", ".join(f"{name} {version}" for name, version in loaded.versions.items()),
    }
    probed = [encoder["step"] for encoder in probe["encoders"]] if probe else []
    if probed and probed != [loaded.step]:
        facts["Probe"] = f"of other checkpoints than this: step {', '.join(map(str, probed))}"
    return tuple(facts.items())


def _strengths(config: ml_collections.ConfigDict) -> str:
    """Of what is done to crops before FDA."""
    if "augment" not in config:  # of an older run, in which SimCLR augmented and nothing else did
        return "not noted"
    strengths = config.augment.to_dict()
    return ", ".join(f"{name} {strength:g}" for name, strength in strengths.items() if strength) or "none"


def _commands(
    workdir: str, data: ml_collections.ConfigDict, root: str, probe: dict[str, Any] | None
) -> tuple[str, ...]:
    """As they can be typed from the folder where the report was made."""
    python = os.path.relpath(sys.executable)
    python = "python" if python.startswith("..") else python
    task = _task_of(data, probe)
    probing = [f"launch.evaluate --checkpoint={workdir} --data_root={root} --task={task}"]
    others = [
        f"launch.reconstruction --run=this={workdir} --data_root={root} "
        f"{shlex.quote(f'--train={data.train}')} {shlex.quote(f'--validation={data.validation}')}",
        f"launch.report --workdir={workdir} --workdir=ANOTHER --out=compared.html",
    ]
    verbs = [f"{python} -m {verb}" for verb in (probing if task else []) + others]
    return (*verbs, f"tensorboard --logdir {workdir}")


def _task_of(data: ml_collections.ConfigDict, probe: dict[str, Any] | None) -> str | None:
    """The task that was probed, or the first that is on the run's own data."""
    tasks = known_tasks()
    if probe and probe["task"]["name"] in tasks:
        return probe["task"]["name"]
    own = {spec.partition(":")[0].strip() for spec in data.train.split(",")}
    return next((name for name, task in tasks.items() if task.train.partition(":")[0] in own), None)
