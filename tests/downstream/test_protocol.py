import dataclasses
import json

import numpy as np
import pytest
from made_cohorts import PREPROCESSING, made_recordings

from coreecg_jax.downstream import methods, protocol, tables, tasks
from coreecg_jax.downstream.methods import (
    JOINED,
    PRETRAINED,
    RIVAL,
    UNTRAINED,
    Encoder,
    Run,
    compared_methods,
)
from coreecg_jax.downstream.protocol import develop, evaluate
from coreecg_jax.downstream.tasks import Task, joined_groups, read_cohort, read_identities, without_shared
from coreecg_jax.records.label_sets import CODES

TASK = Task("made", "ptbxl_superclass", "train", "test")
NESTED = Task("made", "ptbxl_superclass", "train", None)


def _lead_powers(recordings):
    return recordings.ecg.std(axis=-1)


def _noise(recordings):
    return np.random.default_rng(len(recordings)).normal(size=(len(recordings), 6))


def _two_methods(preprocessing):
    assert preprocessing == PREPROCESSING
    rivals = Run("a", (_noise,)), Run("b", (_lead_powers,))
    return {PRETRAINED: (Run("run", (_lead_powers,)),), RIVAL: rivals}


@pytest.fixture
def data(monkeypatch):
    """Data sets in memory, specification -> recordings; and the specifications in the order of reading."""
    sets = {"train": made_recordings(120), "test": made_recordings(80, first=1000)}
    read = []

    def read_recordings(root, spec):
        read.append(spec)
        return sets[spec]

    @dataclasses.dataclass
    class Selected:
        preprocessing = PREPROCESSING

    monkeypatch.setattr(tasks, "read_recordings", read_recordings)
    monkeypatch.setattr(protocol, "select", lambda root, spec: Selected())
    monkeypatch.setattr(protocol.fit_probe, "__kwdefaults__", {"strengths": (1.0,), "folds": 5})
    monkeypatch.setattr(protocol.nested_probe, "__kwdefaults__", {"strengths": (1.0,)})
    return sets, read


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


def test_patients_and_signals_of_the_test_leave_the_training_set(data):
    sets, _ = data
    patients = sets["train"].patient_id.astype("U8")
    patients[3] = "p1007"
    hashes = sets["train"].signal_hash.astype("U8")
    hashes[[5, 9]] = "h1001", "h1002"
    sets["train"] = dataclasses.replace(sets["train"], patient_id=patients, signal_hash=hashes)
    train = read_cohort("root", "train", "ptbxl_superclass")
    kept = without_shared(train, read_identities("root", "test"))
    assert kept.shared == 3
    assert sorted({"r3", "r5", "r9"} | set(kept.recordings.recording_id)) == sorted(
        train.recordings.recording_id
    )
    evaluation = evaluate(TASK, "root", _two_methods)
    assert evaluation.train.shared == 3
    assert tables.report(evaluation, [])["train"]["dropped_shared_with_test"] == 3


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


def test_test_labels_change_no_prediction_and_no_choice(data):
    sets, _ = data
    before = evaluate(TASK, "root", _two_methods)
    shuffled = [sets["test"].labels[row] for row in np.random.default_rng(0).permutation(80)]
    sets["test"] = dataclasses.replace(sets["test"], labels=tuple(shuffled))
    after = evaluate(TASK, "root", _two_methods)
    assert not np.array_equal(before.test.labels, after.test.labels)
    for name in (PRETRAINED, RIVAL):
        for one, other in zip(before.methods[name], after.methods[name], strict=True):
            np.testing.assert_array_equal(one.probabilities, other.probabilities)
            assert (one.strengths, one.cv_score) == (other.strengths, other.cv_score)


def test_everything_is_fitted_before_the_test_labels_are_read(data, monkeypatch):
    _, read = data
    fit, label_matrix = protocol.fit_probe, tasks.label_matrix

    def logged_fit(*args):
        read.append("fit")
        return fit(*args)

    def logged_matrix(label_set, labels):
        read.append("labels")
        return label_matrix(label_set, labels)

    monkeypatch.setattr(protocol, "fit_probe", logged_fit)
    monkeypatch.setattr(tasks, "label_matrix", logged_matrix)
    evaluate(TASK, "root", _two_methods)
    # The first reading of the test gives identities only: no labels are turned into classes.
    assert read == ["train", "labels", "test", "fit", "fit", "fit", "test", "labels"]


def test_development_never_opens_the_test(data):
    _, read = data
    evaluation = develop(TASK, "root", _two_methods)
    assert read == ["train"]
    assert evaluation.test is None
    text = tables.markdown(tables.report(evaluation, []))
    assert "test not read" in text
    assert "scores" not in tables.report(evaluation, [])
    with pytest.raises(ValueError, match="all of it is test"):
        develop(NESTED, "root", _two_methods)


def test_nested_task_reads_its_data_once(data):
    _, read = data
    evaluation = evaluate(NESTED, "root", _two_methods)
    assert read == ["train"]
    numbers = tables.report(evaluation, [])
    assert numbers["protocol"] == "nested cross-validation"
    assert len(numbers["methods"][PRETRAINED][0]["strengths"]) == 5
    assert numbers["scores"][PRETRAINED]["macro_auroc"]["value"] > 0.9


def test_report_holds_every_number(data, tmp_path):
    numbers = tables.report(evaluate(TASK, "root", _two_methods), [])
    path = tmp_path / "new" / "result.json"
    tables.write_report(numbers, path)
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]
    stored = json.loads(path.read_text())
    planted, rival = stored["scores"][PRETRAINED], stored["scores"][RIVAL]
    assert planted["macro_auroc"]["value"] > 0.95
    assert abs(rival["runs"][0]["macro_auroc"]["value"] - 0.5) < 0.2
    mean = np.mean([run["macro_auroc"]["value"] for run in rival["runs"]])
    assert rival["macro_auroc"]["value"] == pytest.approx(mean)
    (difference,) = stored["differences"]
    assert difference["value"] == pytest.approx(planted["macro_auroc"]["value"] - mean)
    assert difference["low"] > 0
    assert stored["test"]["recordings"] == sum(stored["test"]["positives"].values()) == 80
    assert set(stored["versions"]) >= {"jax", "scikit-learn"}
    assert stored["preprocessing"]["sampling_rate"] == 20.0
    text = tables.markdown(numbers)
    assert f"| {PRETRAINED} | run | {planted['macro_auroc']['value']:.3f} [" in text
    assert f"| {PRETRAINED} − {RIVAL} | +" in text


def test_rare_classes_are_listed_and_left_out_of_the_macro(data):
    sets, _ = data
    labels = [("LVH",), *(("NORM",) if codes == ("LVH",) else codes for codes in sets["test"].labels[1:])]
    sets["test"] = dataclasses.replace(sets["test"], labels=tuple(labels))
    numbers = tables.report(evaluate(TASK, "root", _two_methods), [])
    assert "HYP" not in numbers["macro_classes"]
    assert numbers["test"]["positives"]["HYP"] == 1
    classes = numbers["scores"][PRETRAINED]["runs"][0]["classes"]
    macro = np.mean([classes[name]["value"] for name in numbers["macro_classes"]])
    assert numbers["scores"][PRETRAINED]["runs"][0]["macro_auroc"]["value"] == pytest.approx(macro)
    assert classes["HYP"]["value"] is not None


def _encoder(seed=0, **changes):
    def represent(ecg_BLT, available_BL, length_B):
        return ecg_BLT.std(axis=-1) + seed

    preprocessing = dataclasses.replace(PREPROCESSING, **changes)
    return Encoder(f"runs/{seed}", 100, seed, 1.0, preprocessing, represent, represent)


def test_methods_share_features_and_seeds():
    rows = compared_methods([_encoder(4), _encoder(5)], PREPROCESSING, rival_seeds=(0, 1, 2))
    assert list(rows) == [UNTRAINED, PRETRAINED, RIVAL, JOINED]
    assert [run.name for run in rows[RIVAL]] == ["kernels 0", "kernels 1", "kernels 2"]
    assert rows[JOINED][1].blocks == rows[PRETRAINED][1].blocks + rows[RIVAL][1].blocks
    assert list(compared_methods([], PREPROCESSING)) == [RIVAL]
    recordings = made_recordings(4)
    (extract,) = rows[RIVAL][0].blocks
    assert extract(recordings).shape == (4, 1200)
    (extract,) = rows[PRETRAINED][0].blocks
    assert extract(recordings).shape == (4, 12)


def test_other_preprocessing_is_refused_with_its_fields():
    with pytest.raises(ValueError, match=r"runs/0: .*: high_pass 0.05 / 0.67; low_pass 100.0 / 40.0; set"):
        compared_methods([_encoder(high_pass=0.05, low_pass=100.0)], PREPROCESSING)


def test_comparisons_name_known_methods():
    names = {UNTRAINED, PRETRAINED, RIVAL, JOINED}
    assert {name for pair in methods.COMPARISONS for name in pair} <= names


def test_the_table_shows_classes_out_of_the_macro_in_brackets(data):
    sets, _ = data
    labels = [("NORM",) if codes == ("LVH",) else codes for codes in sets["test"].labels]
    sets["test"] = dataclasses.replace(sets["test"], labels=tuple(labels))
    numbers = tables.report(evaluate(TASK, "root", _two_methods), [])
    rows = tables.markdown(numbers).splitlines()
    assert "| (HYP) | 0 | – | – |" in rows
    values = [
        np.mean([run["classes"]["MI"]["value"] for run in m["runs"]]) for m in numbers["scores"].values()
    ]
    cells = " | ".join(f"{value:.3f}" for value in values)
    assert f"| MI | {numbers['test']['positives']['MI']} | {cells} |" in rows
