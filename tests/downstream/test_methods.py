"""What is compared, and by which fits."""

import dataclasses
import functools

import numpy as np
import pytest
from made_cohorts import NETWORK, PREPROCESSING, made_encoder, made_recordings

from coreecg_jax.downstream import fits, methods
from coreecg_jax.downstream.cohorts import labelled
from coreecg_jax.downstream.finetuning import refit
from coreecg_jax.downstream.finetuning_settings import Settings
from coreecg_jax.downstream.folds import patient_folds
from coreecg_jax.downstream.methods import (
    JOINED,
    PRETRAINED,
    RIVAL,
    SCRATCH,
    UNTRAINED,
    Encoder,
    Protocols,
    compared_methods,
    require_one_configuration,
)
from coreecg_jax.records.label_sets import load_label_set

HEAD = Settings("linear", False, 1e-2, warmup_epochs=0.0, epochs=2, batch_size=20, evaluate_crops=1)
SETTINGS = Protocols(dataclasses.replace(HEAD, frozen=True), HEAD, HEAD)
compared = functools.partial(compared_methods, preprocessing=PREPROCESSING, settings=SETTINGS)


def test_methods_are_seeds_of_what_stands_beside():
    encoders = [made_encoder(4), made_encoder(5)]
    rows = compared(encoders, protocol="linear", rival_seeds=(0, 1, 2))
    assert list(rows) == [UNTRAINED, PRETRAINED, SCRATCH, RIVAL, JOINED]
    assert [run.name for run in rows[RIVAL]] == ["kernels 0", "kernels 1", "kernels 2"]
    assert list(compared([], protocol="linear")) == [RIVAL]
    joined = [run.name for run in rows[JOINED]]  # both encoders thrice, all kernels twice
    assert joined == [f"runs/{4 + number % 2}, kernels {number % 3}" for number in range(6)]
    alone = compared(encoders[:1], protocol="linear", rival_seeds=(0, 1, 2))
    assert [run.name for run in alone[JOINED]] == [f"runs/4, kernels {number}" for number in range(3)]
    alone = compared(encoders, protocol="knn", beside=("untrained",))
    assert list(alone) == [UNTRAINED, PRETRAINED]
    with pytest.raises(ValueError, match="protocol: expected one of knn, linear, attention, finetune, got"):
        compared([], protocol="x")
    recordings = made_recordings(40)
    cohort = labelled(recordings, recordings.labels, load_label_set("ptbxl_superclass"), "made")
    assert rows[PRETRAINED][0].fit(cohort, None).judged.probabilities.shape == (40, 5)


def test_runs_of_a_method_have_names_of_their_own():
    twins = [dataclasses.replace(made_encoder(4), name="runs/a"), made_encoder(4), made_encoder(5)]
    rows = compared(twins, protocol="finetune")
    assert [run.name for run in rows[SCRATCH]] == ["seed 4 of runs/a", "seed 4 of runs/4", "seed 5"]
    # Neither of these is fine-tuned, whatever the others are.
    assert rows[UNTRAINED][1].name == "runs/4 before training, linear probe"
    assert rows[RIVAL][0].name == "kernels 0, linear probe"
    assert compared(twins, protocol="knn")[UNTRAINED][1].name == "runs/4 before training"


def test_seeds_of_other_configurations_are_refused_with_their_fields():
    settings = {"seed": 0, "run.steps": 300, "objective.lambda_c": 0.1, "data.root": "here"}
    drawn = [{"embed": np.full(2, number)} for number in range(3)]
    about = 100, 0, 1.0, PREPROCESSING, "elsewhere", NETWORK, drawn[0], {}
    one = Encoder("runs/0", *about, "a" * 64, data_digests={"ptbxl": "a" * 64}, settings=settings)
    changes = settings | {"seed": 1, "data.root": "there"}
    seed = dataclasses.replace(one, name="runs/1", pretrained=drawn[1], digest="b" * 64, settings=changes)
    require_one_configuration([])
    require_one_configuration([one, seed])
    with pytest.raises(ValueError, match="expected each run once, got runs/0, runs/0, of which two have"):
        require_one_configuration([one, one])
    whole = dataclasses.replace(one, pretrained=drawn[0] | {"projector": np.ones(2)}, digest="d" * 64)
    with pytest.raises(ValueError, match="of which two have the same encoder, with or without the rest"):
        require_one_configuration([one, seed, whole])
    otherwise = dataclasses.replace(seed, pooling="lead")
    with pytest.raises(ValueError, match=r"runs/0 and runs/1 differ in pooling rhythm / lead: evaluate each"):
        require_one_configuration([one, otherwise])
    changes = {"step": 50, "settings": settings | {"objective.lambda_c": 0.5}}
    other = dataclasses.replace(seed, pretrained=drawn[2], digest="c" * 64, **changes)
    with pytest.raises(
        ValueError, match=r"differ in config\.objective\.lambda_c 0\.1 / 0\.5; step 100 / 50: "
    ):
        require_one_configuration([one, seed, other])
    changed = dataclasses.replace(seed, data_digests={"ptbxl": "b" * 64})
    with pytest.raises(ValueError, match=r"runs/0 and runs/1 differ in data ptbxl aaaaaaaaaaaaaaaa / bbb"):
        require_one_configuration([one, changed])


def test_features_of_other_code_are_computed_again(tmp_path, monkeypatch):
    recordings = made_recordings(3)
    for code in ("a" * 64, "b" * 64, "b" * 64):
        monkeypatch.setattr(methods, "digest_of_code", lambda code=code: code)
        methods.rival(0, PREPROCESSING, tmp_path)(recordings)
    assert len(list(tmp_path.iterdir())) == 2


def test_without_validation_a_fifth_of_the_patients_chooses_the_epoch_and_all_are_fitted(monkeypatch):
    recordings = made_recordings(150)
    fitted_on = []

    def counted(*arguments, **about):
        fitted_on.append((len(arguments[3]), about["epochs"]))
        return refit(*arguments, **about)

    monkeypatch.setattr(fits, "refit", counted)
    cohort = labelled(recordings, recordings.labels, load_label_set("ptbxl_superclass"), "made")
    fitted = compared([made_encoder(4)], protocol="linear")[SCRATCH][0].fit(cohort, None)
    assert fitted.judged.probabilities.shape == (30, 5)
    assert fitted.chosen["epoch"] in (1, 2)
    held_out = patient_folds(cohort.groups, cohort.labels, seed=fits.HELD_OUT_SEED) == 0
    np.testing.assert_array_equal(cohort.labels[held_out], fitted.judged.labels)
    assert fitted_on == [(150, fitted.chosen["epoch"])]
    asked = fitted.predict(cohort.take(held_out).recordings)
    # What chose the epoch had not seen these; what answers has.
    assert not np.allclose(asked, fitted.judged.probabilities, atol=1e-6)


def test_with_validation_nothing_is_fitted_again(monkeypatch):
    monkeypatch.setattr(fits, "refit", lambda *arguments, **about: pytest.fail("it was"))
    recordings = made_recordings(150)
    cohort = labelled(recordings, recordings.labels, load_label_set("ptbxl_superclass"), "made")
    held_out = patient_folds(cohort.groups, cohort.labels) == 0
    by = cohort.take(held_out)
    fitted = compared([made_encoder(4)], protocol="linear")[SCRATCH][0].fit(cohort.take(~held_out), by)
    np.testing.assert_allclose(fitted.predict(by.recordings), fitted.judged.probabilities, atol=1e-6)


def test_other_preprocessing_is_refused_with_its_fields():
    with pytest.raises(ValueError, match=r"runs/0: .*: high_pass 0.05 / 0.67; low_pass 100.0 / 40.0; set"):
        compared([made_encoder(high_pass=0.05, low_pass=100.0)], protocol="linear")


def test_comparisons_name_known_methods():
    names = {UNTRAINED, PRETRAINED, SCRATCH, RIVAL, JOINED}
    assert {name for pair in methods.COMPARISONS for name in pair} <= names
