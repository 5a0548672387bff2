"""Which data a task is asked of, as they were prepared."""

from pathlib import Path

from coreecg_jax.downstream.tasks import Task
from coreecg_jax.inputs.selection import named_splits, select


def manifests_of(root: Path | str, task: Task) -> dict[str, str]:
    """Data set -> SHA-256 of its manifest, of all data sets that a task names; no shard is read.

    Raises:
      FileNotFoundError, ValueError: as `inputs.selection.select`.
    """
    specs = [spec for spec in (task.train, task.validation, task.test, *task.sources) if spec]
    names = dict.fromkeys(split.partition(":")[0] for spec in specs for split in named_splits(spec))
    return {name: select(root, name, shards=False).manifest_digests()[name] for name in names}
