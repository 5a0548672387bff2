"""Two results on disk are compared on the same recordings, or refused."""

import functools
import json

import numpy as np
import pytest

from coreecg_jax.downstream import comparison
from coreecg_jax.downstream.bootstrap import paired_difference, patient_resamples
from coreecg_jax.downstream.methods import PRETRAINED, RIVAL
from coreecg_jax.downstream.predictions import Predictions, write_predictions
from coreecg_jax.downstream.scores import macro_auroc

CLASSES = ("NORM", "MI", "HYP")
GROUPS = np.arange(80) // 2
# What is shown of a result; the rest is not looked at.
NUMBERS = {
    "task": {"name": "made"},
    "protocol": "sealed test",
    "probe": "linear",
    "subset": {"leads": ["I"] * 12, "fraction": 1.0, "repeat": 0},
    "opening": {"number_by_run": 1, "number_by_all": 3},
    "pretrained_on_test": {},
    "incomplete_without": [],
    **{name: {} for name in ("train", "test", "methods", "scores")},
}


def made_predictions():
    rng = np.random.default_rng(0)
    labels = rng.random((80, 3)) < (0.5, 0.3, 0.0)
    labels[:3, 2] = True  # too few for the macro mean

    def runs(*qualities):
        each = [(quality * labels + rng.random(labels.shape)) / (1 + quality) for quality in qualities]
        return {f"run {number}": probabilities for number, probabilities in enumerate(each)}

    methods = {PRETRAINED: runs(0.8), RIVAL: runs(0.2, 0.3)}
    thresholds = {name: {run: np.full((80, 3), 0.5) for run in each} for name, each in methods.items()}
    names = np.array([f"made/r{number}" for number in range(80)])
    folds = {name: dict.fromkeys(each) for name, each in methods.items()}
    return Predictions(CLASSES, names, names, GROUPS, folds, labels, methods, "made 1", thresholds)


@pytest.fixture
def result(tmp_path):
    """Writes a result `NAME.json`, its predictions changed by some function."""

    def write(name, change=lambda predictions: predictions, **others):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(NUMBERS | others))
        write_predictions(change(made_predictions()), file.with_suffix(".parquet"))
        return str(file)

    return write


def rows(order, predictions):
    """The predictions of some recordings, in some order."""
    pick = {
        name: getattr(predictions, name)[order] for name in ("recordings", "patients", "groups", "labels")
    }
    picked = [
        {method: {run: each[order] for run, each in runs.items()} for method, runs in part.items()}
        for part in (predictions.methods, predictions.thresholds)
    ]
    return predictions._replace(**pick, methods=picked[0], thresholds=picked[1])


def compare(*files, methods=(PRETRAINED,)):
    return comparison.compared(*comparison.read_pair(files, methods))


def test_differences_are_on_the_same_resamples_whatever_the_order_of_rows(result):
    shuffled = functools.partial(rows, np.random.default_rng(0).permutation(80))
    files = result("a"), result("b", shuffled)
    found = compare(*files, methods=(PRETRAINED, RIVAL))
    predictions = made_predictions()
    runs = (list(predictions.methods[method].values()) for method in (PRETRAINED, RIVAL))
    kernels = [{"kernels": name} for name in predictions.methods[RIVAL]]
    expected = paired_difference(*runs, predictions.labels, patient_resamples(GROUPS), drawn=(None, kernels))
    np.testing.assert_allclose(found.difference.macro["auroc"].intervals()[0], expected, atol=1e-12)
    lines = comparison.markdown(found).splitlines()
    said = "made: linear probe (sealed test). The labels of this test were opened 3 times so far."
    assert lines[0].strip() == f"A: {PRETRAINED} of {files[0]}, {said}"
    assert lines[1].strip() == f"B: {RIVAL}, mean of 2 runs of {files[1]}, {said}"
    assert lines[2] == "80 recordings of 40 patients."
    change = f"{expected.value:+.3f} [{expected.low:+.3f}, {expected.high:+.3f}]"
    assert next(line for line in lines if line.startswith("| AUROC")).endswith(f"| {change} |")
    counts = made_predictions().labels.sum(axis=0)
    starts = [f"| {name} | {count} |" for name, count in zip(("NORM", "MI", "(HYP)"), counts)]
    assert [line[: len(start)] for line, start in zip(lines[-5:-2], starts, strict=True)] == starts


def test_a_result_is_not_better_than_itself(result):
    found = compare(result("a"), result("b")).difference
    assert all(not each.resamples.any() for each in found.macro.values())


def test_auroc_compares_within_the_folds_of_its_own_method(result):
    fold = np.arange(80) % 4

    def folded(predictions):  # neighbours have no folds, the linear rival has
        return predictions._replace(
            folds=predictions.folds | {RIVAL: dict.fromkeys(("run 0", "run 1"), fold)}
        )

    file = result("a", folded)
    found, made = compare(file, file, methods=(PRETRAINED, RIVAL)), made_predictions()
    for metrics, method, strata in zip(found.metrics, (PRETRAINED, RIVAL), (None, fold), strict=True):
        each = [macro_auroc(p, made.labels, strata=strata) for p in made.methods[method].values()]
        assert metrics.macro["auroc"].value == pytest.approx(np.mean(each), abs=1e-12)


def without_thresholds(predictions):
    return predictions._replace(thresholds=None)


def test_results_of_before_have_no_f1(result):
    text = comparison.markdown(compare(result("a"), result("b", without_thresholds)))
    assert "| F1 |" not in text
    assert "| AUPRC |" in text
    assert "No F1: a result of before has no thresholds." in text


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"f1_thresholds": "x"}, {"f1_thresholds": "x"}, ""),
        ({"f1_thresholds": "x"}, {"f1_thresholds": "y"}, "thresholds were chosen otherwise: x / y"),
        ({}, {"f1_thresholds": "x"}, "thresholds were chosen otherwise: not said (a result of before) / x"),
        ({"digests": {"code": "one"}}, {"digests": {"code": "one"}}, ""),
        ({}, {}, "results of before do not say how thresholds were chosen, nor"),
        (
            {"digests": {"code": "one"}},
            {"digests": {"code": "other"}},
            "results of before do not say how thresholds were chosen, nor",
        ),
    ],
)
def test_f1_is_compared_by_one_rule_of_thresholds_alone(result, first, second, said):
    text = comparison.markdown(compare(result("a", **first), result("b", **second)))
    assert ("| F1 |" in text) == (not said)
    assert (f"No F1: {said}" in text) == bool(said)
    assert "| Brier |" in text


def test_that_another_version_of_the_code_chose_is_said(result):
    def of(digest):
        return {"code": {"digest": digest * 64, "commit": digest * 40}}

    one, same, other = (result(name, digests=of(code)) for name, code in ("aa", "ba", "cc"))
    said = "**These results are not of one version of the code**: code aaaaaaaa, commit aaaaaaaa: A; code ccc"
    assert said in comparison.markdown(compare(one, other))
    assert "one version of the code" not in comparison.markdown(compare(one, same))


def test_folds_that_were_dealt_otherwise_are_said(result):
    def folded(fold, predictions):
        return predictions._replace(folds=predictions.folds | {PRETRAINED: {"run 0": fold}})

    by_four, by_five = (functools.partial(folded, np.arange(80) % count) for count in (4, 5))
    said = "The folds of the two are not the same"
    for change, told in ((by_four, False), (by_five, True), (lambda predictions: predictions, False)):
        assert (said in comparison.markdown(compare(result("a", by_four), result("b", change)))) == told


RULE = {"data_rule": "samples"}
DATA = {"train": "a", "test": "b"}
FEWER = {"leads": ["I", "II"], "fraction": 1.0, "repeat": 0}
NOT_TOLD = "Whether these recordings were prepared alike cannot be told: a result of before has no digest"


@pytest.mark.parametrize(
    ("digests", "others", "said"),
    [
        (RULE | {"data": DATA}, {}, ""),
        (
            RULE | {"data": DATA | {"test": "c"}},
            {},
            "The data of the two are not the same (test): recordings",
        ),
        (RULE | {"data": DATA | {"train": "c"}}, {}, "The data of the two are not the same (train): "),
        (RULE | {"data": {"train": "c", "test": "b"}}, {"task": {"name": "other"}}, ""),
        (RULE | {"data": {"train": "c", "test": "d"}}, {"task": {"name": "other"}}, "not the same (test): "),
        (RULE | {"data": {"train": "c", "test": "d"}}, {"subset": FEWER}, ""),  # leads are what is compared
        ({"data": {"train": "c", "test": "d"}}, {}, NOT_TOLD),
        ({}, {}, NOT_TOLD),
    ],
)
def test_data_that_are_not_known_to_be_the_same_are_said(result, digests, others, said):
    first = result("a", digests=RULE | {"data": DATA})
    text = comparison.markdown(compare(first, result("b", digests=digests, **others)))
    assert said in text
    assert ("The data of the two" in text, NOT_TOLD in text) == ("not the same" in said, said == NOT_TOLD)
    assert "| AUROC |" in text


def of_other_labels(predictions):
    labels = predictions.labels.copy()
    labels[:3, 0] ^= True
    return predictions._replace(labels=labels)


@pytest.mark.parametrize(
    ("change", "others", "said"),
    [
        (
            functools.partial(rows, np.arange(70)),
            {},
            "test sets differ: of 80 and 70 recordings 70 are in both",
        ),
        (of_other_labels, {}, "labels differ in 3 of 80 recordings"),
        (
            lambda p: p._replace(classes=p.classes[::-1]),
            {},
            "orders of labels differ: NORM, MI, HYP / ",
        ),
        (lambda p: p._replace(classes=("X", *p.classes[1:])), {}, "classes differ: NORM, X in one only"),
        (
            lambda p: p._replace(label_set="made 2"),
            {},
            "label sets differ: made 1 / made 2",
        ),
        (lambda p: p, {"protocol": "nested"}, "protocols differ: sealed test / nested"),
    ],
)
def test_what_is_not_about_the_same_is_refused_by_name(result, change, others, said):
    with pytest.raises(ValueError, match=rf"a\.json and .*b\.json cannot be compared, their .*{said}"):
        compare(result("a"), result("b", change, **others))


def test_mistakes_are_told(result, tmp_path):
    file = result("a")
    with pytest.raises(ValueError, match=r"expected two results, JSON files of launch\.evaluate, got 1"):
        compare(file)
    with pytest.raises(ValueError, match=r"no method 'x'; name one of pretrained, random convolutions by"):
        compare(file, file, methods=("x",))
    with pytest.raises(ValueError, match="--methods: expected one method for both or one for each, got 3"):
        compare(file, file, methods=("a", "b", "c"))
    other = result("other", predictions="0" * 64)
    with pytest.raises(ValueError, match=r"other\.parquet: expected the predictions of .*other\.json"):
        compare(file, other)
    (tmp_path / "other.parquet").unlink()
    with pytest.raises(FileNotFoundError, match="no predictions at"):
        compare(file, other)


def test_who_is_one_patient_in_either_result_is_one(result):
    def joined(predictions):
        return predictions._replace(groups=np.where(predictions.groups == 1, 0, predictions.groups))

    assert compare(result("a"), result("b", joined)).patients == 39
