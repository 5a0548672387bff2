"""The tasks that launchers know by name. Apart from `evaluating`, whose probes take seconds to import."""

from configs.downstream import tasks
from coreecg_jax.downstream.tasks import Task, tasks_of


def known_tasks() -> dict[str, Task]:
    """The tasks of `configs/downstream/tasks.py`."""
    return tasks_of(tasks.get_config().to_dict())
