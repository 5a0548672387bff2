"""Which of a demo's data sets train, which validate, and what is probed."""

from collections.abc import Sequence
from typing import NamedTuple

from coreecg_jax.downstream.tasks import PTBXL_SUPERCLASS, SIMULATED_CONDITIONS, Task, codes_task, read_cohort


class DemoData(NamedTuple):
    """Data specifications, and the task."""

    train: str
    validation: str
    task: Task | None  # None where the recordings carry too few labels
    remark: str  # what a reader of the numbers must know; '' when there is nothing


def choose(root: str, names: Sequence[str]) -> DemoData:
    """For prepared data sets: published folds where there are any, else everything together."""
    if "simulated" in names:
        return DemoData("simulated:train+probe", "simulated:validation", SIMULATED_CONDITIONS, "")
    if "ptbxl" in names:
        train = ["ptbxl:fold1-8", *(name for name in names if name != "ptbxl")]
        return DemoData(", ".join(train), "ptbxl:fold9", PTBXL_SUPERCLASS, "")
    everything = ", ".join(names)
    remark = "These recordings have no published split: validation looks at what was trained on"
    try:
        task = codes_task(everything)
        read_cohort(root, task.train, task.label_set)
    except ValueError as error:
        return DemoData(everything, everything, None, f"{remark}. No probe: {error}.")
    return DemoData(everything, everything, task, f"{remark}; the probe is nested by patient.")
