"""From runs to the page of their report: restores, gathers, draws, writes."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.downstream.account import Account, account_of
from coreecg_jax.downstream.mask_leakage import MaskLeakage
from coreecg_jax.downstream.tables import read_report
from coreecg_jax.downstream.tasks import PTBXL_SUPERCLASS, TASKS
from coreecg_jax.figures.curves import importance_of
from coreecg_jax.figures.report import RecordingShown, RunShown, report_page
from coreecg_jax.inputs.reader import Recordings, read_recordings
from coreecg_jax.records.leads import LEADS
from coreecg_jax.training.checkpoints import Loaded, load_parameters
from coreecg_jax.training.estimate import count_parameters
from coreecg_jax.training.experiment import build
from coreecg_jax.training.journal import read_metrics

PROBE_FILE = "probe.json"  # of a run's folder: what launch.probe --out is given
_HERTZ = np.arange(0.0, 49.0, 3.0)  # where a spectrum is shown when there is no importance curve


def write_report_page(
    out: Path, workdirs: Sequence[str], *, probes: Sequence[str] = (), data_root: str | None = None
) -> None:
    """Writes the page whole or not at all.

    Args:
      out: HTML file.
      workdirs: one run, or two.
      probes: JSON of `launch.probe --out`, one a run; default: `probe.json` of each run where it is.
      data_root: of the data sets, when they were moved since.

    Raises:
      FileNotFoundError, ValueError: when a run, its data or a probe cannot be read.
    """
    if probes and len(probes) != len(workdirs):
        raise ValueError(f"--probe: expected one file a run ({len(workdirs)}), got {len(probes)}")
    files = [Path(name) for name in probes] or [Path(workdir) / PROBE_FILE for workdir in workdirs]
    runs = [
        _run(workdir, read_report(file) if probes or file.is_file() else None, data_root)
        for workdir, file in zip(workdirs, files, strict=True)
    ]
    text = report_page(runs)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".report-") as staging:
        new = Path(staging) / out.name
        new.write_text(text, encoding="utf-8")
        os.replace(new, out)


def _run(workdir: str, probe: dict[str, Any] | None, data_root: str | None) -> RunShown:
    loaded, metrics = load_parameters(workdir), read_metrics(workdir)
    data, root = loaded.config.data, data_root or loaded.config.data.root
    train, validation = (
        read_recordings(root, spec, min_seconds=data.crop_seconds) for spec in (data.train, data.validation)
    )
    hertz, importance = _importance(metrics)
    name = Path(workdir).name
    objective = build(loaded.config, loaded.preprocessing).objective
    account = account_of(name, objective, loaded.parameters, train, validation, frequency_hz=hertz)
    explained = None
    if account.explained is not None:
        rows = account.explained.items()
        explained = {row: (value.overall, *value.by_kind.values()) for row, value in rows}
    return RunShown(
        name=name,
        facts=_facts(workdir, loaded, metrics, train, validation),
        metrics=metrics,
        recording=_recording(account),
        explained=explained,
        frequency_hz=hertz,
        importance=importance,
        power=account.power,
        leakage=[_leakage_cells(row) for row in account.leakage],
        positive=account.similarities.positive,
        negative=account.similarities.negative,
        probe=probe,
        commands=_commands(workdir, loaded, root, probe),
    )


def _importance(metrics: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        return importance_of(metrics)
    except ValueError:  # not validated yet
        return _HERTZ, None


def _recording(account: Account) -> RecordingShown:
    example = account.example
    return RecordingShown(
        *(example.recording_LT, example.view_LT, example.prediction_LT, example.hidden_LT),
        leads=LEADS,
        sampling_rate=example.sampling_rate,
        title=f"recording {example.recording_id}, crops of {example.crop_seconds:g} s end to end",
    )


def _leakage_cells(row: MaskLeakage) -> list[str]:
    shares = f"{row.of_hidden_limb:.1%}", f"{row.of_hidden:.1%}"
    return [row.mask, str(row.tokens_kept), *shares, f"{row.linear_r2:.3f}"]


def _facts(
    workdir: str,
    loaded: Loaded,
    metrics: Sequence[dict[str, Any]],
    train: Recordings,
    validation: Recordings,
) -> tuple[tuple[str, str], ...]:
    config, model = loaded.config, loaded.config.model
    speeds = [row["train/recordings_per_second"] for row in metrics if "train/recordings_per_second" in row]
    steps = f"{loaded.step:,} of {config.run.steps:,}, {config.data.batch_size} recordings each"
    facts = {
        "Run": f"{workdir}, seed {config.seed}",
        "Steps": steps,
        "Trained on": f"{len(train):,} windows of {config.data.train}",
        "Validated on": f"{len(validation):,} windows of {config.data.validation}",
        "Signal": f"{loaded.preprocessing.sampling_rate:g} Hz, {loaded.preprocessing.high_pass:g} to "
        f"{loaded.preprocessing.low_pass:g} Hz, crops of {config.data.crop_seconds:g} s",
        "Network": f"width {model.width}, depth {model.depth}, {model.heads} heads; {model.decoder} decoder; "
        f"{count_parameters(loaded.params):,} parameters",
        "FDA, STDM": f"{config.view.mode}, {config.mask.mode}",
        "Devices": loaded.devices or "not noted",
        "Speed": f"{np.median(speeds):,.0f} recordings/s (median)" if speeds else "not noted",
        "Versions": ", ".join(f"{name} {version}" for name, version in loaded.versions.items()),
    }
    return tuple(facts.items())


def _commands(workdir: str, loaded: Loaded, root: str, probe: dict[str, Any] | None) -> tuple[str, ...]:
    data = loaded.config.data
    probed = probe["task"]["name"] if probe else PTBXL_SUPERCLASS.name
    task = f" --task={probed}" if probed in TASKS else ""
    return (
        f"python -m launch.probe --workdir={workdir} --data_root={root}{task} --out={workdir}/{PROBE_FILE}",
        f"python -m launch.reconstruction --run=this={workdir} --data_root={root} "
        f"--train='{data.train}' --validation='{data.validation}'",
        f"python -m launch.report --workdir={workdir} --workdir=ANOTHER --out=compared.html",
        f"tensorboard --logdir {workdir}",
    )
