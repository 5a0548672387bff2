"""Every number of an evaluation, with what it rests on, and all predictions; `result_files` writes them."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from coreecg_jax.downstream.bootstrap import (
    METRICS,
    Metrics,
    Resampled,
    bootstrap_metrics,
    difference,
    mean_of_runs,
    patient_resamples,
)
from coreecg_jax.downstream.cohorts import Cohort
from coreecg_jax.downstream.drawn_runs import drawn_of
from coreecg_jax.downstream.features import first_windows
from coreecg_jax.downstream.macro_classes import macro_classes, unlearnable
from coreecg_jax.downstream.methods import BESIDE, COMPARISONS, Encoder
from coreecg_jax.downstream.outcomes import Outcome
from coreecg_jax.downstream.pairs import few_pairs
from coreecg_jax.downstream.predictions import Predictions
from coreecg_jax.downstream.pretrained_on import Exposure
from coreecg_jax.downstream.protocol import Evaluation
from coreecg_jax.downstream.provenance import DATA_RULE, code, digest_of_data, digest_of_names, versions
from coreecg_jax.downstream.result_files import UNSCORED, Report
from coreecg_jax.downstream.same_run import training_of
from coreecg_jax.downstream.scores import MIN_POSITIVES
from coreecg_jax.downstream.shared_patient_ids import shared_patient_ids
from coreecg_jax.downstream.subsets import has_signal
from coreecg_jax.downstream.transfer import transfer
from coreecg_jax.downstream.vocabularies import never_named, unannotated
from coreecg_jax.records.label_sets import CODES

RESAMPLES = 1000


def report(
    evaluation: Evaluation, encoders: Sequence[Encoder], *, probe: str = "linear", seed: int = 0
) -> Report:
    """Every number of an evaluation, ready for `json.dumps`; an unknown number is None.

    Args:
      evaluation: what was predicted.
      encoders: the training runs compared.
      probe: the protocol by which they are.
      seed: of the bootstrap.

    Raises:
      ValueError: when no class has enough positives and negatives in the test set.
    """
    left_out = [name for name in BESIDE.values() if name not in evaluation.methods and encoders]
    scored = macro_classes(_asked(evaluation), evaluation.train)
    return {
        "task": dataclasses.asdict(evaluation.task),
        "subset": dataclasses.asdict(evaluation.subset),
        "protocol": _protocol(evaluation),
        "probe": probe,
        "f1_thresholds": _thresholds(evaluation),
        "incomplete_without": left_out,
        "train": _cohort(evaluation.train) | _sizes_fitted(evaluation),
        "validation": None if evaluation.validation is None else _cohort(evaluation.validation),
        "test": None if evaluation.test is None else _cohort(evaluation.test),
        "opening": None if evaluation.opening is None else evaluation.opening._asdict(),
        "development": None if evaluation.development is None else evaluation.development._asdict(),
        "pretrained_on_test": {
            name: None if found is None else _exposure(found)
            for name, found in evaluation.pretrained_on.items()
        },
        "patient_ids_in_both": _patient_ids_in_both(evaluation),
        "unannotated": unannotated(evaluation.train, scored),
        "never_named": never_named(evaluation.train, scored),
        "methods": {
            name: [_fitted(run, scored) for run in runs] for name, runs in evaluation.methods.items()
        },
        "label_set": _label_set(evaluation.train, evaluation.task.min_likelihood),
        "encoders": [_encoder(encoder) for encoder in encoders],
        "digests": _digests(evaluation),
        "preprocessing": dataclasses.asdict(evaluation.preprocessing),
        "versions": versions(),
        **_scores(evaluation, encoders, scored, seed),
    }


def predictions_of(evaluation: Evaluation) -> Predictions:
    """All predictions that are scored, with the recordings they are of."""
    asked = next(iter(evaluation.methods.values()))[0].asked
    cohort = _asked(evaluation)
    return Predictions(
        classes=cohort.classes,
        label_set=f"{cohort.label_set.name} {cohort.label_set.version}",
        recordings=cohort.recording_ids,
        patients=cohort.patients,
        groups=asked.groups,
        folds={name: {run.name: run.asked.fold for run in runs} for name, runs in evaluation.methods.items()},
        labels=asked.labels,
        methods={
            name: {run.name: run.asked.probabilities for run in runs}
            for name, runs in evaluation.methods.items()
        },
        thresholds={
            name: {run.name: run.thresholds for run in runs} for name, runs in evaluation.methods.items()
        },
    )


def _asked(evaluation: Evaluation) -> Cohort:
    """Whose predictions are scored."""
    return evaluation.test or evaluation.validation or evaluation.train


def _protocol(evaluation: Evaluation) -> str:
    if evaluation.test is None:
        where = "on validation" if evaluation.validation else "out of fold in the training set"
        return f"development: {where}, test not read"
    return "nested cross-validation" if evaluation.task.test is None else "sealed test"


def _thresholds(evaluation: Evaluation) -> str:
    """How F1 thresholds were chosen; another rule needs other words, as only equal words are paired."""
    rule = _threshold_rule(evaluation)
    return rule if evaluation.train.annotated is None else f"{rule}, by the sources that have the class"


def _threshold_rule(evaluation: Evaluation) -> str:
    if evaluation.validation is not None:
        return "best F1 on validation"
    if evaluation.test is None:
        return "best F1 of the predictions of the other folds"
    nested = evaluation.task.test is None
    return "best F1 of what was held out in " + ("the other folds" if nested else "the training set")


def _cohort(cohort: Cohort) -> Report:
    return {
        "recordings": len(cohort.labels),
        "patients": len(np.unique(cohort.groups)),
        "dropped_without_label": cohort.unlabelled,
        "dropped_shared_with_test": cohort.shared,
        "dropped_without_signal": cohort.leadless,
        "without_signal": int((~has_signal(cohort.recordings)).sum()),  # asked about, never fitted
        "positives": dict(zip(cohort.classes, cohort.labels.sum(axis=0).tolist(), strict=True)),
        "read_with_class_at_any_likelihood": dict(zip(cohort.classes, cohort.any_likelihood, strict=True)),
    }


def _exposure(found: Exposure) -> Report:
    return found._asdict() | {"ids_in_both": tuple(shared._asdict() for shared in found.ids_in_both)}


def _patient_ids_in_both(evaluation: Evaluation) -> list[Report]:
    """Of two data sets, of which one is fitted or chosen by and the other asked about."""
    asked = _asked(evaluation)
    fitted = evaluation.train.patients.tolist()
    if evaluation.validation is not None and evaluation.test is not None:
        fitted += evaluation.validation.patients.tolist()
    return [shared._asdict() for shared in shared_patient_ids(fitted, asked.patients.tolist())]


def _sizes_fitted(evaluation: Evaluation) -> Report:
    """Where nested: recordings that each outer fold was fitted and chosen by, the same for all methods."""
    fitted = next(iter(evaluation.methods.values()))[0].fitted
    return {"fitted": list(fitted)} if fitted else {}


def _label_set(cohort: Cohort, min_likelihood: float) -> Report:
    """Which classes in which order, whence, and what counted."""
    known = cohort.label_set
    return {
        "name": known.name,
        "version": known.version,
        "source": known.source,
        "classes": list(known.classes),
        "min_likelihood": min_likelihood,
        "complete": known.complete,
        **(_codes_left_out(cohort) if known.name == CODES else {}),
    }


def _codes_left_out(cohort: Cohort) -> Report:
    """Codes that too few recordings have or lack for a class; recordings without another are all negative."""
    codes = Counter(
        code
        for labels in first_windows(cohort.recordings).labels
        for code in set(labels).difference(cohort.classes)
    )
    return {"codes_left_out": dict(codes.most_common()), "without_class": int((~cohort.labels.any(1)).sum())}


def _encoder(encoder: Encoder) -> Report:
    names = "name", "step", "seed", "crop_seconds", "pooling", "trained_on", "digest"
    files = {"bundle": dict(encoder.bundle), "data_digests": dict(encoder.data_digests)}
    return {name: getattr(encoder, name) for name in names} | files | {"training": training_of(encoder)}


def _digests(evaluation: Evaluation) -> Report:
    """Of data and split; those of the checkpoints stand with the encoders."""
    parts = {"train": evaluation.train, "validation": evaluation.validation, "test": evaluation.test}
    known = {name: cohort for name, cohort in parts.items() if cohort is not None}
    return {
        "data": {name: digest_of_data(cohort.recordings) for name, cohort in known.items()},
        "data_rule": DATA_RULE,
        "split": {name: digest_of_names(cohort.recording_ids) for name, cohort in known.items()},
        "code": code(),
    }


def _fitted(run: Outcome, scored: np.ndarray) -> Report:
    moved = transfer(run, scored)
    return {
        "run": run.name,
        "chosen": list(run.chosen),
        "validation_macro_auroc": run.validation_score,
        "transfer": None if moved is None else moved._asdict(),
    }


def _scores(evaluation: Evaluation, encoders: Sequence[Encoder], scored: np.ndarray, seed: int) -> Report:
    """Everything that needs the labels that are asked about; macro means of the classes that are `scored`."""
    cohort = _asked(evaluation)
    counts = patient_resamples(cohort.groups, resamples=RESAMPLES, seed=seed)
    metrics = {
        name: [_metrics(run, scored, counts) for run in runs] for name, runs in evaluation.methods.items()
    }
    known = [{"name": encoder.name, "seed": encoder.seed} for encoder in encoders]
    means = {
        name: mean_of_runs(runs, drawn_of(name, [run.name for run in evaluation.methods[name]], known))
        for name, runs in metrics.items()
    }
    differences = [
        {"method": a, "reference": b, **_macro(difference(means[a], means[b]), bounded=False)}
        for a, b in COMPARISONS
        if a in means and b in means
    ]
    return {
        "bootstrap": {"resamples": RESAMPLES, "seed": seed, "unit": "patient", "percentiles": [2.5, 97.5]},
        "min_positives": MIN_POSITIVES,
        "macro_classes": [name for name, is_scored in zip(cohort.classes, scored) if is_scored],
        "unlearnable": unlearnable(cohort, evaluation.train),
        "scores": {
            name: {
                **_macro(means[name]),
                "runs": [
                    {"run": run.name, **_macro(each), "classes": _classes(each, cohort.classes)}
                    for run, each in zip(evaluation.methods[name], runs, strict=True)
                ],
            }
            for name, runs in metrics.items()
        },
        "differences": differences,
        "few_pairs": _few_pairs(evaluation, cohort.classes, scored),
    }


def _few_pairs(evaluation: Evaluation, classes: Sequence[str], scored: np.ndarray) -> Report:
    """Scored class -> on how little its AUROC rests; whatever is out of fold has the same folds."""
    asked = [run.asked for runs in evaluation.methods.values() for run in runs]
    judged = next((each for each in asked if each.fold is not None), asked[0])
    found = zip(classes, few_pairs(judged), scored, strict=True)
    return {name: few._asdict() for name, few, is_scored in found if few and is_scored}


def _metrics(run: Outcome, scored: np.ndarray, counts: np.ndarray) -> Metrics:
    asked = run.asked
    return bootstrap_metrics(
        asked.probabilities, asked.labels, counts, run.thresholds, strata=asked.fold, scored=scored
    )


def _macro(metrics: Metrics, *, bounded: bool = True) -> Report:
    """'macro_auroc' and its like -> interval; of a difference not bounded."""
    return {f"macro_{name}": _numbers(metrics.macro[name], name, bounded)[0] for name in METRICS}


def _classes(metrics: Metrics, classes: Sequence[str]) -> Report:
    """Class -> metric -> interval."""
    columns = {name: _numbers(metrics.classes[name], name) for name in METRICS}
    return {label: {name: columns[name][number] for name in METRICS} for number, label in enumerate(classes)}


def _numbers(resampled: Resampled, metric: str, bounded: bool = True) -> list[dict[str, float | None]]:
    intervals = [each.within_bounds() if bounded else each for each in resampled.intervals()]
    numbers = [
        {name: float(x) if np.isfinite(x) else None for name, x in interval._asdict().items()}
        for interval in intervals
    ]
    if metric == "ece":  # resamples are worse calibrated than what they come from: no interval (`bootstrap`)
        numbers = [each | {"low": None, "high": None} for each in numbers]
    return numbers


def unscored(error: ValueError, encoders: Sequence[Encoder]) -> Report:
    """What stands for a report where a source could not be scored: why, and who was asked."""
    return {UNSCORED: str(error), "encoders": [_encoder(encoder) for encoder in encoders]}
