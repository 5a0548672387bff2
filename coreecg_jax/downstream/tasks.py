"""What is predicted, from which recordings: a label set on data specifications (`inputs.selection`)."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from coreecg_jax.records.label_sets import CODES


@dataclasses.dataclass(frozen=True)
class Task:
    """A label set on data.

    With `test`: a probe is fitted on `train` and asked once about `test`. Without, and with `sources`: each
    source is the test of a fit to all others. With neither: nested cross-validation by patient in `train`.

    Attributes:
      name: for tables and files. label_set: a name of `records.label_sets`. train: data that are fitted.
      validation: data by which settings and thresholds are chosen; None: by cross-validation in `train`.
      test: data that are asked about, once. sources: data specifications, one a hospital. min_likelihood: per
      cent; codes below it do not count. 0, as in the published benchmark of PTB-XL: all do. by_vocabulary:
      of several data sets that are fitted together, each class is by those that have it (`vocabularies`);
      always so with `sources`.
    """

    name: str
    label_set: str
    train: str = ""
    validation: str | None = None
    test: str | None = None
    sources: tuple[str, ...] = ()
    min_likelihood: float = 0.0
    by_vocabulary: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.min_likelihood <= 100:
            raise ValueError(
                f"task {self.name}: expected min_likelihood of 0 to 100 per cent, got {self.min_likelihood:g}"
            )
        if self.test == "":
            raise ValueError(
                f"task {self.name}: expected test to name data, got '': name those that are asked about, or "
                "leave it out where there is no test split, so that all is nested cross-validation in train"
            )
        if bool(self.train) == bool(self.sources):
            raise ValueError(f"task {self.name}: expected either train or sources, got {self}")
        if self.sources and (len(self.sources) < 2 or self.test or self.validation):
            raise ValueError(
                f"task {self.name}: expected two or more sources, and no test or validation beside them "
                f"(each source is a test in turn), got {self}"
            )
        if self.sources:  # frozen, but not before it is made
            object.__setattr__(self, "by_vocabulary", True)


def tasks_of(config: Mapping[str, Any]) -> dict[str, Task]:
    """The tasks of a config such as `configs/downstream/tasks.py`: name -> fields of `Task`.

    Raises:
      ValueError: when a field is missing, unknown or contradicts another.
    """
    fields = {field.name for field in dataclasses.fields(Task)} - {"name"}
    tasks = {}
    for name, about in config.items():
        if not set(about) <= fields or "label_set" not in about:
            raise ValueError(
                f"task {name}: expected label_set and some of {', '.join(sorted(fields))}; "
                f"got {', '.join(about)}"
            )
        settings: dict[str, Any] = {**about, "sources": tuple(about.get("sources", ()))}
        tasks[name] = task = Task(name, **settings)
        if task.by_vocabulary and not (task.test or task.sources):
            raise ValueError(
                f"task {name}: expected by_vocabulary with a test split or sources, got neither: out of "
                "fold, what a data set never names would still count as absent where it is scored"
            )
        if task.validation and not task.test:
            raise ValueError(
                f"task {name}: expected test beside validation {task.validation!r}, got none: without a test "
                "split all is nested cross-validation in train, so leave validation out, or name test"
            )
    return tasks


def named_task(tasks: Mapping[str, Task], name: str) -> Task:
    """The task of that name.

    Raises:
      ValueError: naming the near one, when there is none.
    """
    if name not in tasks:
        near = difflib.get_close_matches(name, tasks, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(
            f"task: {name!r} is not there{hint}; there are {', '.join(sorted(tasks))}; one of your own needs "
            'a file of tasks, for launch.evaluate --tasks=FILE (docs/evaluation.md, "A task of your own")'
        )
    return tasks[name]


def codes_task(spec: str) -> Task:
    """Every code of `spec` that is frequent enough as a class, by nested cross-validation."""
    return Task(CODES, CODES, spec)
