"""Which of a demo's data sets train, which validate, and what is probed."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import ml_collections

from coreecg_jax.downstream.cohorts import read_cohort
from coreecg_jax.downstream.tasks import Task, codes_task
from coreecg_jax.inputs.selection import select
from launch.evaluating import PTBXL, SIMULATED
from launch.known_tasks import known_tasks

_MOST_NAMES = 6  # of data sets in a title
_VALIDATION_FOLD = "ptbxl:fold9"


class DemoData(NamedTuple):
    """Data specifications, and the task."""

    train: str
    validation: str
    task: Task | None  # None where the recordings carry too few labels
    remark: str  # what a reader of the numbers must know; '' when there is nothing


def choose(root: str, names: Sequence[str], *, simulated: bool) -> DemoData:
    """For prepared data sets: published folds where there are any, else everything together."""
    if simulated:
        return DemoData("simulated:train+probe", "simulated:validation", known_tasks()[SIMULATED], "")
    if "ptbxl" in names and _has_all_folds(root):
        task = known_tasks()[PTBXL]
        train = [task.train, *(name for name in names if name != "ptbxl")]
        return DemoData(", ".join(train), _VALIDATION_FOLD, task, "")
    everything = ", ".join(names)
    remark = "These recordings have no published split: validation looks at what was trained on"
    task = codes_task(everything)
    try:
        read_cohort(root, task.train, task.label_set)
    except ValueError as error:
        return DemoData(everything, everything, None, f"{remark}. No probe: {error}.")
    return DemoData(everything, everything, task, f"{remark}; the probe is nested by patient.")


def title_of(names: Sequence[str], source: str | None) -> str:
    """Of the demo's report: whose recordings it is about; `source` is None of simulated ones."""
    if source is None:
        return "CoRe-ECG demo: simulated recordings"
    shown = ", ".join(names) if len(names) <= _MOST_NAMES else f"{len(names)} data sets"
    return f"CoRe-ECG demo: {shown}, of {Path(source).resolve().name}"


def fit_batches(config: ml_collections.ConfigDict) -> None:
    """Makes the batches of a config no larger than its data, and even among the devices.

    Raises:
      ValueError: when there are fewer windows than devices, or only one.
    """
    data = config.data
    for field, spec in (("batch_size", data.train), ("validation_batch_size", data.validation)):
        windows, devices = select(data.root, spec).num_examples, jax.device_count()
        size = min(data[field], windows) // devices * devices
        if size < 2:
            raise ValueError(f"expected at least {max(2, devices)} windows in {spec}, got {windows}")
        data[field] = size


def _has_all_folds(root: str) -> bool:
    """Whether this copy of PTB-XL has recordings in every fold."""
    try:
        task = known_tasks()[PTBXL]
        select(root, f"{task.train}, {task.test}")
    except ValueError:
        return False
    return True
