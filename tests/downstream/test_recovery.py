"""What the network recovers: known predictions, both views, no copies counted, references beside it."""

import dataclasses

import numpy as np
import pytest
from made_cohorts import made_recordings
from made_parameters import made_parameters

from coreecg_jax.downstream.recovery import compare, recover, require_same_question
from coreecg_jax.method.augmentation import USUAL
from coreecg_jax.method.masking import STDM
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.objective import Objective

RECORDINGS = made_recordings(6)
RATE = RECORDINGS.preprocessing.sampling_rate
NETWORK = CoReECG(
    patch=10,
    width=8,
    depth=1,
    heads=2,
    decoder_width=8,
    decoder_depth=1,
    decoder_heads=2,
    registers=1,
    projection=4,
    kernels=0,
)
OBJECTIVE = Objective(NETWORK, crop_samples=RECORDINGS.ecg.shape[-1] // 10 * 10, sampling_rate=RATE)


@pytest.fixture(scope="module")
def parameters():
    network = made_parameters(NETWORK)
    return {"network": network, "fda": OBJECTIVE.fda.init(OBJECTIVE.crop_samples, RATE)}


def test_both_views_of_each_recording_and_no_copies(parameters):
    batches = list(recover(OBJECTIVE, parameters, RECORDINGS, batch_size=4))
    assert [len(batch.target_BLT) for batch in batches] == [8, 4]  # the second is filled up to four
    for batch in batches:
        assert batch.judge(batch.target_BLT, 10).overall == pytest.approx(1, abs=1e-5)
        # The decoder's output starts at zero: the mean of each patch.
        assert batch.judge(batch.prediction_BLT, 10).overall == pytest.approx(0, abs=1e-5)


def test_what_is_recovered_is_asked_without_augmentation(parameters):
    augmenting = dataclasses.replace(OBJECTIVE, augmentation=USUAL)
    (plain,), (asked,) = (
        recover(one, parameters, RECORDINGS, batch_size=6) for one in (OBJECTIVE, augmenting)
    )
    assert asked.available_BL.tolist() == plain.available_BL.tolist()
    np.testing.assert_array_equal(asked.prediction_BLT, plain.prediction_BLT)


def test_a_table_has_the_model_and_three_references(parameters):
    rows = compare({"fresh": (OBJECTIVE, parameters)}, RECORDINGS, RECORDINGS)
    assert list(rows) == ["fresh", "the mean", "linear regression", "beat template"]
    assert rows["fresh"].overall == pytest.approx(rows["the mean"].overall, abs=1e-5)


def test_runs_that_were_asked_otherwise_are_not_compared():
    time_only = dataclasses.replace(OBJECTIVE, stdm=STDM(mode="time"))
    with pytest.raises(ValueError, match=r"one crop, patch, sampling rate and mask, got a: .*; b: "):
        require_same_question({"a": OBJECTIVE, "b": time_only})
    with pytest.raises(ValueError, match="whole columns and leads, got mode 'random'"):
        require_same_question({"a": dataclasses.replace(OBJECTIVE, stdm=STDM(mode="random"))})
    require_same_question({"a": time_only, "b": time_only})
