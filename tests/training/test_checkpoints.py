import dataclasses
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import pytest
from made_runs import PREPROCESSING, assert_same, first_state, placement_of, tiny_config, tiny_experiment

from coreecg_jax.records.schema import OtherSettings
from coreecg_jax.training import identity
from coreecg_jax.training.checkpoints import Checkpoints, load_parameters
from coreecg_jax.training.experiment import resolved
from coreecg_jax.training.identity import commit_of
from coreecg_jax.training.state import init_state
from coreecg_jax.training.stored import Stored

CONFIG = resolved(tiny_config())
DATA = {"train": {"made": "ab"}, "validation": {"made": "ab"}}


@pytest.fixture(scope="module")
def fresh():
    return first_state(tiny_experiment(), placement_of(8))


def at_step(state, step):
    """A state with other numbers in all its leaves."""
    return jax.tree.map(lambda x: x + step, state)


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


@pytest.fixture
def saved(tmp_path, fresh):
    """A run whose last checkpoints are of steps 3 and 5, the best of 3."""
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING, DATA) as checkpoints:
        checkpoints.save_if_best(at_step(fresh, 3), 1.0)
        for step in (3, 5):
            checkpoints.save_last(at_step(fresh, step))
    return tmp_path


def largest(folder):
    return max((path for path in folder.rglob("d/*") if path.is_file()), key=lambda path: path.stat().st_size)


def flip(folder):
    """One bit in the middle of the numbers: Orbax reads it without complaint."""
    content = bytearray(largest(folder).read_bytes())
    content[len(content) // 2] ^= 8
    largest(folder).write_bytes(content)


def cut(folder):
    largest(folder).write_bytes(largest(folder).read_bytes()[: largest(folder).stat().st_size // 2])


def lose(folder):
    largest(folder).unlink()


def unsay(folder):
    (folder / "about" / "metadata").write_text('{"config"')


# When a read fails, tensorstore's others may still complain, of a closed loop.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip, "has a wrong checksum of "),
        (cut, "cannot be read ("),
        (lose, "cannot be read ("),
        (unsay, "cannot be read ("),
    ],
)
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_used(saved, fresh, capsys, damage, reason):
    step = saved / "checkpoints" / "last" / "5"
    damage(step)
    before = sorted(saved.rglob("*"))
    loaded = load_parameters(saved)
    assert loaded.step == 3
    assert_same(loaded.parameters, at_step(fresh, 3).parameters)
    assert f"warning: {step} {reason}" in (told := capsys.readouterr().err)
    assert told.endswith("; it is left out, step 3 is used\n")
    assert sorted(saved.rglob("*")) == before  # readers move nothing
    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        assert_same(checkpoints.restore_last(fresh), at_step(fresh, 3))
        aside = saved / "checkpoints" / "set_aside" / "last_5"
        assert f"; it is set aside as {aside}, step 3 is used\n" in capsys.readouterr().err
        assert aside.is_dir()
        assert not step.exists()
        checkpoints.save_last(at_step(fresh, 5))  # the step is met again
    assert load_parameters(saved).step == 5
    assert capsys.readouterr().err == ""


def test_the_only_checkpoint_is_not_moved_though_it_is_damaged(tmp_path, fresh):
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        checkpoints.save_last(at_step(fresh, 1))
    step = tmp_path / "checkpoints" / "last" / "1"
    flip(step)
    for _ in range(2):
        with (
            Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints,
            pytest.raises(
                ValueError, match=rf"{step} has a wrong checksum of .* it is damaged; copy the run"
            ),
        ):
            checkpoints.restore_last(fresh)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: out of memory")])
def test_too_little_memory_is_not_taken_for_damage(saved, fresh, monkeypatch, error):
    def fail(*args, **items):
        raise error

    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        monkeypatch.setattr(Stored, "_restore", fail)
        with pytest.raises(type(error)):
            checkpoints.restore_last(fresh)
    assert (saved / "checkpoints" / "last" / "5").is_dir()


def test_nothing_is_restored_in_part(saved, fresh):
    other = fresh.replace(optimizer={"moment": fresh.skipped})
    with (
        Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints,
        pytest.raises(OtherSettings) as raised,
    ):
        checkpoints.restore_last(other)
    message = str(raised.value)
    assert message.startswith(
        f"{saved}/checkpoints/last/5 holds other arrays than this version trains (optimizer/1/"
    )
    assert " in the checkpoint, none expected; " in message
    assert not (saved / "checkpoints" / "set_aside").exists()


def test_a_checkpoint_says_what_it_is(saved):
    loaded = load_parameters(saved)
    assert loaded.data == DATA
    assert loaded.versions.keys() >= {"jax", "flax", "optax", "orbax-checkpoint", "numpy"}
    assert loaded.commit.rstrip("+") == commit_of(Path(__file__).parent).rstrip("+")
    assert loaded.config.to_dict() == CONFIG.to_dict()
    assert loaded.preprocessing == PREPROCESSING


def test_a_run_does_not_go_on_with_other_data(saved, fresh):
    other = {**DATA, "train": {"made": "cd"}}
    with (
        Checkpoints(saved, CONFIG, PREPROCESSING, other) as checkpoints,
        pytest.raises(OtherSettings, match=r"\(data\.train\.made: 'ab' in the run, 'cd' asked\)"),
    ):
        checkpoints.restore_last(fresh)


def test_other_code_is_told_but_not_refused(saved, fresh, capsys, monkeypatch):
    monkeypatch.setattr(identity, "version", lambda name: "99" if name == "jax" else version(name))
    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        assert int(checkpoints.restore_last(fresh).step) == 5
    other = (
        f"warning: step 5 is of other code (jax {version('jax')}, now 99): what follows may differ in its "
    )
    assert capsys.readouterr().err == f"{other}last bits\n"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


# In a process of its own: when a write fails, tensorstore's others may still complain, of a closed loop.
SAVE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import jax
from made_runs import PREPROCESSING, first_state, placement_of, tiny_config, tiny_experiment
from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.experiment import resolved
from launch.shell import run_main

fresh = first_state(tiny_experiment(), placement_of(1))
folder = Path(sys.argv[1])
sys.argv[1:] = []

def main(argv):
    with Checkpoints(folder, resolved(tiny_config()), PREPROCESSING) as checkpoints:
        checkpoints.save_last(jax.tree.map(lambda x: x + 2, fresh))
    print("saved")

run_main(main)
"""


def test_a_full_disk_is_one_sentence_and_leaves_the_checkpoint_before(small_disk, fresh):
    with Checkpoints(small_disk, CONFIG, PREPROCESSING) as checkpoints:
        checkpoints.save_last(at_step(fresh, 1))
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 100_000))
    tests = str(Path(__file__).parent)
    command = [sys.executable, "-c", SAVE, str(small_disk), tests]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    # A thread of TensorStore that was writing may print a traceback of its own as the process ends.
    assert result.stderr.count("error: no space left on the disk of ") == 1
    assert load_parameters(small_disk).step == 1
    (small_disk / "ballast").unlink()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "saved\n")
    assert load_parameters(small_disk).step == 2
    assert not list((small_disk / "checkpoints" / "last").glob("*tmp*"))
