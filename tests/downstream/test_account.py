"""One recording as pretraining sees it, and the account of a run: against the network's own numbers."""

import dataclasses

import jax
import numpy as np
import pytest
from made_cohorts import made_recordings
from made_parameters import made_parameters

from coreecg_jax.downstream import account, examples, recovery
from coreecg_jax.downstream.account import account_of, similarities
from coreecg_jax.downstream.examples import example_of
from coreecg_jax.method.masking import STDM
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.objective import Objective

RECORDINGS = made_recordings(6)
RATE = RECORDINGS.preprocessing.sampling_rate
SIZES = {"width": 8, "depth": 1, "heads": 2, "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 2}
NETWORK = CoReECG(patch=5, registers=1, projection=4, kernels=0, **SIZES)
# Two crops of 0.75 s in a window of 2 s.
OBJECTIVE = Objective(NETWORK, crop_samples=15, sampling_rate=RATE)


@pytest.fixture(scope="module")
def parameters():
    network = made_parameters(NETWORK)
    return {"network": network, "fda": OBJECTIVE.fda.init(OBJECTIVE.crop_samples, RATE)}


@pytest.mark.parametrize("batch_size", [None, 32])
def test_the_example_is_the_recording_in_millivolts_crop_after_crop(parameters, batch_size):
    example = example_of(OBJECTIVE, parameters, RECORDINGS, 2, batch_size=batch_size)
    expected = RECORDINGS.ecg[2, :, :30].astype(np.float64).reshape(12, 2, 15) / 1000
    expected -= expected.mean(-1, keepdims=True)
    # The limb leads of noise are not derived from each other: they stay as they are.
    np.testing.assert_allclose(example.recording_LT, expected.reshape(12, 30), atol=1e-5)
    assert example.recording_id == "r2"
    assert example.crop_seconds == pytest.approx(0.75)
    assert np.abs(example.view_LT - example.recording_LT).max() > 0
    assert np.square(example.view_LT).sum() == pytest.approx(np.square(example.recording_LT).sum(), rel=1e-3)
    # Each view is of its own crop: those of two crops of noise have nothing in common.
    alike_N = (example.view_LT * example.recording_LT).reshape(12, 2, 15).sum((0, 2))
    assert (alike_N > 0.5 * np.square(example.recording_LT).reshape(12, 2, 15).sum((0, 2))).all()


def test_only_what_is_hidden_is_predicted_and_at_first_by_its_mean(parameters):
    example = example_of(OBJECTIVE, parameters, RECORDINGS, 0, batch_size=32)
    np.testing.assert_array_equal(np.isfinite(example.prediction_LT), example.hidden_LT)
    assert example.hidden_LT.any()
    assert not example.hidden_LT.all()
    means = np.repeat(example.recording_LT.reshape(12, 6, 5).mean(-1), 5, axis=1)
    hidden = example.hidden_LT
    np.testing.assert_allclose(example.prediction_LT[hidden], means[hidden], atol=1e-5)


def test_a_lead_that_is_not_available_is_not_shown(parameters):
    quality = RECORDINGS.quality.copy()
    quality[0, 8] = 1
    some = dataclasses.replace(RECORDINGS, quality=quality)
    example = example_of(OBJECTIVE, parameters, some, 0, batch_size=32)
    assert np.isnan(example.recording_LT[8]).all()
    assert np.isnan(example.view_LT[8]).all()
    assert not example.hidden_LT[8].any()
    with pytest.raises(ValueError, match="at least 15 samples, got 14"):
        example_of(OBJECTIVE, parameters, dataclasses.replace(RECORDINGS, length=np.full(6, 14)), 0)


def test_similarities_are_those_of_the_projections(parameters):
    found = similarities(OBJECTIVE, parameters, RECORDINGS)
    batch = RECORDINGS.batch(np.minimum(np.arange(32), 5))
    key = jax.random.fold_in(jax.random.key(0), 0)
    forward = jax.jit(OBJECTIVE.forward)
    output = forward(parameters, key, batch.ecg, batch.length, batch.available).output
    z = np.asarray(output.projection_BE)
    np.testing.assert_allclose(found.positive, [z[i] @ z[32 + i] for i in range(6)], atol=1e-5)
    assert len(found.negative) == 30
    same = dataclasses.replace(RECORDINGS, patient_key=np.zeros(6, np.uint32))
    with pytest.raises(ValueError, match="at least two patients"):
        similarities(OBJECTIVE, parameters, same)


def test_an_account_has_all_its_parts_and_compiles_the_network_once(parameters, monkeypatch):
    shapes, jitted_forward = set(), recovery.jitted_forward

    def noting(objective):
        def forward(*arguments):
            shapes.add(tuple((x.shape, x.dtype) for x in jax.tree.leaves(arguments)))
            return jitted_forward(objective)(*arguments)

        return forward

    for module in (account, examples, recovery):
        monkeypatch.setattr(module, "jitted_forward", noting)
    hertz = np.array([0.0, 3.0, 6.0])
    found = account_of("x", OBJECTIVE, parameters, RECORDINGS, RECORDINGS, frequency_hz=hertz)
    assert list(found.explained) == ["x", "the mean", "linear regression", "beat template"]
    assert [row.mask for row in found.leakage][:2] == ["dual", "time"]
    assert (found.leakage[1].of_hidden, found.power.shape) == (0, (3,))
    assert len(shapes) == 1


def test_what_cannot_be_said_is_none(monkeypatch, parameters):
    for name in ("example_of", "mask_leakage", "similarities"):
        monkeypatch.setattr(account, name, lambda *_, **__: ())
    hertz = np.array([0.0, 3.0])
    random = dataclasses.replace(OBJECTIVE, stdm=STDM("random"))
    found = account_of("x", random, parameters, RECORDINGS, RECORDINGS, frequency_hz=hertz)
    assert (found.explained, found.leakage, found.similarities) == (None, (), ())
    poor = dataclasses.replace(
        RECORDINGS, quality=np.eye(6, 12, dtype=np.int32), patient_key=np.zeros(6, np.uint32)
    )
    found = account_of("x", OBJECTIVE, parameters, poor, poor, frequency_hz=hertz)
    assert (found.explained, found.leakage, found.similarities) == (None, None, None)
