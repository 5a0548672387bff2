import dataclasses

import jax
import numpy as np
import pytest
from made_runs import PREPROCESSING, assert_same, first_state, placement_of, tiny_config, tiny_experiment

from coreecg_jax.training.checkpoints import Checkpoints, load_parameters
from coreecg_jax.training.experiment import resolved

CONFIG = resolved(tiny_config())


@pytest.fixture(scope="module")
def fresh():
    return first_state(tiny_experiment(), placement_of(8))


def at_step(state, step):
    """A state with other numbers in all its leaves."""
    return jax.tree.map(lambda x: x + step, state)


def test_the_last_state_comes_back_to_the_bit_on_other_devices_too(tmp_path, fresh):
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        assert checkpoints.restore_last(fresh) is fresh
        for step in (3, 5):
            checkpoints.save_last(at_step(fresh, step))
    for devices in (8, 1):
        template = jax.device_put(fresh, placement_of(devices).replicated)
        with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
            restored = checkpoints.restore_last(template)
        assert_same(restored, at_step(fresh, 5))
        # The step is traced again where any of these differ.
        for one, other in zip(jax.tree.leaves(restored), jax.tree.leaves(template)):
            assert (one.weak_type, one.sharding) == (other.weak_type, other.sharding)


def test_parameters_come_back_with_what_they_are(tmp_path, fresh):
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        checkpoints.save_last(at_step(fresh, 2))
    loaded = load_parameters(tmp_path)
    assert_same(loaded.parameters, at_step(fresh, 2).parameters)
    assert_same(loaded.params, at_step(fresh, 2).parameters["network"])
    assert (loaded.step, loaded.preprocessing) == (2, PREPROCESSING)
    assert loaded.config.to_dict() == CONFIG.to_dict()
    assert {len(leaf.devices()) for leaf in jax.tree.leaves(loaded.parameters)} == {1}


def test_the_best_is_that_of_the_lowest_loss_across_starts(tmp_path, fresh):
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        losses = {1: 3.0, 2: float("nan"), 3: 2.0, 4: 2.5}
        saved = [checkpoints.save_if_best(at_step(fresh, step), loss) for step, loss in losses.items()]
        assert saved == [True, False, True, False]
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        assert not checkpoints.save_if_best(at_step(fresh, 3), 2.0)  # met again after a resumption
        assert not checkpoints.save_if_best(at_step(fresh, 5), 2.25)
        assert load_parameters(tmp_path, "best").step == 3
        assert checkpoints.save_if_best(at_step(fresh, 6), 1.0)
    loaded = load_parameters(tmp_path, "best")
    assert loaded.step == 6
    assert_same(loaded.parameters, at_step(fresh, 6).parameters)


def test_what_was_written_by_half_is_not_seen(tmp_path, fresh):
    half = tmp_path / "checkpoints" / "last" / "7.orbax-checkpoint-tmp" / "state"
    half.mkdir(parents=True)
    (half / "d").write_bytes(b"half")
    with pytest.raises(FileNotFoundError, match="no last checkpoint"):
        load_parameters(tmp_path)
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        assert checkpoints.restore_last(fresh) is fresh
        checkpoints.save_last(at_step(fresh, 4))
    half.mkdir(parents=True, exist_ok=True)
    assert load_parameters(tmp_path).step == 4


@pytest.mark.parametrize("which", ["last", "best"])
def test_no_checkpoint_is_told_and_nothing_is_made(tmp_path, which):
    with pytest.raises(FileNotFoundError, match=rf"no {which} checkpoint under .* as written by launch"):
        load_parameters(tmp_path / "none", which)
    assert not (tmp_path / "none").exists()


def test_a_run_goes_on_with_its_own_settings_only(tmp_path, fresh):
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        checkpoints.save_last(at_step(fresh, 1))
    free = resolved(tiny_config({"run.log_every": 7, "run.checkpoint_every": 2, "data.root": "elsewhere"}))
    with Checkpoints(tmp_path, free, PREPROCESSING) as checkpoints:
        assert int(checkpoints.restore_last(fresh).step) == 1
    other = resolved(tiny_config({"model.width": 32, "optimizer.clip": 2.0}))
    filtered = dataclasses.replace(PREPROCESSING, low_pass=45.0)
    with Checkpoints(tmp_path, other, filtered) as checkpoints, pytest.raises(ValueError) as raised:  # noqa: PT011
        checkpoints.restore_last(fresh)
    message = str(raised.value)
    assert message.startswith(f"{tmp_path} holds a run with other settings")
    for difference in (
        "config.model.width: 16 in the run, 32 asked",
        "config.optimizer.clip: 1.0 in the run, 2.0 asked",
        "preprocessing.low_pass: 40.0 in the run, 45.0 asked",
    ):
        assert difference in message
    assert message.count(" asked") == 3


def test_a_step_is_saved_once(tmp_path, fresh):
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        checkpoints.save_last(at_step(fresh, 1))
        before = [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))]
        checkpoints.save_last(at_step(fresh, 1))
    np.testing.assert_array_equal([path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))], before)
