"""What is saved comes back, on other devices too."""

import errno
import threading
import time
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from made_runs import PREPROCESSING, assert_same, placement_of, tiny_experiment
from made_states import CONFIG, DATA, at_step

from coreecg_jax.training import best
from coreecg_jax.training.checkpoints import Checkpoints, load_parameters
from coreecg_jax.training.interruption import Stopped
from coreecg_jax.training.state import init_state
from coreecg_jax.training.stored import Stored


def test_the_last_state_comes_back_to_the_bit(tmp_path, fresh):
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        assert checkpoints.restore_last(fresh) is fresh
        for step in (3, 5):
            checkpoints.save_last(at_step(fresh, step))
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        restored = checkpoints.restore_last(fresh)
    assert_same(restored, at_step(fresh, 5))
    # The step is traced again where any of these differ.
    for one, other in zip(jax.tree.leaves(restored), jax.tree.leaves(fresh)):
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


def test_the_best_of_a_step_that_is_the_last_already_is_on_disk_at_once(tmp_path, fresh, monkeypatch):
    """A validation made up for: killed after it, the run would go on without a look for that best."""
    finalize = ocp.StandardCheckpointHandler.finalize

    def slowly(self, *args):
        time.sleep(0.3)
        finalize(self, *args)

    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        checkpoints.save_last(at_step(fresh, 3))
    monkeypatch.setattr(ocp.StandardCheckpointHandler, "finalize", slowly)
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        assert checkpoints.save_if_best(at_step(fresh, 3), 1.0)
        assert load_parameters(tmp_path, "best").step == 3


@pytest.fixture
def finished(monkeypatch):
    """What happens at the end of the writing of each best, in its thread: a list to put a function into."""
    finalize, what = ocp.StandardCheckpointHandler.finalize, []

    def held(self, directory, *args):
        if "best" in Path(directory).parts:
            what[0]()
        finalize(self, directory, *args)

    monkeypatch.setattr(ocp.StandardCheckpointHandler, "finalize", held)
    return what


def test_a_save_waits_for_no_best_but_is_not_seen_before_it(tmp_path, fresh, finished):
    go_on, last = threading.Event(), tmp_path / "checkpoints" / "last"
    finished.append(lambda: go_on.wait(20))
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        assert checkpoints.save_if_best(at_step(fresh, 3), 1.0)
        checkpoints.save_last(at_step(fresh, 3))
        assert not list((tmp_path / "checkpoints" / "best").glob("3"))  # else it waited for 20 s
        while not list(last.glob("3.*/_CHECKPOINT_METADATA")):  # all is written but its name
            time.sleep(0.01)
        time.sleep(0.2)
        assert not (last / "3").exists()
        checkpoints.require_written()
        go_on.set()
    assert (load_parameters(tmp_path, "best").step, load_parameters(tmp_path).step) == (3, 3)


def test_a_step_whose_best_could_not_be_written_is_not_seen_and_that_is_told(
    tmp_path, fresh, finished, capsys
):
    go_on = threading.Event()
    finished.append(lambda: go_on.wait(20) and raises(FULL)())
    with (  # noqa: PT012
        pytest.raises(OSError, match="No space left"),
        Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints,
    ):
        checkpoints.save_last(at_step(fresh, 2))
        assert checkpoints.save_if_best(at_step(fresh, 3), 1.0)
        checkpoints.save_last(at_step(fresh, 3))
        checkpoints.require_written()
        go_on.set()
        for _ in range(500):
            time.sleep(0.02)
            checkpoints.require_written()
        pytest.fail("nothing was told")
    assert load_parameters(tmp_path).step == 2
    told = "warning: a checkpoint could not be written; the last whole one is of step 2\n"
    assert told in capsys.readouterr().err


def test_whether_it_is_the_best_is_as_the_first_process_says(tmp_path, fresh, monkeypatch):
    """All save or none does; a mean may differ in its last bit from process to process."""
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        monkeypatch.setattr(best, "as_first", lambda better: 0)
        assert not checkpoints.save_if_best(at_step(fresh, 1), 1.0)
        monkeypatch.setattr(best, "as_first", lambda better: 1)
        for step, loss in ((2, 1.0), (3, 1.0 + 2**-23)):
            assert checkpoints.save_if_best(at_step(fresh, step), loss)


@pytest.mark.parametrize("which", ["last", "best"])
def test_no_checkpoint_is_told_and_nothing_is_made(tmp_path, which):
    with pytest.raises(FileNotFoundError, match=rf"no {which} checkpoint under .* by launch\.pretrain$"):
        load_parameters(tmp_path / "none", which)
    assert not (tmp_path / "none").exists()


def test_a_bundle_in_place_of_a_run_is_known(tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(FileNotFoundError, match=r"this is an exported bundle, for launch\.embed and CoReECG"):
        load_parameters(tmp_path, "last")


def test_a_step_is_saved_once(tmp_path, fresh):
    times = []
    for _ in range(2):
        with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
            checkpoints.save_last(at_step(fresh, 1))
        files = sorted((tmp_path / "checkpoints" / "last").rglob("*"))
        times.append({path: path.stat().st_mtime_ns for path in files})
    assert times[0] == times[1]


def test_what_is_written_is_what_the_state_was_though_its_buffers_are_given_away(tmp_path, fresh):
    state = jax.tree.map(lambda x: x + 3, fresh)
    expected = jax.device_get(jax.tree.map(lambda x: x + 0, state))
    scrambled = jax.jit(lambda state: jax.tree.map(lambda x: x * 0 - 1, state), donate_argnums=0)
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        checkpoints.save_last(state)
        jax.block_until_ready(scrambled(state))
        assert jax.tree.leaves(state)[0].is_deleted()
    assert_same(load_parameters(tmp_path).parameters, expected.parameters)


def raises(error):
    def raised(*_):
        raise error

    return raised


FULL = OSError(errno.ENOSPC, "No space left on device")


def end_with(error, checkpoints):
    with checkpoints, checkpoints.all_written():
        raise error


STOPPED = Stopped("stopped at step 9", 15)


@pytest.mark.parametrize("fails", ["wait", "close"])
def test_who_stops_hears_that_the_save_failed_not_that_the_state_is_saved(saved, monkeypatch, capsys, fails):
    monkeypatch.setattr(Stored, fails, raises(FULL))
    with pytest.raises(OSError, match="No space left"):
        end_with(STOPPED, Checkpoints(saved, CONFIG, PREPROCESSING))
    told = "warning: a checkpoint could not be written; the last whole one is of step 5\n"
    assert capsys.readouterr().err == told


def test_a_step_whose_save_failed_is_not_the_last_whole_one(saved, fresh, monkeypatch, capsys):
    """Orbax still counts it."""
    with Checkpoints(saved, CONFIG, PREPROCESSING) as checkpoints:
        checkpoints.save_last(at_step(fresh, 9))
        checkpoints._wait()
        (saved / "checkpoints" / "last" / "9").rename(saved / "lost")
        with monkeypatch.context() as patch:
            patch.setattr(Stored, "require_written", raises(FULL))
            with pytest.raises(OSError, match="No space left"):
                checkpoints.require_written()
    assert capsys.readouterr().err.endswith("; the last whole one is of step 5\n")


def test_what_ends_a_run_is_raised_and_a_failed_save_told_beside_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Stored, "close", raises(FULL))
    with pytest.raises(ValueError, match="not finite"):
        end_with(ValueError("not finite"), Checkpoints(tmp_path, CONFIG, PREPROCESSING))
    told = "warning: a checkpoint could not be written; there is no whole one yet\n"
    assert capsys.readouterr().err == told


def test_a_ctrl_c_that_is_not_held_back_waits_for_no_save(tmp_path, monkeypatch):
    waited, checkpoints = [], Checkpoints(tmp_path, CONFIG, PREPROCESSING)
    with monkeypatch.context() as patch:
        for name in ("wait", "close"):
            patch.setattr(Stored, name, waited.append)
        with pytest.raises(KeyboardInterrupt):
            end_with(KeyboardInterrupt(), checkpoints)
    assert waited == []
    checkpoints.__exit__(None, None, None)


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_a_checkpoint_of_eight_devices_restores_on_others_and_divided_otherwise(saved, fresh, devices):
    whole, divided = placement_of(devices)

    def divide(leaf):
        return divided if leaf.ndim and leaf.shape[0] % devices == 0 else whole

    template = jax.device_put(fresh, jax.tree.map(divide, fresh))
    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        restored = checkpoints.restore_last(template)
    assert_same(restored, at_step(fresh, 5))
    assert [x.sharding for x in jax.tree.leaves(restored)] == [x.sharding for x in jax.tree.leaves(template)]
    assert devices == 1 or any(not x.sharding.is_fully_replicated for x in jax.tree.leaves(restored))


@pytest.mark.slow
def test_a_state_divided_over_fsdp_restores_on_others_and_divided_otherwise(tmp_path):
    wide = tiny_experiment({"model.width": 32})
    shapes = jax.eval_shape(lambda: init_state(wide.objective, wide.optimizer, jax.random.key(0)))
    numbers = jax.tree.map(
        lambda leaf: np.arange(leaf.size).reshape(leaf.shape).astype(leaf.dtype), shapes
    ).replace(step=np.int32(5))

    def on(devices, fsdp):
        return jax.device_put(numbers, placement_of(devices, fsdp).of_state(shapes))

    with Checkpoints(tmp_path, CONFIG, PREPROCESSING, DATA) as checkpoints:
        checkpoints.save_last(on(8, 4))
    for devices, fsdp in ((1, 1), (2, 2), (4, 1), (8, 2)):
        template = on(devices, fsdp)
        with Checkpoints(tmp_path, CONFIG, PREPROCESSING, DATA) as checkpoints:
            restored = checkpoints.restore_last(jax.tree.map(lambda x: x * 0, template))
        assert_same(restored, numbers)
        kernel = restored.parameters["network"]["encoder_stack"]["layers"]["mlp_in"]["kernel"]
        assert kernel.addressable_shards[0].data.size == kernel.size // fsdp
