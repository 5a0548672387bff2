import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_cohorts import CODES, made_recordings
from made_encoders import CROP_SECONDS, NETWORK, fresh_parameters, planted_labels

from configs.downstream import protocols
from coreecg_jax.downstream import finetuning
from coreecg_jax.downstream.choosing import Standing
from coreecg_jax.downstream.finetuning import fine_tune, predict, refit
from coreecg_jax.downstream.finetuning_settings import Settings
from coreecg_jax.downstream.finetuning_step import (
    Windows,
    _compiled,
    compiled,
    training_crops,
)
from coreecg_jax.downstream.scores import TooFewRecordings, macro_auroc
from coreecg_jax.downstream.tokens import ENCODER, leads_in_use

# Everything is on, so that one compilation covers it.
FULL = Settings(
    head="linear",
    frozen=False,
    learning_rate=3e-3,
    layer_decay=0.8,
    epochs=6,
    patience=6,
    batch_size=32,
    drop_path=0.1,
    mixup=0.2,
    augment=0.1,
    evaluate_crops=2,
)
PLAIN = Settings(head="linear", frozen=False, learning_rate=1e-3)
SAMPLES = round(CROP_SECONDS * 20)
TRAIN, VALIDATION = made_recordings(160), made_recordings(100, first=1000)


def tuned_on(train_labels, validation_labels, settings=FULL, seed=0):
    data = TRAIN, train_labels, VALIDATION, validation_labels
    return fine_tune(NETWORK, fresh_parameters(), *data, settings, crop_seconds=CROP_SECONDS, seed=seed)


@pytest.fixture(scope="module")
def planted():
    """Tuned to recordings whose classes a lead tells."""
    return tuned_on(planted_labels(TRAIN), planted_labels(VALIDATION))


@pytest.fixture(scope="module")
def unplanted():
    """Tuned to labels that nothing tells, stopped early."""
    rng = np.random.default_rng(5)
    shuffled = [rng.permutation(planted_labels(each)) for each in (TRAIN, VALIDATION)]
    settings = dataclasses.replace(FULL, patience=2, min_epochs=3, learning_rate=1e-2, epochs=12)
    return tuned_on(*shuffled, settings), settings, shuffled[1]


def same(one, two):
    return jax.tree.all(
        jax.tree.map(lambda a, b: np.asarray(a).tobytes() == np.asarray(b).tobytes(), one, two)
    )


def test_learns_a_planted_signal_and_moves_the_encoder_alone(planted):
    fresh = made_recordings(100, first=5000)
    probabilities = predict(NETWORK, planted, fresh, crop_seconds=CROP_SECONDS, settings=FULL)
    assert (probabilities.shape, probabilities.dtype) == ((100, len(CODES)), np.float64)
    assert macro_auroc(probabilities, planted_labels(fresh)) > 0.9
    before = fresh_parameters()
    assert planted.encoder.keys() == before.keys()
    for name in before:
        leaves = [
            np.array_equal(*pair)
            for pair in zip(*map(jax.tree.leaves, (before[name], planted.encoder[name])))
        ]
        assert not any(leaves) if name in ENCODER else all(leaves), name


def test_labels_that_nothing_tells_score_about_a_half(unplanted):
    tuned, _, _ = unplanted
    assert abs(np.mean([epoch.validation.auroc for epoch in tuned.history]) - 0.5) < 0.07


def test_stops_early_and_returns_the_best_epoch(unplanted):
    tuned, settings, labels = unplanted
    scores = [epoch.validation.auroc for epoch in tuned.history]
    assert tuned.best_epoch == 1 + int(np.argmax(scores))
    assert len(scores) == max(settings.min_epochs, tuned.best_epoch + settings.patience) < settings.epochs
    again = predict(NETWORK, tuned, VALIDATION, crop_seconds=CROP_SECONDS, settings=settings)
    assert macro_auroc(again, labels) == scores[tuned.best_epoch - 1]
    assert len(set(scores)) == len(scores)  # so another epoch's parameters would not have passed


def test_of_epochs_that_rank_alike_the_one_that_says_most_is_returned(monkeypatch):
    told = [(0.9, 0.1), (1.0, 0.6), (1.0, 0.3), (1.0, 0.3), (1.0, 0.4), (0.9, 0.0)]
    standings = iter([Standing(*each) for each in told])
    monkeypatch.setattr(finetuning, "standing", lambda *_, **__: next(standings))
    settings = dataclasses.replace(FULL, patience=2)
    tuned = tuned_on(planted_labels(TRAIN), planted_labels(VALIDATION), settings)
    assert tuned.best_epoch == 3
    assert [epoch.validation for epoch in tuned.history] == told[:5]  # patience counts from the third
    about = NETWORK, fresh_parameters(), TRAIN, planted_labels(TRAIN), settings
    assert same(refit(*about, epochs=3, crop_seconds=CROP_SECONDS, seed=0)[:2], tuned[:2])


def test_a_refit_on_the_same_recordings_is_the_epoch_that_was_chosen(unplanted):
    tuned, settings, _ = unplanted
    rng = np.random.default_rng(5)
    about = NETWORK, fresh_parameters(), TRAIN, rng.permutation(planted_labels(TRAIN)), settings
    again = functools.partial(refit, *about, crop_seconds=CROP_SECONDS, seed=0)
    found = again(epochs=tuned.best_epoch)
    assert same(found[:2], tuned[:2])
    assert (found.best_epoch, found.history) == (tuned.best_epoch, ())
    with pytest.raises(ValueError, match=r"epochs: expected 1 to 12, those of the settings, got 13"):
        again(epochs=13)


def test_what_is_not_known_is_neither_learned_from_nor_chosen_by():
    labels, validation = planted_labels(TRAIN), planted_labels(VALIDATION)
    rng = np.random.default_rng(2)
    known, validation_known = (rng.random(each.shape) < 0.7 for each in (labels, validation))
    short = dataclasses.replace(FULL, epochs=2, warmup_epochs=1.0)

    def tuned(labels, validation, **masks):
        data = TRAIN, labels, VALIDATION, validation, short
        return fine_tune(NETWORK, fresh_parameters(), *data, crop_seconds=CROP_SECONDS, seed=0, **masks)

    masks = {"known": known, "validation_known": validation_known}
    one = tuned(labels, validation, **masks)
    two = tuned(labels ^ ~known, validation ^ ~validation_known, **masks)
    assert same(one[:2], two[:2])
    assert one.history == two.history
    assert not same(one.head, tuned(labels, validation).head)


@pytest.mark.slow
def test_a_seed_decides_everything_and_nothing_compiles_twice(planted):
    before = _compiled.cache_info().misses
    labels = planted_labels(TRAIN), planted_labels(VALIDATION)
    assert same(tuned_on(*labels)[:2], planted[:2])
    short = dataclasses.replace(FULL, epochs=3, warmup_epochs=1.0, learning_rate=1e-3)
    assert not same(tuned_on(*labels, short, seed=1).head, tuned_on(*labels, short, seed=2).head)
    assert _compiled.cache_info().misses == before
    step: Any = compiled(NETWORK, FULL, classes=len(CODES), places=tuple(range(12)), samples=SAMPLES).step
    assert step._cache_size() == 1


def windows_of(recordings):
    ecg, length, available, _ = recordings.batch(slice(None))
    labels = planted_labels(recordings)
    return Windows(*map(jnp.asarray, (ecg, length, available, labels, np.ones_like(labels))))


def test_without_changes_a_crop_is_a_part_of_its_window():
    recordings = made_recordings(32)
    recordings.length[:4] = SAMPLES - 7
    crops = training_crops(jax.random.key(0), windows_of(recordings), PLAIN, SAMPLES, jnp.float32(1e-3))
    np.testing.assert_array_equal(crops.labels_BC, planted_labels(recordings))
    assert np.asarray(crops.length_B).tolist() == [SAMPLES - 7] * 4 + [SAMPLES] * 28
    places = np.lib.stride_tricks.sliding_window_view(recordings.ecg, SAMPLES, axis=2) * np.float32(1e-3)
    crop_BL1T = np.asarray(crops.ecg_BLT)[:, :, None]
    matches = np.isclose(places, crop_BL1T, atol=1e-6).all(axis=(1, 3))  # (B, starts)
    starts = matches.argmax(axis=1)
    assert np.any(matches, axis=1).all()
    assert (starts[:4] == 0).all()
    assert len(set(starts[4:].tolist())) > 5


def test_padding_and_missing_leads_take_part_in_nothing(planted):
    recordings = made_recordings(32)
    recordings.length[:] = 26
    recordings.quality[:, 7] = 2
    recordings.quality[:16, 2] = 2
    spoilt = made_recordings(32)
    rubbish = np.random.default_rng(0).integers(-9000, 9000, spoilt.ecg.shape)
    spoilt.ecg[:] = np.where(np.arange(40)[None, None] < 26, recordings.ecg, rubbish)
    spoilt.ecg[:, 7] = rubbish[:, 7]
    spoilt.ecg[:16, 2] = rubbish[:16, 2]
    spoilt.length[:], spoilt.quality[:] = recordings.length, recordings.quality
    ask = functools.partial(predict, NETWORK, planted, crop_seconds=CROP_SECONDS, settings=FULL)
    np.testing.assert_array_equal(ask(recordings), ask(spoilt))
    functions = compiled(NETWORK, FULL, classes=len(CODES), places=tuple(range(12)), samples=SAMPLES)
    fixed = {name: each for name, each in planted.encoder.items() if name not in ENCODER}
    trained = {
        "encoder": {name: planted.encoder[name] for name in planted.encoder if name in ENCODER},
        "head": planted.head,
    }
    one, two = (
        functions.step(
            functions.start(trained),
            fixed,
            windows_of(each),
            np.float32(1e-3),
            np.float32(1e-3),
            np.uint32(0),
        )
        for each in (recordings, spoilt)
    )
    assert same(one, two)


def test_leads_that_nobody_has_are_not_computed(planted):
    few = made_recordings(20)
    few.quality[:, [1, 2, 3, 4, 5, 8, 9, 10, 11]] = 2
    assert leads_in_use(few) == (0, 6, 7)
    ask = functools.partial(predict, NETWORK, planted, crop_seconds=CROP_SECONDS, settings=FULL)
    both = made_recordings(40)
    both.ecg[:20], both.quality[:20] = few.ecg, few.quality
    np.testing.assert_allclose(ask(few), ask(both)[:20], atol=1e-6)
    few.quality[3, 1] = 0
    assert leads_in_use(few) == (0, 1, 2, 3, 4, 5, 6, 7)
    few.quality[:] = 2
    # Of a source that is held out in turn it is no reason to leave out the others.
    with pytest.raises(TooFewRecordings, match="20 windows without any that is used, of "):
        ask(few)


def test_windows_of_a_recording_are_averaged(planted):
    ask = functools.partial(predict, NETWORK, planted, crop_seconds=CROP_SECONDS, settings=FULL)
    apart = made_recordings(3)
    joined = made_recordings(3, recording_id=np.array(["a", "b", "a"]))
    each = ask(apart)
    np.testing.assert_allclose(ask(joined), [(each[0] + each[2]) / 2, each[1]], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": "mlp"}, "head: expected one of attention, linear, got 'mlp'"),
        ({"learning_rate": 0.0}, "learning_rate: expected more than 0"),
        ({"drop_path": -0.1}, "drop_path: expected 0 or more"),
        ({"layer_decay": 1.5}, "layer_decay at most 1"),
        ({"drop_path": 1.0}, "drop_path below 1"),
        ({"epochs": 2}, "epochs: expected more than warmup_epochs"),
        ({"learning_rate": float("nan")}, "learning_rate: expected more than 0"),
        ({"frozen": True, "drop_path": 0.1}, "frozen: expected drop_path 0"),
    ],
)
def test_wrong_settings_name_their_field(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PLAIN, **change)


def test_data_that_do_not_fit_are_refused():
    labels, wanted = planted_labels(TRAIN), planted_labels(VALIDATION)
    tune = functools.partial(fine_tune, NETWORK, fresh_parameters(), TRAIN, seed=0)
    with pytest.raises(ValueError, match="train labels: expected bool of 160 recordings"):
        tune(labels[:-1], VALIDATION, wanted, FULL, crop_seconds=CROP_SECONDS)
    with pytest.raises(ValueError, match="validation labels: expected bool of 100 recordings and 5 classes"):
        tune(labels, VALIDATION, wanted[:, :4], FULL, crop_seconds=CROP_SECONDS)
    with pytest.raises(ValueError, match="whole number of patches"):
        tune(labels, VALIDATION, wanted, FULL, crop_seconds=1.7)
    with pytest.raises(ValueError, match="at most the stored 2 s"):
        tune(labels, VALIDATION, wanted, FULL, crop_seconds=2.5)
    with pytest.raises(ValueError, match="no class has 1 positives"):
        tune(labels, VALIDATION.take(slice(0, 1)), wanted[:1], FULL, crop_seconds=CROP_SECONDS)


def test_the_configured_protocols_are_settings():
    config = protocols.get_config()
    groups = {name: Settings(**config[name]) for name in ("attention", "finetune", "scratch")}
    assert {name: each.frozen for name, each in groups.items()} == {
        "attention": True,
        "finetune": False,
        "scratch": False,
    }
