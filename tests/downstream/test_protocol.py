import dataclasses
import functools
import json

import numpy as np
import pytest
from made_cohorts import PREPROCESSING, made_encoder, made_recordings

from coreecg_jax.downstream import cohorts, fits, protocol, results, tables
from coreecg_jax.downstream.cohorts import joined_groups, read_cohort, without_shared
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.fits import linear
from coreecg_jax.downstream.methods import (
    PRETRAINED,
    RIVAL,
    UNTRAINED,
    Run,
)
from coreecg_jax.downstream.overlaps import windows_of
from coreecg_jax.downstream.predictions import read_predictions, write_predictions
from coreecg_jax.downstream.probes import patient_folds
from coreecg_jax.downstream.protocol import Seal, develop, evaluate, other_sources
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.records.label_sets import CODES, load_label_set

TASK = Task("made", "ptbxl_superclass", "train", test="test")
VALIDATED = Task("made", "ptbxl_superclass", "train", "validation", "test")
NESTED = Task("made", "ptbxl_superclass", "train")


def _lead_powers(recordings):
    return recordings.ecg.std(axis=-1)


def _noise(recordings):
    return np.random.default_rng(len(recordings)).normal(size=(len(recordings), 6))


def _two_methods(preprocessing):
    assert preprocessing == PREPROCESSING
    rivals = Run("a", linear([_noise])), Run("b", linear([_lead_powers]))
    return {PRETRAINED: (Run("run", linear([_lead_powers])),), RIVAL: rivals}


@pytest.fixture
def data(monkeypatch):
    """Data sets in memory, specification -> recordings; and the specifications in the order of reading."""
    sets = {
        "train": made_recordings(120),
        "validation": made_recordings(60, first=500),
        "test": made_recordings(80, first=1000),
    }
    read = []

    def read_recordings(root, spec):
        read.append(spec)
        parts = [sets[name] for name in spec.split(", ")]
        return functools.reduce(_joined, parts)

    monkeypatch.setattr(cohorts, "read_recordings", read_recordings)
    monkeypatch.setattr(protocol, "read_recordings", read_recordings)
    monkeypatch.setattr(fits.fit_probe, "__kwdefaults__", {"strengths": (1.0,), "folds": 5})
    monkeypatch.setattr(fits.fit_validated_probe, "__kwdefaults__", {"strengths": (1.0,)})
    return sets, read


def _joined(one, other):
    columns = {}
    for field in dataclasses.fields(one):
        values = getattr(one, field.name), getattr(other, field.name)
        if isinstance(values[0], np.ndarray):
            columns[field.name] = np.concatenate(values)
        elif isinstance(values[0], tuple):
            columns[field.name] = values[0] + values[1]
    return dataclasses.replace(one, **columns)


@pytest.fixture
def seal(tmp_path):
    return Seal(tmp_path / "openings.jsonl", {"run": 1})


@pytest.fixture
def ask(data, seal):
    """An evaluation that may look as often as it likes."""
    return functools.partial(
        evaluate,
        root="root",
        make_methods=_two_methods,
        subset=Subset(),
        seal=dataclasses.replace(seal, allow_retest=True),
    )


def test_recordings_without_a_label_are_dropped_and_counted(data):
    sets, _ = data
    labels = [("AFIB",), *sets["train"].labels[1:]]
    sets["train"] = dataclasses.replace(sets["train"], labels=tuple(labels))
    cohort = read_cohort("root", "train", "ptbxl_superclass")
    assert cohort.unlabelled == 1
    assert len(cohort.recordings) == len(cohort.labels) == len(cohort.patients) == 119
    assert "r0" not in cohort.recordings.recording_id
    sets["train"] = dataclasses.replace(sets["train"], labels=(("AFIB",),) * 120)
    with pytest.raises(ValueError, match="none of 120 recordings has a label"):
        read_cohort("root", "train", "ptbxl_superclass")


def test_by_its_own_codes_a_recording_with_rare_ones_only_is_a_negative(data):
    sets, _ = data
    labels = [("rare",), ()] + [("a",) if number % 2 else ("b",) for number in range(118)]
    sets["train"] = dataclasses.replace(sets["train"], labels=tuple(labels))
    cohort = read_cohort("root", "train", CODES)
    assert cohort.classes == ("a", "b")
    assert (len(cohort.labels), cohort.unlabelled) == (119, 1)
    assert cohort.labels[0].tolist() == [False, False]


@pytest.mark.usefixtures("data")
def test_labels_follow_their_recording():
    cohort = read_cohort("root", "train", "ptbxl_superclass").take(np.arange(120) % 3 == 0)
    assert cohort.recordings.recording_id.tolist() == [f"r{number}" for number in range(0, 120, 3)]
    loudest = cohort.recordings.ecg[:, 6:11].std(axis=-1).argmax(axis=1)  # the planted lead
    np.testing.assert_array_equal(cohort.labels.argmax(axis=1), loudest)


def test_patients_and_signals_of_the_test_leave_the_training_set(data, ask):
    sets, _ = data
    patients = sets["train"].patient_id.astype("U8")
    patients[3] = "p1007"
    hashes = sets["train"].signal_hash.astype("U8")
    hashes[[5, 9]] = "h1001", "h1002"
    sets["train"] = dataclasses.replace(sets["train"], patient_id=patients, signal_hash=hashes)
    train = read_cohort("root", "train", "ptbxl_superclass")
    kept = without_shared(train, sets["test"])
    assert kept.shared == 3
    assert sorted({"r3", "r5", "r9"} | set(kept.recordings.recording_id)) == sorted(
        train.recordings.recording_id
    )
    evaluation = ask(TASK)
    assert evaluation.train.shared == 3
    assert results.report(evaluation, [])["train"]["dropped_shared_with_test"] == 3
    with pytest.raises(ValueError, match="all 120 recordings to be fitted on share"):
        without_shared(train, sets["train"])


def test_a_planted_leak_is_refused(data, ask):
    sets, _ = data
    sets["test"] = _joined(sets["test"], sets["train"].take([7]))
    with pytest.raises(ValueError, match="train and test share 1 of 81 recordings"):
        ask(TASK)
    sets["validation"] = _joined(sets["validation"], sets["train"].take([7]))
    with pytest.raises(ValueError, match="train and validation share 1 of 61 recordings"):
        ask(VALIDATED)


def test_patients_with_one_signal_are_one_group():
    groups = joined_groups(np.array(["a", "b", "c", "a", "d"]), np.array(["1", "2", "2", "3", "4"]))
    assert groups[0] == groups[3]
    assert groups[1] == groups[2]
    assert len(set(groups)) == 3


def test_equal_patient_names_of_two_sources_are_two_patients(data):
    sets, _ = data
    source = np.array(["x", "y"] * 60)
    sets["train"] = dataclasses.replace(sets["train"], patient_id=np.full(120, "1"), source=source)
    assert len(set(read_cohort("root", "train", "ptbxl_superclass").patients)) == 2


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


def test_codes_of_a_low_likelihood_count_unless_told(data) -> None:
    everything = read_cohort("root", "train", "ptbxl_superclass")
    assert everything.any_likelihood == tuple(everything.labels.sum(axis=0).tolist())
    likely = tuple((50.0,) if row % 2 else (0.0,) for row in range(len(everything)))
    recordings = dataclasses.replace(everything.recordings, likelihoods=likely)
    superclass = load_label_set("ptbxl_superclass")
    half = cohorts.labelled(recordings, recordings.labels, superclass, "made", 15.0)
    assert half.labels.sum() == len(everything) // 2
    assert half.unlabelled == len(everything) - len(everything) // 2
    assert half.any_likelihood == everything.any_likelihood
    complete = dataclasses.replace(superclass, complete=True)
    assert len(cohorts.labelled(recordings, recordings.labels, complete, "made", 15.0)) == len(everything)


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
        return {PRETRAINED: (Run("run", fitting([lambda r: (seen.append(r.labels), _lead_powers(r))[1]])),)}

    evaluate(TASK, "root", make, Subset(), seal)
    # The first reading of the test gives signals only: no labels are turned into classes.
    assert read == ["test", "train", "labels", "fit", "predict", "open", "test", "labels"]
    assert seen[-1] == ((),) * 80  # what predicts is not even handed the codes


def test_the_test_is_opened_once_by_a_run(data, seal):
    del data
    first = evaluate(TASK, "root", _two_methods, Subset(), seal)
    assert (first.opening.number_by_run, first.opening.number_by_all) == (1, 1)
    with pytest.raises(ValueError, match=r"opened this test set once before.*--allow_retest"):
        evaluate(TASK, "root", _two_methods, Subset(), seal)
    other = evaluate(TASK, "root", _two_methods, Subset(), dataclasses.replace(seal, identity={"run": 2}))
    assert (other.opening.number_by_run, other.opening.number_by_all) == (1, 2)
    again = evaluate(TASK, "root", _two_methods, Subset(), dataclasses.replace(seal, allow_retest=True))
    assert (again.opening.number_by_run, again.opening.number_by_all) == (2, 3)
    assert "**2 times by this run**" in tables.markdown(results.report(again, []))


def test_development_never_opens_the_test(data, seal):
    _, read = data
    evaluation = develop(TASK, "root", _two_methods, Subset())
    assert read == ["train"]
    assert evaluation.test is None
    numbers = results.report(evaluation, [])
    assert "test not read" in tables.markdown(numbers)
    assert numbers["scores"][PRETRAINED]["macro_auroc"]["value"] > 0.9
    assert not seal.log.exists()
    validated = results.report(develop(VALIDATED, "root", _two_methods, Subset()), [])
    assert validated["protocol"].startswith("development: on validation")
    assert sum(validated["validation"]["positives"].values()) == 60
    with pytest.raises(ValueError, match="all of it is test"):
        develop(NESTED, "root", _two_methods, Subset())


def test_in_development_what_holds_recordings_out_is_scored_on_the_same_ones(data):
    data[0]["train"] = made_recordings(300)

    def holding_out(train, validation):
        """As gradient descent does: a fifth of the patients chooses."""
        held_out = patient_folds(train.groups, seed=fits.HELD_OUT_SEED) == 0
        assert validation is None
        return linear([_lead_powers])(train.take(~held_out), train.take(held_out))

    def methods_of(preprocessing):
        return {**_two_methods(preprocessing), UNTRAINED: (Run("held out", holding_out),)}

    evaluation = develop(TASK, "root", methods_of, Subset())
    outcome, whole = evaluation.methods[UNTRAINED][0], evaluation.methods[PRETRAINED][0]
    np.testing.assert_array_equal(outcome.asked.labels, whole.asked.labels)
    np.testing.assert_array_equal(outcome.asked.fold, whole.asked.fold)
    assert len(outcome.chosen) == 5
    differences = results.report(evaluation, [])["differences"]
    pairs = [(each["method"], each["reference"]) for each in differences]
    assert pairs == [(PRETRAINED, UNTRAINED), (PRETRAINED, RIVAL)]


def test_nested_predictions_do_not_see_their_fold(data, ask):
    sets, read = data
    before = ask(NESTED)
    assert read == ["train", "train"]  # for what may have been seen in pretraining, and to be predicted
    numbers = results.report(before, [])
    assert numbers["protocol"] == "nested cross-validation"
    assert len(numbers["methods"][PRETRAINED][0]["chosen"]) == 5
    assert numbers["scores"][PRETRAINED]["macro_auroc"]["value"] > 0.9
    run = before.methods[PRETRAINED][0]
    first = run.asked.fold == 0
    labels = [("NORM",) if held_out else codes for codes, held_out in zip(sets["train"].labels, first)]
    sets["train"] = dataclasses.replace(sets["train"], labels=tuple(labels))
    after = ask(NESTED).methods[PRETRAINED][0]
    np.testing.assert_array_equal(run.asked.probabilities[first], after.asked.probabilities[first])
    np.testing.assert_array_equal(run.thresholds[first], after.thresholds[first])
    assert not np.array_equal(run.asked.probabilities, after.asked.probabilities)


def test_each_source_is_asked_about_by_the_others(data, seal):
    sets, _ = data
    sets["empty"] = dataclasses.replace(made_recordings(9, first=3000), labels=(("AFIB",),) * 9)
    task = Task("made", "ptbxl_superclass", sources=("train", "test", "empty"))
    held_out = other_sources(task, "root", _two_methods, Subset(), seal)
    assert held_out["empty"] is None
    assert len(held_out["train"].test) == 120
    assert held_out["train"].task.train == "test, empty"
    reports = {name: found and results.report(found, []) for name, found in held_out.items()}
    text = tables.transfer_markdown(reports)
    assert "| empty | too few recordings with a label of the set |" in text
    moved = reports["train"]["methods"][PRETRAINED][0]["transfer"]
    assert moved["f1"] <= moved["f1_own"]
    assert f"| {moved['f1']:.3f} | {moved['f1_own']:.3f} |" in text
    with pytest.raises(ValueError, match="expected two or more sources"):
        Task("made", "ptbxl_superclass", sources=("train",))


def test_fewer_labels_and_leads_are_fitted(data, ask):
    few = ask(TASK, subset=Subset(fraction=0.5, repeat=1))
    assert len(few.train) == 60
    assert len(few.test) == 80
    limbs = ask(TASK, subset=Subset(leads=("I", "II")))
    for cohort in (limbs.train, limbs.test):
        assert cohort.recordings.available.sum(axis=1).max() == 2
    # The classes are told by chest leads, which were taken away.
    assert results.report(limbs, [])["scores"][PRETRAINED]["macro_auroc"]["value"] < 0.7


def test_report_holds_every_number(ask, tmp_path):
    evaluation = ask(TASK)
    numbers = results.report(evaluation, [])
    path = tmp_path / "new" / "result.json"
    results.write_report(numbers, path)
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]
    stored = results.read_report(path)
    assert stored == json.loads(json.dumps(numbers))
    planted, rival = stored["scores"][PRETRAINED], stored["scores"][RIVAL]
    assert planted["macro_auroc"]["value"] > 0.95
    assert abs(rival["runs"][0]["macro_auroc"]["value"] - 0.5) < 0.2
    mean = np.mean([run["macro_auroc"]["value"] for run in rival["runs"]])
    assert rival["macro_auroc"]["value"] == pytest.approx(mean)
    (difference,) = stored["differences"]
    assert difference["macro_auroc"]["value"] == pytest.approx(planted["macro_auroc"]["value"] - mean)
    assert difference["macro_auroc"]["low"] > 0
    assert difference["macro_brier"]["high"] < 0
    assert stored["test"]["recordings"] == sum(stored["test"]["positives"].values()) == 80
    assert set(stored["versions"]) >= {"jax", "scikit-learn"}
    assert stored["preprocessing"]["sampling_rate"] == 20.0
    text = tables.markdown(numbers)
    assert f"| {PRETRAINED} | run | {planted['macro_auroc']['value']:.3f} [" in text
    assert f"| {PRETRAINED} − {RIVAL} | +" in text
    write_predictions(results.predictions_of(evaluation), tmp_path / "p.parquet")
    read = read_predictions(tmp_path / "p.parquet")
    run = evaluation.methods[RIVAL][1].asked
    np.testing.assert_array_equal(read.methods[RIVAL]["b"], run.probabilities)
    np.testing.assert_array_equal(read.labels, evaluation.test.labels)
    assert (read.recordings.tolist(), read.fold) == (evaluation.test.recording_ids.tolist(), None)


def test_labels_that_were_shuffled_are_not_found(data, ask):
    sets, _ = data
    rng = np.random.default_rng(0)
    for name, first in (("train", 0), ("test", 5000)):
        made = made_recordings(300, first=first)
        order = rng.permutation(300)
        sets[name] = dataclasses.replace(made, labels=tuple(made.labels[row] for row in order))
    macro = results.report(ask(TASK), [])["scores"][PRETRAINED]["macro_auroc"]
    assert macro["low"] < 0.5 < macro["high"]
    assert macro["high"] - macro["low"] < 0.15


def test_rare_classes_are_listed_and_left_out_of_the_macro(data, ask):
    sets, _ = data
    labels = [("LVH",), *(("NORM",) if codes == ("LVH",) else codes for codes in sets["test"].labels[1:])]
    sets["test"] = dataclasses.replace(sets["test"], labels=tuple(labels))
    numbers = results.report(ask(TASK), [])
    assert "HYP" not in numbers["macro_classes"]
    assert numbers["test"]["positives"]["HYP"] == 1
    classes = numbers["scores"][PRETRAINED]["runs"][0]["classes"]
    macro = np.mean([classes[name]["auroc"]["value"] for name in numbers["macro_classes"]])
    assert numbers["scores"][PRETRAINED]["runs"][0]["macro_auroc"]["value"] == pytest.approx(macro)
    assert classes["HYP"]["auroc"]["value"] is not None


def test_what_the_encoder_saw_of_the_test_is_refused_or_said(data, seal, monkeypatch):
    del data
    monkeypatch.setattr(protocol, "select", lambda root, spec: None)
    in_memory = protocol.read_recordings
    monkeypatch.setattr(protocol, "windows_in", lambda root, spec: windows_of(in_memory(root, spec)))
    seen = [made_encoder(trained_on="train, test")]
    with pytest.raises(ValueError, match="runs/0 was pretrained on 80 recordings of the test"):
        evaluate(TASK, "root", _two_methods, Subset(), seal, seen)
    allowed = dataclasses.replace(seal, allow_overlap=True)
    numbers = results.report(evaluate(TASK, "root", _two_methods, Subset(), allowed, seen), seen)
    assert numbers["pretrained_on_test"] == {
        "runs/0": {"recordings": 80, "patients": 80, "signals": 80, "alike": 0}
    }
    assert "runs/0 saw 80 recordings of the test in pretraining" in tables.markdown(numbers)


def test_the_table_shows_classes_out_of_the_macro_in_brackets(data, ask):
    sets, _ = data
    labels = [("NORM",) if codes == ("LVH",) else codes for codes in sets["test"].labels]
    sets["test"] = dataclasses.replace(sets["test"], labels=tuple(labels))
    numbers = results.report(ask(TASK), [])
    rows = tables.markdown(numbers).splitlines()
    assert "| (HYP) | 0 | – | – |" in rows
    values = [
        np.mean([run["classes"]["MI"]["auroc"]["value"] for run in m["runs"]])
        for m in numbers["scores"].values()
    ]
    cells = " | ".join(f"{value:.3f}" for value in values)
    assert f"| MI | {numbers['test']['positives']['MI']} | {cells} |" in rows
