import dataclasses
import gc
import weakref

import numpy as np
import pytest
from made_runs import first_state, made_recordings, placement_of, tiny_experiment

from coreecg_jax.training.validation import make_validator


def never():
    return False


@pytest.fixture(scope="module")
def experiment():
    return tiny_experiment()


@pytest.fixture(scope="module")
def parameters(experiment):
    return first_state(experiment, placement_of(8)).parameters


@pytest.fixture(scope="module")
def recordings():
    return made_recordings(20)


@pytest.fixture(scope="module")
def figures(experiment, parameters, recordings):
    """Of two validations by one validator: two whole batches, four recordings left over."""
    validate = make_validator(experiment.objective, recordings, batch_size=8, placement=placement_of(8))
    return validate(parameters, never), validate(parameters, never)


def test_it_asks_the_same_each_time(figures):
    np.testing.assert_equal(figures[0], figures[1])
    assert all(type(value) is float for value in figures[0].values())


def test_it_tells_losses_and_the_health_of_the_representation(experiment, figures):
    names = ("loss", "reconstruction", "contrastive", "explained_variance", "explained_variance_V1")
    for name in (*names, "alignment", "uniformity", "effective_rank"):
        assert np.isfinite(figures[0][name]), name
    loss = figures[0]["reconstruction"] + experiment.objective.lambda_c * figures[0]["contrastive"]
    assert figures[0]["loss"] == pytest.approx(loss, rel=1e-5)


def test_only_whole_batches_count(experiment, parameters, recordings, figures):
    def validated(changed):
        ecg = recordings.ecg.copy()
        ecg[changed] = ecg[changed][:, ::-1]
        other = dataclasses.replace(recordings, ecg=ecg)
        return make_validator(experiment.objective, other, batch_size=8, placement=placement_of(8))(
            parameters, never
        )

    np.testing.assert_equal(validated(slice(16, 20)), figures[0])
    assert validated(slice(15, 16))["loss"] != figures[0]["loss"]


def test_too_few_recordings_are_told(experiment, recordings):
    message = r"data\.validation_batch_size: expected at most the 20 validation windows of 9 s .*got 24"
    with pytest.raises(ValueError, match=message):
        make_validator(experiment.objective, recordings, batch_size=24, placement=placement_of(8))


def test_the_recordings_are_not_held_on_the_host_once_they_are_on_the_devices(experiment):
    recordings = made_recordings(8)
    ecg = weakref.ref(recordings.ecg)
    validate = make_validator(experiment.objective, recordings, batch_size=8, placement=placement_of(8))
    del recordings
    gc.collect()
    assert ecg() is None
    assert callable(validate)
