"""What is written of an evaluation: the report, its tables and predictions."""

import dataclasses
import json

import numpy as np
import pytest
from made_cohorts import made_recordings
from made_tasks import NESTED, TASK, joined, two_methods

from coreecg_jax.downstream import result_files, results, tables
from coreecg_jax.downstream.comparison import compared, read_pair
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.methods import PRETRAINED, RIVAL
from coreecg_jax.downstream.predictions import read_predictions, write_predictions
from coreecg_jax.downstream.protocol import other_sources
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.records.label_sets import CODES
from coreecg_jax.records.schema import LeadFlag


def scores(held_out):
    """Source -> report, None where there are too few recordings."""
    return {
        name: None if isinstance(found, ValueError) else results.report(found, [])
        for name, found in held_out.items()
    }


def test_each_source_is_asked_about_by_the_others(data, seal):
    sets, _ = data
    sets["empty"] = dataclasses.replace(made_recordings(9, first=3000), labels=(("AFIB",),) * 9)
    sets["few"] = made_recordings(4, first=4000)
    task = Task("made", "ptbxl_superclass", sources=("train", "test", "empty"))
    held_out = dict(other_sources(task, "root", two_methods, Subset(), seal))
    assert "none of 9 recordings has a label" in str(held_out["empty"])
    pair = dataclasses.replace(task, sources=("validation", "few"))  # four to be fitted, then to be asked
    few = dict(other_sources(pair, "root", two_methods, Subset(), seal))
    assert str(few["validation"]) == "patient folds: expected at least 5 patients, got 4"
    assert len(few["few"].test) == 4
    assert len(held_out["train"].test) == 120
    assert held_out["train"].task.train == "test, empty"
    reports = scores(held_out)
    text = tables.transfer_markdown(reports)
    assert "| empty | too few recordings with a label of the set |" in text
    moved = reports["train"]["methods"][PRETRAINED][0]["transfer"]
    assert moved["f1"] <= moved["f1_own"]
    assert f"| {moved['f1']:.3f} | {moved['f1_own']:.3f} |" in text
    assert "version of the code" not in text
    other = reports["test"]["digests"] | {"code": {"digest": "0" * 64, "commit": ""}}
    mixed = tables.transfer_markdown(reports | {"test": reports["test"] | {"digests": other}})
    assert "**These results are not of one version of the code**: code " in mixed
    assert mixed.endswith("; code 00000000: test.")  # as where the command went on another day
    retest = dataclasses.replace(seal, allow_retest=True)
    again = dict(other_sources(task, "root", two_methods, Subset(), retest))
    text = tables.transfer_markdown(scores(again))
    assert "test: The labels of this test were opened 2 times so far, **2 times by this run**." in text
    with pytest.raises(ValueError, match="expected two or more sources"):
        Task("made", "ptbxl_superclass", sources=("train",))


def test_equal_patient_ids_of_two_data_sets_are_told(data, ask):
    sets, _ = data
    of_patients = {"patient_id": sets["train"].patient_id[:60], "source": np.full(60, "mine_test")}
    for name in ("validation", "test"):
        sets[name] = dataclasses.replace(sets[name].take(slice(0, 60)), **of_patients)
    numbers = results.report(ask(TASK), [])
    shared = {"one": "ptbxl", "other": "mine_test", "patient_ids": 60, "plain_numbers": 0}
    assert numbers["patient_ids_in_both"] == [shared]
    said = "60 patient ids are in both ptbxl and mine_test: if they are the same people, prepare them as one"
    assert said in tables.markdown(numbers)
    validated = dataclasses.replace(TASK, validation="validation")
    sets["test"] = made_recordings(80, first=1000)
    assert results.report(ask(validated), [])["patient_ids_in_both"] == []  # both are learnt from
    sets["train"] = made_recordings(120, first=1500)
    sets["test"] = dataclasses.replace(made_recordings(60), source=np.full(60, "ptbxl"))
    (found,) = results.report(ask(validated), [])["patient_ids_in_both"]  # chosen by, and asked about
    assert (found["one"], found["other"]) == ("mine_test", "ptbxl")
    sets["train"] = joined(sets["test"], sets["validation"])
    (found,) = results.report(ask(NESTED), [])["patient_ids_in_both"]
    assert found["patient_ids"] == 60


def test_codes_that_are_no_class_are_told_with_whom_they_make_negative(data, ask):
    plain = results.report(ask(TASK), [])
    sets, _ = data
    labels = [("AF,none",), ("AF,none",), ("AF", "pacing")] + [("AF",), ("none",)] * 58 + [("none",)]
    sets["train"] = dataclasses.replace(sets["train"], labels=tuple(labels))
    sets["test"] = dataclasses.replace(sets["test"], labels=tuple(labels[3:83]))
    task = dataclasses.replace(TASK, label_set=CODES)
    numbers = results.report(ask(task), [])
    assert numbers["label_set"]["classes"] == ["AF", "none"]
    assert numbers["label_set"]["codes_left_out"] == {"AF,none": 2, "pacing": 1}
    assert numbers["label_set"]["without_class"] == 2
    said = (
        "No class of their own, as too few recordings have or lack them: 'AF,none' (2), 'pacing' (1). "
        "2 recordings have no other code and count as negatives of every class."
    )
    assert said in tables.markdown(numbers)
    assert "codes_left_out" not in plain["label_set"]
    assert "No class of their own" not in tables.markdown(plain)


def test_report_holds_every_number(ask, tmp_path):
    evaluation = ask(TASK)
    numbers = results.report(evaluation, [])
    path = tmp_path / "new" / "result.json"
    result_files.write_report(numbers, path)
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]
    stored = result_files.read_report(path)
    assert stored == json.loads(json.dumps(numbers))
    planted, rival = stored["scores"][PRETRAINED], stored["scores"][RIVAL]
    assert planted["macro_auroc"]["value"] > 0.95
    assert abs(rival["runs"][0]["macro_auroc"]["value"] - 0.5) < 0.2
    mean = np.mean([run["macro_auroc"]["value"] for run in rival["runs"]])
    assert rival["macro_auroc"]["value"] == pytest.approx(mean)
    (difference,) = stored["differences"]
    assert difference["macro_auroc"]["value"] == pytest.approx(planted["macro_auroc"]["value"] - mean)
    # Of the rival's two runs one is chance and one perfect: by that alone the mean is not known.
    assert difference["macro_auroc"]["low"] < 0 < difference["macro_auroc"]["value"]
    assert planted["macro_auroc"]["high"] <= 1
    assert rival["macro_auroc"]["high"] == 1
    assert difference["macro_brier"]["value"] < 0
    assert stored["test"]["recordings"] == sum(stored["test"]["positives"].values()) == 80
    assert set(stored["versions"]) >= {"jax", "scikit-learn"}
    assert stored["preprocessing"]["sampling_rate"] == 20.0
    text = tables.markdown(numbers)
    assert f"| {PRETRAINED} | run | {planted['macro_auroc']['value']:.3f} [" in text
    assert f"| {PRETRAINED} − {RIVAL} | +" in text
    write_predictions(results.predictions_of(evaluation), path.with_suffix(".parquet"))
    read = read_predictions(path.with_suffix(".parquet"))
    # What is computed again from the two files is what the report has, F1 at each run's thresholds too.
    again = compared(*read_pair([str(path)] * 2, (PRETRAINED, RIVAL))).difference.macro
    for name in ("auroc", "auprc", "f1", "brier"):
        assert again[name].intervals()[0] == pytest.approx(tuple(difference[f"macro_{name}"].values()))
    run = evaluation.methods[RIVAL][1].asked
    np.testing.assert_array_equal(read.methods[RIVAL]["b"], run.probabilities)
    np.testing.assert_array_equal(read.labels, evaluation.test.labels)
    assert read.recordings.tolist() == evaluation.test.recording_ids.tolist()
    assert read.folds == {PRETRAINED: {"run": None}, RIVAL: {"a": None, "b": None}}


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


def test_a_class_that_nobody_fitted_has_is_told(data, ask):
    sets, _ = data
    labels = [("NORM",) if codes == ("LVH",) else codes for codes in sets["train"].labels]
    whole = tables.markdown(results.report(ask(TASK), []))
    sets["train"] = dataclasses.replace(sets["train"], labels=tuple(labels))
    numbers = results.report(ask(TASK), [])
    assert numbers["unlearnable"] == ["HYP"]
    assert numbers["macro_classes"] == ["NORM", "MI", "STTC", "CD"]
    runs = numbers["scores"][PRETRAINED]["runs"]
    macro = np.mean([runs[0]["classes"][name]["auroc"]["value"] for name in numbers["macro_classes"]])
    assert runs[0]["macro_auroc"]["value"] == pytest.approx(macro)
    said = "No recording to be fitted has HYP: left out of the macro, as no method could learn it."
    assert said in tables.markdown(numbers)
    assert "No recording to be fitted has" not in whole


def test_a_class_that_a_fraction_of_the_labels_lacks_stays_in_the_macro(ask):
    found = ask(TASK, subset=Subset(fraction=0.5))
    assert found.train.drawn_from == tuple(ask(TASK).train.labels.sum(axis=0))
    none_drawn = dataclasses.replace(found.train, labels=found.train.labels & (np.arange(5) < 4))
    numbers = results.report(dataclasses.replace(found, train=none_drawn), [])
    assert numbers["unlearnable"] == []
    assert numbers["macro_classes"] == ["NORM", "MI", "STTC", "CD", "HYP"]
    said = "No recording that was fitted has HYP (1 of 5 classes in the macro), so scores of it say nothing."
    assert said in tables.markdown(numbers)


def test_the_table_shows_classes_out_of_the_macro_in_brackets(data, ask):
    sets, _ = data
    labels = [("NORM",) if codes == ("LVH",) else codes for codes in sets["test"].labels]
    sets["test"] = dataclasses.replace(sets["test"], labels=tuple(labels))
    numbers = results.report(ask(TASK), [])
    rows = tables.markdown(numbers).splitlines()
    assert "| (HYP) | 0 | – | – |" in rows
    assert "F1 at thresholds chosen on what was held out in the training set." in rows[-1]
    values = [
        np.mean([run["classes"]["MI"]["auroc"]["value"] for run in m["runs"]])
        for m in numbers["scores"].values()
    ]
    cells = " | ".join(f"{value:.3f}" for value in values)
    assert f"| MI | {numbers['test']['positives']['MI']} | {cells} |" in rows


def test_fewer_labels_and_leads_are_fitted(data, ask):
    sets, _ = data
    few = ask(TASK, subset=Subset(fraction=0.5, repeat=1))
    assert len(few.train) == 60
    assert len(few.test) == 80
    for name in ("train", "test"):
        sets[name].quality[:3, 7] |= LeadFlag.FLAT
    for task, dropped in ((TASK, 3), (NESTED, 0)):  # what is asked about is not dropped, but told
        numbers = results.report(ask(task, subset=Subset(leads=("V2",))), [])
        assert (numbers["train"]["recordings"], numbers["train"]["dropped_without_signal"]) == (
            120 - dropped,
            dropped,
        )
        assert numbers["test"]["without_signal"] == 3
        text = tables.markdown(numbers)
        assert "**3 have no signal in any of the leads**: asked about all the same" in text
        assert ("; 3 without signal in any of the leads dropped" in text) == bool(dropped)
        assert sum(numbers["train"].get("fitted", [])) in (0, 4 * 117)
    sets["train"].quality[:, 7] |= LeadFlag.FLAT
    with pytest.raises(
        ValueError, match="--leads: expected recordings with signal in V2, but none of the 120"
    ):
        ask(TASK, subset=Subset(leads=("V2",)))
    limbs = ask(TASK, subset=Subset(leads=("I", "II")))
    for cohort in (limbs.train, limbs.test):
        assert cohort.recordings.available.sum(axis=1).max() == 2
    # The classes are told by chest leads, which were taken away.
    assert results.report(limbs, [])["scores"][PRETRAINED]["macro_auroc"]["value"] < 0.7
