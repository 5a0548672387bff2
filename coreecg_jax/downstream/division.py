"""What of a task's data is fitted, chosen by and asked about; nothing is in two of them."""

import dataclasses
from pathlib import Path

from coreecg_jax.downstream.cohorts import Cohort, read_cohort, without_shared
from coreecg_jax.downstream.provenance import require_no_recording_twice
from coreecg_jax.downstream.subsets import nested_fractions, only_leads
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.records.leads import LEADS


@dataclasses.dataclass(frozen=True)
class Subset:
    """How much of a task's data is used; all of it, unless told."""

    leads: tuple[str, ...] = LEADS  # of every recording, fitted or asked about
    fraction: float = 1.0  # of the labelled recordings that are fitted and chosen by
    repeat: int = 0  # seed of that fraction


def divided(
    root: Path | str, task: Task, subset: Subset, asked: Recordings | None
) -> tuple[Cohort, Cohort | None]:
    """What is fitted, and what it is chosen by: less what is asked about, and as little as `subset` says."""
    train = read_cohort(root, task.train, task.label_set, task.min_likelihood)
    validation = None
    if task.validation:
        validation = read_cohort(root, task.validation, train.label_set, task.min_likelihood)
    if validation is not None:
        require_no_recording_twice(train.recordings, validation.recordings, "train", "validation")
    if asked is not None:
        for name, cohort in (("train", train), ("validation", validation)):
            if cohort is not None:
                require_no_recording_twice(cohort.recordings, asked, name, "test")
        train = without_shared(train, asked)
        validation = validation and without_shared(validation, asked)
    if validation is not None:
        train = without_shared(train, validation.recordings)
    return _part(train, subset), validation and _part(validation, subset)


def _part(cohort: Cohort, subset: Subset) -> Cohort:
    cohort = labelled_part(cohort, subset)
    return dataclasses.replace(cohort, recordings=only_leads(cohort.recordings, subset.leads))


def labelled_part(cohort: Cohort, subset: Subset) -> Cohort:
    """The recordings of a fraction of the labels, all leads of them."""
    if subset.fraction == 1:
        return cohort
    return cohort.take(nested_fractions(cohort.labels, cohort.groups, subset.fraction, subset.repeat))


def unlabelled(recordings: Recordings) -> Recordings:
    """All that may be known of a test before it is opened."""
    none = ((),) * len(recordings)
    return dataclasses.replace(recordings, labels=none, likelihoods=none)
