"""A loaded bundle: any leads, any rate, the same numbers as the evaluation."""

import dataclasses
import functools
import warnings

import jax
import numpy as np
import pytest
from made_bundle import CROP, NETWORK, PATCH, RATE, SIX, made_parameters, rows

import coreecg_jax
from coreecg_jax.downstream.features import crop_features
from coreecg_jax.export import programs
from coreecg_jax.export.bundle import UnseenLeads
from coreecg_jax.export.crops import embed_recordings
from coreecg_jax.export.description import Representation
from coreecg_jax.export.recordings import Windows
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method import representation
from coreecg_jax.method.representation import represent
from coreecg_jax.records.conditioning import condition, to_int16
from coreecg_jax.records.formats import limits
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.records.schema import Preprocessing

embed_by_hand = jax.jit(functools.partial(represent, NETWORK, pooling="lead"))
EIGHT = ("I", "II", *LEADS[6:])
P = Preprocessing(sampling_rate=RATE)


def test_in_a_notebook_it_is_one_line(bundle):
    assert len(repr(bundle)) < 200
    assert f"reads mV at {bundle.description.preprocessing.sampling_rate:g} Hz" in repr(bundle)


def test_it_is_loaded_by_the_name_of_the_package(written, bundle) -> None:
    assert coreecg_jax.load(written).description == bundle.description
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = coreecg_jax.lode


def test_an_embedding_is_that_of_the_evaluation(bundle, ecg, embedding) -> None:
    """What preparing stores, rounded to microvolts, and `crop_features` makes of it."""
    stored = to_int16(condition(ecg, 500.0, P), P.microvolts_per_unit)[None]
    held = dict.fromkeys((field.name for field in dataclasses.fields(Recordings)), np.array(["x"]))
    held |= {"length": np.array([1000], np.int32), "quality": np.zeros((1, 12), np.int32)}
    recordings = Recordings(**(held | {"ecg": stored, "preprocessing": P}))

    features = crop_features(
        functools.partial(embed_by_hand, made_parameters()["network"]),
        recordings,
        crop_seconds=CROP / RATE,
        crops=3,
        batch_size=4,
    )
    assert embedding.shape == features.shape == (1, 25 * 16)
    np.testing.assert_allclose(embedding, features, atol=0.02)  # 0.5 uV of rounding
    assert np.abs(features).std() > 0.1


def test_any_leads_in_any_order(bundle, ecg, embedding) -> None:
    order = np.random.default_rng(0).permutation(12)
    shuffled = bundle.embed(ecg[order], fs=500, leads=[LEADS[place].upper() for place in order])
    np.testing.assert_allclose(shuffled, embedding, atol=1e-5)
    eight = bundle.embed(rows(ecg, EIGHT), fs=500, leads=EIGHT)
    np.testing.assert_allclose(eight, embedding, atol=1e-4)


def test_missing_leads_are_masked_and_told(bundle, ecg, embedding) -> None:
    with pytest.warns(UnseenLeads, match=r"leads I, II, V2 alone: .* fewer than 10 .*: nothing known"):
        three = bundle.embed(rows(ecg, ("I", "II", "V2")), fs=500, leads=("I", "II", "V2"))
    lost = ecg.copy()
    lost[7 + 1 :] = lost[6] = np.nan
    with pytest.warns(UnseenLeads):
        masked = bundle.embed(lost, fs=500, bad_leads="mask")
    np.testing.assert_allclose(masked, three, atol=1e-5)
    assert np.abs(three - embedding).max() > 0.1
    with pytest.warns(UnseenLeads, match=r"linear, leads I, .*: macro AUROC 0.800 \(0.750 to 0.850\)"):
        bundle.embed(rows(ecg, SIX), fs=500, leads=SIX)


def test_accuracy_is_known_of_what_leads_determine(bundle) -> None:
    known = f"made_task, linear, leads {', '.join(SIX)}: macro AUROC 0.800 (0.750 to 0.850)"
    for leads in (SIX, SIX[::-1], ("I", "II"), ("aVF", "III"), SIX[1:]):
        assert bundle.known_accuracy(leads) == known, leads
    for leads in (("I",), ("I", "V1"), (*SIX, "V1"), LEADS):
        assert bundle.known_accuracy(leads) == "nothing known", leads


def test_any_rate_is_resampled_as_preparing_does(bundle, ecg, embedding, monkeypatch) -> None:
    conditioned = condition(ecg, 500.0, P)
    same = bundle.embed(conditioned, fs=RATE, conditioned=True)
    np.testing.assert_allclose(same, embedding, atol=1e-5)
    with pytest.raises(ValueError, match="conditioned: expected fs = 100 Hz, got 500 Hz"):
        bundle.embed(ecg, fs=500, conditioned=True)
    with pytest.raises(RecordingRefused, match=r"sampling_rate: .*expected at least 80 Hz .* got 50 Hz"):
        bundle.embed(ecg, fs=50)
    monkeypatch.setattr(limits, "MAX_VALUES", 12 * 1000)
    for use in (bundle.embed, bundle.reconstruct):
        with pytest.raises(RecordingRefused, match=r"unreadable: .*at 100 Hz: expected at most 1000 samples"):
            use(ecg[:, :801], fs=80)


def test_many_and_long_recordings(bundle, ecg, embedding) -> None:
    several = bundle.embed([ecg, ecg[:, :4500], np.tile(ecg, 3)], fs=500)
    np.testing.assert_allclose(several[0], embedding[0], atol=1e-5)
    np.testing.assert_allclose(bundle.embed(np.stack([ecg, ecg]), fs=500)[1], embedding[0], atol=1e-5)
    whole = condition(np.tile(ecg, 3), 500.0, P)
    parts = [bundle.embed(whole[:, at : at + 1000], fs=RATE, conditioned=True) for at in (0, 1000, 2000)]
    np.testing.assert_allclose(several[2], np.mean(parts, 0)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("backend", "windows", "expected"), [("cpu", 1, [1]), ("cpu", 5, [2, 2, 2]), ("gpu", 5, [16])]
)
def test_a_cpu_is_given_few_windows_at_once(monkeypatch, backend, windows, expected) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    sizes = []

    def embed(ecg_BLT, available_BL, length_B):
        sizes.append(len(ecg_BLT))
        return ecg_BLT[:, :2, 0]

    ecg = np.random.default_rng(0).normal(size=(windows, 1, 12, CROP)).astype(np.float32)
    there, flags, length = np.ones(12, bool), np.zeros(12, np.int64), np.array([CROP], np.int32)
    made = [Windows(one, length, there, flags) for one in ecg]
    embedding = embed_recordings(embed, made, Representation("lead", CROP, 1))
    assert sizes == expected
    np.testing.assert_array_equal(embedding, ecg[:, 0, :2, 0])


@pytest.mark.parametrize(("recordings", "leads"), [(1, LEADS), (3, ("V5", "I", "II"))])
def test_a_process_that_has_not_filtered_yet_compiles_what_it_will_run(
    written, ecg, monkeypatch, recordings, leads
) -> None:
    """Once: what is compiled while the filters are imported is what the recordings are then given to."""
    compiled, imported = [], []
    monkeypatch.setattr("coreecg_jax.export.bundle.filters_are_imported", lambda: False)
    monkeypatch.setattr("coreecg_jax.export.bundle.import_filters", lambda: imported.append(True))
    # As in a new process, none is kept.
    monkeypatch.setattr(
        representation, "_compiled", functools.lru_cache(representation._compiled.__wrapped__)
    )
    monkeypatch.setattr(programs, "embedding", functools.lru_cache(programs.embedding.__wrapped__))

    def listen(event: str, seconds: float, **_: object) -> None:
        del seconds
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        bundle = coreecg_jax.load(written)
        several = [rows(ecg, leads)] * recordings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnseenLeads)
            first = bundle.embed(several, fs=500, leads=leads)
            np.testing.assert_array_equal(bundle.embed(several, fs=500, leads=leads), first)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert len(compiled) == 1
    assert len(imported) == 2  # as often as it was asked


def test_tokens_are_those_that_the_embedding_pools(bundle, ecg) -> None:
    crop = condition(ecg, 500.0, P)[:, :CROP]
    full = np.concatenate([crop[:, ::-1], crop[:, ::-1], crop, crop], axis=1)  # 16 s; the third 4 s are asked
    tokens = bundle.tokens(full, fs=RATE, conditioned=True, start=8.0)
    assert tokens.tokens_BLND.shape == (1, 12, CROP // PATCH, 16)
    crops = np.repeat(crop[None].astype(np.float32), 4, axis=0)  # as many as elsewhere: compiled once
    there, length = np.ones((4, 12), bool), np.full(4, CROP, np.int32)
    expected = embed_by_hand(bundle.parameters, crops, there, length)[0]
    np.testing.assert_allclose(tokens.global_BD[0], expected[:16], atol=1e-5)
    means = tokens.tokens_BLND[0].mean(1).reshape(-1)
    np.testing.assert_allclose(means, expected[16 : 16 + 12 * 16], atol=1e-5)
    assert tokens.seen_BLN.all()
    last = 16.0 - PATCH / RATE
    assert bundle.tokens(full, fs=RATE, conditioned=True, start=last).seen_BLN.sum() == 12
    for start in (last + 0.01, 17.0, -1.0, np.nan, np.inf):  # no whole patch is left of nothing
        with pytest.raises(ValueError, match=rf"start: expected 0 to {last:g} s in .* 0, got {start:g} s"):
            bundle.tokens(full, fs=RATE, conditioned=True, start=start)


def test_importance_has_mean_zero_and_deviation_one(bundle) -> None:
    importance = bundle.importance()
    assert importance.hertz_M.tolist() == [3.0 * band for band in range(17)]
    s_M = made_parameters()["fda"]["s"].astype(np.float64)
    np.testing.assert_allclose(importance.logit_M, (s_M - s_M.mean()) / s_M.std(), rtol=1e-4)
    assert importance.energy_weight == pytest.approx(float(made_parameters()["fda"]["a"]))


def with_training(bundle, **changes):
    training = dataclasses.replace(bundle.description.training, **changes)
    description = dataclasses.replace(bundle.description, training=training)
    return dataclasses.replace(bundle, description=description)


def test_what_training_left_at_its_start_is_not_used(bundle, ecg) -> None:
    """SimCLR and CMSC have no reconstruction, and mostly no FDA: the embedding is all that they give."""
    contrastive = with_training(bundle, method="simclr", decoder_trained=False, fda_mode="off")
    with pytest.raises(ValueError, match=r"reconstruct: expected .* 'simclr', whose objective never trained"):
        contrastive.reconstruct(ecg, fs=500)
    with pytest.raises(ValueError, match=r"importance: expected FDA of mode learned or per_bin, got .*'off'"):
        contrastive.importance()
    for mode in ("energy", "uniform"):
        with pytest.raises(ValueError, match=f"got method 'coreecg' with mode '{mode}'"):
            with_training(bundle, fda_mode=mode).importance()
    np.testing.assert_array_equal(
        with_training(bundle, decoder_trained=False).importance().logit_M, bundle.importance().logit_M
    )
