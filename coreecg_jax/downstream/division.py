"""What of a task's data is fitted, chosen by and asked about; nothing is in two of them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from coreecg_jax.downstream.cohorts import Cohort, apart, read_cohort
from coreecg_jax.downstream.provenance import require_no_recording_twice
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.downstream.subsets import has_signal, nested_fractions, only_leads
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.downstream.vocabularies import with_vocabularies
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.records.leads import LEADS


@dataclasses.dataclass(frozen=True)
class Subset:
    """How much of a task's data is used; all of it, unless told."""

    leads: tuple[str, ...] = LEADS  # of every recording, fitted or asked about
    fraction: float = 1.0  # of the labelled recordings that are fitted and chosen by
    repeat: int = 0  # seed of that fraction


def divided(
    root: Path | str,
    task: Task,
    subset: Subset,
    asked: Recordings | None,
    part: Callable[[Cohort, Subset], Cohort] | None = None,
) -> tuple[Cohort, Cohort | None]:
    """What is fitted, and what it is chosen by: less what is asked about, and the `part` that `subset` says.

    Raises:
      TooFewRecordings: when no recording has signal in the leads.
    """
    part = part or fitted_part
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
    train, validation = apart(train, validation, asked)
    if task.by_vocabulary:
        train, validation = with_vocabularies(train, validation)
    return part(train, subset), validation and part(validation, subset)


def fitted_part(cohort: Cohort, subset: Subset) -> Cohort:
    """The leads of a fraction of the labels, without recordings that have no signal in any of the leads.

    Raises:
      TooFewRecordings: when none has.
    """
    cohort = with_leads(labelled_part(cohort, subset), subset)
    known = has_signal(cohort.recordings)
    if not known.any():
        raise TooFewRecordings(
            f"--leads: expected recordings with signal in {', '.join(subset.leads)}, but none of the "
            f"{len(known)} to be fitted has any there: name other leads"
        )
    if known.all():
        return cohort
    return dataclasses.replace(cohort.take(known), leadless=int((~known).sum()))


def with_leads(cohort: Cohort, subset: Subset) -> Cohort:
    """All of the recordings, by the leads of the subset alone."""
    return dataclasses.replace(cohort, recordings=only_leads(cohort.recordings, subset.leads))


def labelled_part(cohort: Cohort, subset: Subset) -> Cohort:
    """The recordings of a fraction of the labels, all leads of them."""
    if subset.fraction == 1:
        return cohort
    drawn = cohort.take(nested_fractions(cohort.labels, cohort.groups, subset.fraction, subset.repeat))
    return dataclasses.replace(drawn, drawn_from=tuple(cohort.labels.sum(axis=0).tolist()))


def unlabelled(recordings: Recordings) -> Recordings:
    """All that may be known of a test before it is opened."""
    none = ((),) * len(recordings)
    return dataclasses.replace(recordings, labels=none, likelihoods=none)
