"""From a question to its result on disk."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ml_collections

from configs.downstream import protocols, tasks
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.finetuning_settings import Settings
from coreecg_jax.downstream.methods import BESIDE, Encoder, Protocols, compared_methods
from coreecg_jax.downstream.predictions import write_predictions
from coreecg_jax.downstream.protocol import Evaluation, Seal, develop, evaluate, other_sources
from coreecg_jax.downstream.results import Report, predictions_of, report, write_report
from coreecg_jax.downstream.subsets import LEAD_SUBSETS
from coreecg_jax.downstream.tables import markdown, transfer_markdown
from coreecg_jax.downstream.tasks import Task, tasks_of
from coreecg_jax.records.leads import LEADS, lead_indices

PTBXL, SIMULATED = "ptbxl_superclass_two_folds", "simulated_conditions"  # tasks of the demo
EVALUATIONS = "evaluations"  # folder of results within that of a run


@dataclasses.dataclass(frozen=True)
class Asked:
    """One question about some encoders."""

    task: Task
    root: Path  # of the data sets
    openings: Path  # log of test openings
    protocol: str = "linear"
    beside: tuple[str, ...] = tuple(BESIDE)
    subset: Subset = dataclasses.field(default_factory=Subset)
    rival_seeds: tuple[int, ...] = (0, 1, 2)
    settings: Protocols = dataclasses.field(default_factory=lambda: protocols_of(protocols.get_config()))
    development: bool = False
    allow_retest: bool = False
    allow_overlap: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.beside) - set(BESIDE)
        if unknown:
            raise ValueError(
                f"--beside: expected some of {', '.join(BESIDE)}, got {', '.join(sorted(unknown))}"
            )
        if not 0 < self.subset.fraction <= 1:
            raise ValueError(f"--fraction: expected more than 0 and at most 1, got {self.subset.fraction:g}")

    @property
    def name(self) -> str:
        """Of its files."""
        parts = [self.task.name, self.protocol]
        if self.subset.leads != LEADS:
            parts.append(f"leads-{'-'.join(self.subset.leads)}")
        if self.subset.fraction < 1:
            parts.append(f"{self.subset.fraction:g}-{self.subset.repeat}")
        return "_".join([*parts, *(["development"] if self.development else [])])


def known_tasks() -> dict[str, Task]:
    """The tasks of `configs/downstream/tasks.py`."""
    return tasks_of(tasks.get_config().to_dict())


def protocols_of(config: ml_collections.ConfigDict) -> Protocols:
    """The settings of `configs/downstream/protocols.py`.

    Raises:
      ValueError: naming the group, when a setting is out of its range.
    """
    trained = {}
    for name in ("attention", "finetune", "scratch"):
        try:
            trained[name] = Settings(**config[name])
        except ValueError as error:
            raise ValueError(f"--protocols.{name}: {error}") from error
    return Protocols(**trained, neighbours=tuple(config.knn.neighbours), crops=config.linear.crops)


class Done(NamedTuple):
    """A result on disk, and as text."""

    file: Path  # JSON
    predictions: Path  # Parquet; of several sources a folder of them
    text: str
    numbers: Report  # of several sources: source -> report


def leads_of(text: str) -> tuple[str, ...]:
    """'6' or 'I,II,V2' as names of leads.

    Raises:
      ValueError: when it is neither.
    """
    if text.isdigit():
        if int(text) not in LEAD_SUBSETS:
            raise ValueError(
                f"--leads: expected one of {', '.join(map(str, LEAD_SUBSETS))}, or names, got {text}"
            )
        return LEAD_SUBSETS[int(text)]
    return tuple(LEADS[place] for place in sorted(lead_indices([name for name in text.split(",") if name])))


def evaluated(asked: Asked, encoders: Sequence[Encoder], *, out: str | Path | None = None) -> Done:
    """Asks, and writes everything.

    Args:
      asked: the question.
      encoders: seeds of one configuration.
      out: JSON file; default: in `EVALUATIONS` of the first encoder's run, or of `root` without one.

    Raises:
      ValueError, OSError: as `downstream.protocol`.
    """
    home = Path(encoders[0].name) if encoders else asked.root
    file = Path(out) if out else home / EVALUATIONS / f"{asked.name}.json"
    methods = functools.partial(
        compared_methods,
        encoders,
        protocol=asked.protocol,
        settings=asked.settings,
        beside=asked.beside,
        rival_seeds=asked.rival_seeds,
        store=home / EVALUATIONS / "features",
    )
    if asked.development:
        found = develop(asked.task, asked.root, methods, asked.subset)
        return _written(found, encoders, asked, file)
    seal = Seal(asked.openings, _identity(asked, encoders), asked.allow_retest, asked.allow_overlap)
    if not asked.task.sources:
        found = evaluate(asked.task, asked.root, methods, asked.subset, seal, encoders)
        return _written(found, encoders, asked, file)
    return _sources_written(
        other_sources(asked.task, asked.root, methods, asked.subset, seal, encoders), encoders, asked, file
    )


def _identity(asked: Asked, encoders: Sequence[Encoder]) -> dict[str, Any]:
    """What makes it the same run, whatever else was set."""
    return {
        "checkpoints": sorted(encoder.digest for encoder in encoders),
        "subset": dataclasses.asdict(asked.subset),
        "protocol": asked.protocol,
    }


def _written(found: Evaluation, encoders: Sequence[Encoder], asked: Asked, file: Path) -> Done:
    predictions = file.with_suffix(".parquet")
    write_predictions(predictions_of(found), predictions)  # first: a test may have been opened for them
    numbers = report(found, encoders, probe=asked.protocol)
    write_report(numbers, file)
    return Done(file, predictions, markdown(numbers), numbers)


def _sources_written(
    held_out: dict[str, Evaluation | None], encoders: Sequence[Encoder], asked: Asked, file: Path
) -> Done:
    """One file of all sources; a source without enough of any class has its predictions and no scores."""
    reports: dict[str, Report | None] = {}
    folder = file.with_suffix("")
    for source, found in held_out.items():
        reports[source] = None
        if found is None:
            continue
        write_predictions(predictions_of(found), folder / f"{source}.parquet")
        try:
            reports[source] = report(found, encoders, probe=asked.protocol)
        except ValueError as error:  # too few of every class: said, not hidden
            print(f"{source}: no scores: {error}", flush=True)
    write_report(reports, file)
    return Done(file, folder, transfer_markdown(reports), reports)
