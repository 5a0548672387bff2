import json

import numpy as np
import pytest
from made_runs import PREPROCESSING, first_state, made_recordings, placement_of, tiny_experiment
from made_shards import example, serialise, write_data_set

from coreecg_jax.inputs.together import Processes
from coreecg_jax.inputs.validation_windows import validation_windows
from coreecg_jax.training.validation import make_validator


def never():
    return False


@pytest.fixture(scope="module")
def experiment():
    return tiny_experiment()


@pytest.fixture(scope="module")
def parameters(experiment):
    return first_state(experiment, placement_of(8)).parameters


def stored(folder, mirrored=()):
    """Twenty windows of 9 s or more, some of them with their leads in the opposite order."""
    recordings, rows = made_recordings(20), []
    for number in range(20):
        ecg = recordings.ecg[number, ::-1] if number in mirrored else recordings.ecg[number]
        fields = {"ecg": ecg.astype("<i2"), "length": int(recordings.length[number]), "quality": [0] * 12}
        patient = int(recordings.patient_key[number])
        rows.append(serialise(example(number, "made", **fields, patient_key=patient)))
    write_data_set(folder, "made", {"all": [rows[:11], rows[11:]]}, preprocessing=PREPROCESSING)
    return validation_windows(folder, "made", min_seconds=9.0)


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def figures(experiment, parameters, windows):
    """Of two validations by one validator: two whole batches, four windows left over."""
    validate = make_validator(experiment.objective, windows, batch_size=8, placement=placement_of(8))
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


def test_only_whole_batches_count(experiment, parameters, tmp_path, figures):
    def validated(mirrored):
        other = stored(tmp_path / str(len(mirrored)), mirrored)
        return make_validator(experiment.objective, other, batch_size=8, placement=placement_of(8))(
            parameters, never
        )

    np.testing.assert_equal(validated(range(16, 20)), figures[0])
    assert validated([15])["loss"] != figures[0]["loss"]


def test_too_few_windows_are_told(experiment, windows):
    message = r"data\.validation_batch_size: expected at most the 20 validation windows of 9 s .*got 24"
    with pytest.raises(ValueError, match=message):
        make_validator(experiment.objective, windows, batch_size=24, placement=placement_of(8))


def test_what_another_process_cannot_read_ends_this_one_too(experiment, windows):
    damaged = {"mistake": "ValueError", "given": ["x.tfrecord, record 3: wrong checksum"]}
    processes = Processes(0, 2, lambda text: [text, json.dumps([damaged])])
    with pytest.raises(ValueError, match=r"x\.tfrecord, record 3: wrong checksum"):
        make_validator(
            experiment.objective, windows, batch_size=8, placement=placement_of(8), processes=processes
        )
