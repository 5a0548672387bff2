"""Intervals of every metric from a bootstrap of patients, and differences on the same resamples.

Recordings of one patient are not independent: a resample draws patients, and each brings all of its
recordings. A resample is a row of counts (how often each recording is in it); what the metrics need is a sum
of counts over some recordings, so that everything else is worked out once for all resamples.

With `strata` (the folds of out-of-fold predictions) AUROC compares within a stratum only, see `scores`; the
other metrics have no such form and are of all predictions together.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from coreecg_jax.downstream.counted import (
    Statistics,
    calibration_statistics,
    rank_statistics,
    threshold_statistics,
)
from coreecg_jax.downstream.scatter import Drawn, scattered
from coreecg_jax.downstream.scores import (
    called_positive,
    mean_of_known,
    require_probabilities,
    require_scores,
    scored_classes,
)

METRICS = ("auroc", "auprc", "f1", "brier", "ece")

# Resamples at a time: the counts of 2,200 recordings then stay in the cache (2 MiB).
_CHUNK = 128


class Interval(NamedTuple):
    """A value with the 2.5 and 97.5 percentiles of its bootstrap; NaN where nothing can be computed."""

    value: float
    low: float
    high: float

    def within_bounds(self) -> "Interval":
        """Of a metric, which lies in [0, 1]: the scatter of runs knows no bounds."""
        return Interval(self.value, *np.clip(self[1:], 0.0, 1.0).tolist())


class Resampled(NamedTuple):
    """A statistic on the test set, and on every resample of it."""

    value: np.ndarray  # float (...)
    resamples: np.ndarray  # float (R, ...), NaN where a resample cannot tell

    def intervals(self) -> list[Interval]:
        """One interval for each number of `value` (flattened)."""
        columns = np.moveaxis(self.resamples, 0, -1).reshape(-1, len(self.resamples))
        return [_interval(value, column) for value, column in zip(self.value.ravel().tolist(), columns)]


class Metrics(NamedTuple):
    """Every metric (`METRICS`) of predictions, or of a method, or a difference of two methods."""

    classes: dict[str, Resampled]  # value (C,), resamples (R, C)
    macro: dict[str, Resampled]  # mean over the scored classes: value (), resamples (R,)


def patient_resamples(patients: np.ndarray, *, resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """How often each recording is in each resample of as many patients as there are; int (R, n).

    Args:
      patients: (n,), one name or number a recording.
    """
    unique, patient_of = np.unique(patients, return_inverse=True)
    drawn = np.random.default_rng(seed).integers(0, len(unique), (resamples, len(unique)))
    counts = np.stack([np.bincount(row, minlength=len(unique)) for row in drawn])
    return counts[:, patient_of]


def bootstrap_metrics(
    probabilities: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray,
    thresholds: np.ndarray | None,
    *,
    strata: np.ndarray | None = None,
    scored: np.ndarray | None = None,
) -> Metrics:
    """AUROC, average precision, F1, Brier score and calibration error, on the test set and every resample.

    The metrics are those of `scores`. The macro means are over the classes that are `scored`; in a resample
    that lacks a label of one of them, a metric that needs it (AUROC; for average precision and F1 the
    positives) does not count that class. Classes that are not scored still have their own values.

    The calibration error is an absolute value: noise within the bins can only raise it, and a resample has
    twice the noise of the test set. Its percentiles lie too high and can leave out even the value itself;
    judge by the Brier score, or by the difference of two methods, where much of this cancels.

    Args:
      probabilities: float (n, C).
      labels: bool (n, C).
      counts: (R, n) whole numbers, from `patient_resamples`.
      thresholds: (C,) or, from several fits, (n, C): for F1, from `thresholds.best_f1_thresholds`; None where
        they are not known, which leaves F1 out.
      strata: (n,), AUROC compares pairs within a stratum only.
      scored: bool (C,), the classes of the macro means; None: `scored_classes`, each recording a patient.

    Raises:
      ValueError: when shapes disagree, probabilities are not, a threshold is NaN or no class is scored.
    """
    require_probabilities(probabilities, labels)
    require_scores(probabilities, labels, counts)
    scored = scored_classes(labels) if scored is None else scored
    statistics = [rank_statistics(probabilities, labels, strata)]
    if thresholds is not None:
        statistics.append(threshold_statistics(labels, called_positive(probabilities, thresholds)))
    statistics.append(calibration_statistics(probabilities, labels))
    classes = _on_resamples(statistics, counts)
    return Metrics(classes, {name: _macro(each, scored) for name, each in classes.items()})


def mean_of_runs(runs: Sequence[Metrics], drawn: Sequence[Drawn]) -> Metrics:
    """The mean over the runs (seeds) of one method, of metrics and not of predictions: no ensemble.

    All must come from the same labels and counts. The resamples hold the scatter of what was drawn for the
    runs (`scatter`).

    Raises:
      ValueError: when there is no run.
    """
    if not runs:
        raise ValueError("bootstrap: expected the metrics of at least one run, got none")
    return _combined(lambda *each: _mean_of_runs(each, drawn), *runs)


def _mean_of_runs(runs: Sequence[Resampled], drawn: Sequence[Drawn]) -> Resampled:
    values, resamples = (np.stack(each) for each in zip(*runs, strict=True))
    return Resampled(values.mean(axis=0), scattered(values, resamples, drawn))


def difference(method: Metrics, other: Metrics) -> Metrics:
    """Every metric of one method minus that of another, paired: both from the same labels and counts.

    The interval of a difference of Brier scores or calibration errors below 0 says that the method is better.

    Raises:
      ValueError: when the two differ in classes or number of resamples.
    """
    return _combined(
        lambda ours, theirs: Resampled(ours.value - theirs.value, ours.resamples - theirs.resamples),
        method,
        other,
    )


def _on_resamples(statistics: Sequence[Statistics], counts: np.ndarray) -> dict[str, Resampled]:
    """The metrics on the test set (every recording once) and on every resample."""
    chunks = [np.ones((1, counts.shape[1])), *np.split(counts, range(_CHUNK, len(counts), _CHUNK))]
    parts: dict[str, list[np.ndarray]] = {}
    for chunk in chunks:
        counts_nR = np.ascontiguousarray(chunk.T, dtype=np.float64)
        for statistic in statistics:
            for name, each_CR in statistic(counts_nR).items():
                parts.setdefault(name, []).append(each_CR.T)
    joined = {name: np.concatenate(each) for name, each in parts.items()}
    return {name: Resampled(each[0], each[1:]) for name, each in joined.items()}


def _macro(classes: Resampled, scored: np.ndarray) -> Resampled:
    value = mean_of_known(classes.value[None, scored])[0]
    return Resampled(value, mean_of_known(classes.resamples[:, scored]))


def _combined(rule: Callable[..., Resampled], *methods: Metrics) -> Metrics:
    """Applies a rule to what several methods have in the same place.

    Raises:
      ValueError: when they differ in classes or resamples.
    """
    shapes = {each.classes["auroc"].resamples.shape for each in methods}
    if len(shapes) > 1:
        raise ValueError(
            f"bootstrap: expected metrics of the same resamples and classes, got (R, C) of {sorted(shapes)}"
        )
    return Metrics(
        *({name: rule(*(part[name] for part in parts)) for name in parts[0]} for parts in zip(*methods))
    )


def bootstrap_aurocs(
    scores: np.ndarray, labels: np.ndarray, counts: np.ndarray, strata: np.ndarray | None = None
) -> Resampled:
    """The AUROC of every class, on the test set and on every resample; value (C,).

    Of any finite scores, where `bootstrap_metrics` takes probabilities.

    Raises:
      ValueError: when shapes disagree or a score is not finite.
    """
    require_scores(scores, labels, counts)
    return _on_resamples((rank_statistics(scores, labels, strata),), counts)["auroc"]


def bootstrap_macro(
    runs: Sequence[np.ndarray],
    labels: np.ndarray,
    counts: np.ndarray,
    *,
    strata: Sequence[np.ndarray | None] | None = None,
    scored: np.ndarray | None = None,
    drawn: Sequence[Drawn] | None = None,
) -> Resampled:
    """Macro AUROC, averaged over the runs (seeds) of one method; a scalar value.

    The classes are those that are `scored`, bool (C,); None: `scored_classes`, each recording a patient. In a
    resample that lacks a label of one of them, that class does not count. Averages scores of runs, not their
    predictions: no ensemble. `strata`: (n,) of each run; None: of none. `drawn`: what was drawn for each run,
    whose scatter is in the resamples (`scatter`); None: nothing that is known.
    """
    scored = scored_classes(labels) if scored is None else scored
    each = [
        bootstrap_aurocs(run[:, scored], labels[:, scored], counts, fold)
        for run, fold in zip(runs, strata or [None] * len(runs), strict=True)
    ]
    values = np.concatenate([mean_of_known(run.value[None]) for run in each])
    resamples = np.stack([mean_of_known(run.resamples) for run in each])
    return Resampled(values.mean(axis=0), scattered(values, resamples, drawn or [{}] * len(values)))


def paired_difference(
    runs: Sequence[np.ndarray],
    other_runs: Sequence[np.ndarray],
    labels: np.ndarray,
    counts: np.ndarray,
    *,
    strata: tuple[Sequence[np.ndarray | None] | None, Sequence[np.ndarray | None] | None] = (None, None),
    scored: np.ndarray | None = None,
    drawn: tuple[Sequence[Drawn] | None, Sequence[Drawn] | None] = (None, None),
) -> Interval:
    """Macro AUROC of one method minus that of another on the same resamples.

    `strata` and `drawn` are those of the runs of both, `scored` is as of `bootstrap_macro`.
    """
    ours, theirs = (
        bootstrap_macro(each, labels, counts, strata=folds, scored=scored, drawn=levels)
        for each, folds, levels in zip((runs, other_runs), strata, drawn, strict=True)
    )
    return _interval(float(ours.value - theirs.value), ours.resamples - theirs.resamples)


def _interval(value: float, resamples: np.ndarray) -> Interval:
    known = resamples[~np.isnan(resamples)]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size else (np.nan, np.nan)
    return Interval(value, float(low), float(high))
