"""The sealed test: what is read when, and what may not be looked at."""

import dataclasses
import json

import made_cohorts
import numpy as np
import pytest
from made_cohorts import made_recordings
from made_tasks import NESTED, TASK, VALIDATED, joined, lead_powers, two_methods

from coreecg_jax.downstream import cohorts, fits, outcomes, protocol, results, tables
from coreecg_jax.downstream.cohorts import apart, read_cohort
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.fits import Fitted, linear, neighbours
from coreecg_jax.downstream.folds import patient_folds
from coreecg_jax.downstream.judged import Judged
from coreecg_jax.downstream.log_of_openings import OPENING
from coreecg_jax.downstream.methods import PRETRAINED, RIVAL, SCRATCH, UNTRAINED, Run
from coreecg_jax.downstream.openings import FILE
from coreecg_jax.downstream.pretrained_on import Exposure
from coreecg_jax.downstream.protocol import develop, evaluate, other_sources
from coreecg_jax.downstream.table_notes import OUT_OF_FOLD
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.downstream.thresholds import best_f1_thresholds
from coreecg_jax.records.label_sets import CODES
from coreecg_jax.records.leads import LEADS


def test_patients_and_signals_of_the_test_leave_the_training_set(data, ask):
    sets, _ = data
    patients = sets["train"].patient_id.astype("U8")
    patients[3] = "p1007"
    hashes = sets["train"].signal_hash.astype("U8")
    hashes[[5, 9]] = "h1001", "h1002"
    sets["train"] = dataclasses.replace(sets["train"], patient_id=patients, signal_hash=hashes)
    train = read_cohort("root", "train", "ptbxl_superclass")
    kept = apart(train, None, sets["test"])[0]
    assert kept.shared == 3
    assert sorted({"r3", "r5", "r9"} | set(kept.recordings.recording_id)) == sorted(
        train.recordings.recording_id
    )
    evaluation = ask(TASK)
    assert evaluation.train.shared == 3
    assert results.report(evaluation, [])["train"]["dropped_shared_with_test"] == 3
    with pytest.raises(ValueError, match="all 120 recordings to be fitted on share"):
        apart(train, None, sets["train"])


def test_a_planted_leak_is_refused(data, ask):
    sets, _ = data
    sets["test"] = joined(sets["test"], sets["train"].take([7]))
    with pytest.raises(ValueError, match="train and test share 1 of 81 recordings"):
        ask(TASK)
    sets["validation"] = joined(sets["validation"], sets["train"].take([7]))
    with pytest.raises(ValueError, match="train and validation share 1 of 61 recordings"):
        ask(VALIDATED)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("task", [TASK, VALIDATED, NESTED])
def test_what_thresholds_need_fails_before_the_test_is_opened(ask, seal, monkeypatch, task):
    def fails(*_):
        raise RuntimeError("thresholds")

    monkeypatch.setattr(outcomes, "best_f1_thresholds", fails)
    with pytest.raises(RuntimeError, match="thresholds"):
        ask(task)
    assert not seal.log.is_file() or OPENING not in seal.log.read_text()


@pytest.mark.parametrize("task", [TASK, VALIDATED])
def test_test_labels_change_no_prediction_and_no_choice(data, ask, task):
    sets, _ = data
    before = ask(task)
    shuffled = [sets["test"].labels[row] for row in np.random.default_rng(0).permutation(80)]
    sets["test"] = dataclasses.replace(sets["test"], labels=tuple(shuffled))
    after = ask(task)
    assert not np.array_equal(before.test.labels, after.test.labels)
    assert before.opening.predictions == after.opening.predictions
    for name in (PRETRAINED, RIVAL):
        for one, other in zip(before.methods[name], after.methods[name], strict=True):
            np.testing.assert_array_equal(one.asked.probabilities, other.asked.probabilities)
            np.testing.assert_array_equal(one.thresholds, other.thresholds)
            assert (one.chosen, one.validation_score) == (other.chosen, other.validation_score)


def test_everything_is_predicted_and_written_down_before_the_test_labels_are_read(data, seal, monkeypatch):
    _, read = data
    label_matrix, open_once = cohorts.label_matrix, protocol.open_once

    def fitting(blocks):
        fit = linear(blocks)

        def logged(*args):
            read.append("fit")
            fitted = fit(*args)
            return fitted._replace(predict=lambda asked: (read.append("predict"), fitted.predict(asked))[1])

        return logged

    def logged_matrix(label_set, labels, *rest):
        read.append("labels")
        return label_matrix(label_set, labels, *rest)

    def logged_opening(*args, **kwargs):
        read.append("open")
        return open_once(*args, **kwargs)

    monkeypatch.setattr(cohorts, "label_matrix", logged_matrix)
    monkeypatch.setattr(protocol, "open_once", logged_opening)
    seen = []

    def make(preprocessing):
        return {PRETRAINED: (Run("run", fitting([lambda r: (seen.append(r.labels), lead_powers(r))[1]])),)}

    evaluate(TASK, "root", make, Subset(), seal)
    # The first readings of the test give signals only: no labels are turned into classes.
    assert read == ["test", "test", "train", "labels", "fit", "predict", "open", "test", "labels"]
    assert seen[-1] == ((),) * 80  # what predicts is not even handed the codes


def test_the_test_is_opened_once_by_a_run(data, seal):
    del data
    first = evaluate(TASK, "root", two_methods, Subset(), seal)
    assert (first.opening.number_by_run, first.opening.number_by_all) == (1, 1)
    with pytest.raises(ValueError, match=r"opened this test set once before.*--allow_retest"):
        evaluate(TASK, "root", two_methods, Subset(), seal)
    other = evaluate(TASK, "root", two_methods, Subset(), dataclasses.replace(seal, identity={"run": 2}))
    assert (other.opening.number_by_run, other.opening.number_by_all) == (1, 2)
    again = evaluate(TASK, "root", two_methods, Subset(), dataclasses.replace(seal, allow_retest=True))
    assert (again.opening.number_by_run, again.opening.number_by_all) == (2, 3)
    assert "**2 times by this run**" in tables.markdown(results.report(again, []))


def test_a_log_that_is_not_beside_the_data_is_said(data, seal, tmp_path):
    del data
    elsewhere = results.report(evaluate(TASK, "root", two_methods, Subset(), seal), [])
    assert f"**Counted in {seal.log}, not in the log beside the data" in tables.markdown(elsewhere)
    beside = dataclasses.replace(seal, log=tmp_path / FILE)
    numbers = results.report(evaluate(TASK, tmp_path, two_methods, Subset(), beside), [])
    assert "Counted in" not in tables.markdown(numbers)
    before = {name: value for name, value in elsewhere["opening"].items() if name != "log"}
    assert "Counted in" not in tables.markdown(elsewhere | {"opening": before})


def test_development_never_opens_the_test(data, seal):
    _, read = data
    evaluation = develop(TASK, "root", two_methods, Subset(), seal)
    assert read == ["train"]
    assert evaluation.test is None
    numbers = results.report(evaluation, [])
    assert numbers["f1_thresholds"] == "best F1 of the predictions of the other folds"
    text = tables.markdown(numbers)
    assert text.endswith(OUT_OF_FOLD)
    assert "test not read" in text
    assert "thresholds chosen in the other folds." in text
    assert "What the encoders saw of these recordings in pretraining was not looked at." in text
    assert numbers["scores"][PRETRAINED]["macro_auroc"]["value"] > 0.9
    assert [json.loads(line)["kind"] for line in seal.log.read_text().splitlines()] == ["development"]
    validated = results.report(develop(VALIDATED, "root", two_methods, Subset(), seal), [])
    assert validated["protocol"].startswith("development: on validation")
    assert validated["f1_thresholds"] == "best F1 on validation"
    said = "thresholds chosen on the recordings that are scored, so too high"
    assert said in tables.markdown(validated)
    assert OUT_OF_FOLD not in tables.markdown(validated)
    assert sum(validated["validation"]["positives"].values()) == 60
    with pytest.raises(ValueError, match="all of it is test"):
        develop(NESTED, "root", two_methods, Subset(), seal)


def test_in_development_what_holds_recordings_out_is_scored_on_the_same_ones(data, seal):
    data[0]["train"] = made_recordings(300)

    def holding_out(train, validation):
        """As gradient descent does: a fifth of the patients chooses."""
        held_out = patient_folds(train.groups, train.labels, seed=fits.HELD_OUT_SEED) == 0
        assert validation is None
        return linear([lead_powers])(train.take(~held_out), train.take(held_out))

    def methods_of(preprocessing):
        others = {
            UNTRAINED: (Run("held out", holding_out),),
            SCRATCH: (Run("near", neighbours(lead_powers)),),
        }
        return {**two_methods(preprocessing), **others}

    evaluation = develop(TASK, "root", methods_of, Subset(), seal)
    outcome, whole = evaluation.methods[UNTRAINED][0], evaluation.methods[PRETRAINED][0]
    np.testing.assert_array_equal(outcome.asked.labels, whole.asked.labels)
    np.testing.assert_array_equal(outcome.asked.fold, whole.asked.fold)
    assert len(outcome.chosen) == 5
    fold = whole.asked.fold
    for name, (run, *_) in evaluation.methods.items():  # of none on what is scored, nor of one otherwise
        for held_out in (fold == number for number in range(5)):
            known = run.asked.probabilities[~held_out], run.asked.labels[~held_out]
            expected = np.tile(best_f1_thresholds(*known), (held_out.sum(), 1))
            np.testing.assert_array_equal(run.thresholds[held_out], expected, err_msg=name)
    folds = results.predictions_of(evaluation).folds
    for runs in folds.values():
        for each in runs.values():
            np.testing.assert_array_equal(each, fold)
    differences = results.report(evaluation, [])["differences"]
    pairs = [(each["method"], each["reference"]) for each in differences]
    assert pairs == [(PRETRAINED, UNTRAINED), (PRETRAINED, SCRATCH), (PRETRAINED, RIVAL)]


def test_nested_predictions_do_not_see_their_fold(data, ask, monkeypatch):
    sets, read = data
    before = ask(NESTED)
    assert read == ["train", "train"]  # for what may have been seen in pretraining, and to be predicted
    numbers = results.report(before, [])
    assert numbers["protocol"] == "nested cross-validation"
    assert numbers["f1_thresholds"] == "best F1 of what was held out in the other folds"
    assert len(numbers["methods"][PRETRAINED][0]["chosen"]) == 5
    assert numbers["scores"][PRETRAINED]["macro_auroc"]["value"] > 0.9
    run = before.methods[PRETRAINED][0]
    first = run.asked.fold == 0
    monkeypatch.setattr(outcomes, "patient_folds", lambda *_, seed: run.asked.fold)  # not anew
    labels = [("NORM",) if held_out else codes for codes, held_out in zip(sets["train"].labels, first)]
    sets["train"] = dataclasses.replace(sets["train"], labels=tuple(labels))
    after = ask(NESTED).methods[PRETRAINED][0]
    np.testing.assert_array_equal(run.asked.probabilities[first], after.asked.probabilities[first])
    np.testing.assert_array_equal(run.thresholds[first], after.thresholds[first])
    assert not np.array_equal(run.asked.probabilities, after.asked.probabilities)


def test_a_fraction_of_the_labels_leaves_what_is_asked_about_as_it_is(ask):
    fitted = []

    def counting(train, validation):
        fitted.append(train)
        judged = Judged(np.full(train.labels.shape, 0.5), train.labels, train.groups, None)
        return Fitted(lambda asked: np.full((len(asked), 5), 0.5), {}, judged)

    def asked_with(fraction):
        fitted.clear()
        runs = {PRETRAINED: (Run("run", counting),)}
        evaluation = ask(NESTED, make_methods=lambda preprocessing: runs, subset=Subset(fraction=fraction))
        assert len(evaluation.test) == len(evaluation.methods[PRETRAINED][0].asked.labels) == 120
        numbers, sizes = results.report(evaluation, []), [len(each) for each in fitted]
        assert (numbers["train"]["recordings"], numbers["train"]["fitted"]) == (120, sizes)
        assert f"fitted in each outer fold: {', '.join(map(str, sizes))}." in tables.markdown(numbers)
        assert tables.markdown(numbers).endswith(OUT_OF_FOLD)
        return evaluation.methods[PRETRAINED][0].asked.fold, [set(each.recording_ids) for each in fitted]

    fold, whole = asked_with(1.0)
    same, quarter = asked_with(0.25)
    _, tenth = asked_with(0.1)
    heading = {"task": {"name": "made"}, "probe": "linear", "protocol": "nested"}
    few = tables.heading(heading | {"subset": {"leads": LEADS, "fraction": 0.005, "repeat": 0}})
    assert few.endswith(", 0.5% of the labels (repeat 0)")
    np.testing.assert_array_equal(fold, same)
    assert [len(each) for each in quarter] == [24] * 5
    assert all(one < other < most for one, other, most in zip(tenth, quarter, whole, strict=True))


def test_the_classes_of_codes_are_those_that_were_fitted(data, seal):
    sets, _ = data
    first, other = made_cohorts.CODES[:2]
    renamed = {first: "AAA", other: other}  # the test has a frequent code that training never had
    labels = [tuple(renamed.get(code, code) for code in codes) for codes in sets["test"].labels]
    sets["test"] = dataclasses.replace(sets["test"], labels=tuple(labels))
    task = dataclasses.replace(TASK, label_set=CODES)
    evaluation = evaluate(task, "root", two_methods, Subset(), seal)
    assert evaluation.test.classes == evaluation.train.classes == tuple(sorted(made_cohorts.CODES))
    place = evaluation.test.classes.index(other)
    expected = [other in codes for codes in labels]
    np.testing.assert_array_equal(evaluation.test.labels[:, place], expected)
    assert not evaluation.test.labels[:, evaluation.test.classes.index(first)].any()


def test_no_source_is_opened_where_one_of_them_may_not_be(data, seal, monkeypatch):
    del data
    task = Task("made", "ptbxl_superclass", sources=("train", "validation", "test"))
    seen = {"runs/0": Exposure(3, 3, 3, 0)}
    never = {"runs/0": Exposure()}
    monkeypatch.setattr(
        protocol, "seen_in_pretraining", lambda encoders, root, asked, spec: seen if spec == "test" else never
    )
    with pytest.raises(ValueError, match=r"pretrained on 3 recordings of the test \(test\)"):
        other_sources(task, "root", two_methods, Subset(), seal)
    assert seal.log.read_text() == ""
    allowed = dataclasses.replace(seal, allow_overlap=True)
    held_out = dict(other_sources(task, "root", two_methods, Subset(), allowed))
    assert {name: one.pretrained_on for name, one in held_out.items()} == {
        "train": never,
        "validation": never,
        "test": seen,
    }
    with pytest.raises(ValueError, match="opened this test set once before"):
        other_sources(task, "root", two_methods, Subset(), allowed)
