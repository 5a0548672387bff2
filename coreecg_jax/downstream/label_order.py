"""Whether a label set means what it meant when the data were prepared."""

from pathlib import Path

from coreecg_jax.downstream.tasks import Task
from coreecg_jax.inputs.selection import select
from coreecg_jax.records.label_sets import CODES, load_label_set
from coreecg_jax.records.stored_label_sets import LABEL_SETS_FILE, differences


def require_label_set(root: Path | str, task: Task) -> None:
    """Refuses a task on data that were prepared with another version or order of its label set.

    Data sets without `label_sets.json`, of before there was one or of one's own files, are accepted.

    Raises:
      FileNotFoundError: when data are missing.
      ValueError: when the label set differs, naming in what; or a specification is wrong.
    """
    if task.label_set == CODES:
        return
    known = load_label_set(task.label_set)
    for spec in (task.train, task.validation, task.test, *task.sources):
        for folder in select(root, spec).folders if spec else ():
            if found := differences(folder, known):
                raise ValueError(
                    f"label set {known.name}: expected that of {folder / LABEL_SETS_FILE}; "
                    f"{'; '.join(found)}: prepare the data set again (launch.prepare --overwrite), or "
                    "evaluate with the version of coreecg-jax that it was prepared with"
                )
