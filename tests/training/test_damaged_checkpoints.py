"""Half-written, damaged and unwritable checkpoints."""

import gc
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import PREPROCESSING, assert_same
from made_states import CONFIG, DATA, at_step

from coreecg_jax.records.schema import OtherSettings
from coreecg_jax.training import stored, verdict
from coreecg_jax.training.checkpoints import Checkpoints, load_parameters
from coreecg_jax.training.stored import Stored

# Orbax gives up what it was reading when one array cannot be read; what it leaves behind complains when it is
# collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def left_behind():
    """It is collected here: later it would complain in the middle of another test. What was there before,
    millions of objects of traced programs, is not looked through for it: that took two seconds a test."""
    gc.freeze()
    yield
    gc.collect()
    gc.unfreeze()


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


def test_what_another_process_alone_read_wrong_is_set_aside_here_too(saved, fresh, monkeypatch, capsys):
    """Else that one would wait, and this one go on with the first step."""
    # By the other: all of the newest can be read, but one checksum is wrong; nothing in the one before.
    found = itertools.chain(["[]"] * 4, ['["step"]'], itertools.repeat("[]"))

    def texts(text):
        return [text, next(found) if text == "[]" else text]

    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        monkeypatch.setattr(checkpoints._last, "_together", True)
        monkeypatch.setattr(stored.processes, "texts", texts)
        assert_same(checkpoints.restore_last(fresh), at_step(fresh, 3))
    said = (
        f"warning: {saved}/checkpoints/last/5 has a wrong checksum of step in process 1; it is set aside as "
    )
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (["[]", "[]"], ""),
        (['["a"]', '["a"]'], "a"),
        (['["a", "b"]', '["a", "b"]'], "a and 1 more"),
        (["[]", '["b", "a"]', '["a", "c"]'], "b and 2 more in process 1, 2"),
    ],
)
def test_wrong_checksums_are_told_with_the_processes_that_read_them(monkeypatch, said, found):
    monkeypatch.setattr(verdict.processes, "texts", lambda text: [text, *said[1:]])
    assert verdict.told_by_all(json.loads(said[0]), together=True) == found


def say_no_loss(folder):
    metadata = folder / "about" / "metadata"
    about = json.loads(metadata.read_text())
    del about["validation_loss"]
    metadata.write_text(json.dumps(about))


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize("damage", [unsay, say_no_loss, empty])
def test_a_damaged_best_is_set_aside_and_the_run_goes_on(saved, fresh, capsys, damage):
    best = saved / "checkpoints" / "best" / "3"
    damage(best)
    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        assert_same(checkpoints.restore_last(fresh), at_step(fresh, 5))
        aside = saved / "checkpoints" / "set_aside" / "best_3"
        told = capsys.readouterr().err
        assert told.startswith(f"warning: {best} cannot be read (")
        assert told.endswith(f"; it is set aside as {aside}, the next validation makes the best\n")
        assert aside.is_dir()
        assert not best.exists()
        assert checkpoints.save_if_best(at_step(fresh, 6), 9.0)  # 3 had 1.0, which nobody can say any more
        assert not checkpoints.save_if_best(at_step(fresh, 7), 10.0)
    assert load_parameters(saved, "best").step == 6
    assert load_parameters(saved).step == 5


def test_of_two_bests_the_loss_of_the_whole_one_counts(saved, fresh, capsys):
    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        assert checkpoints.save_if_best(at_step(fresh, 5), 0.5)
    unsay(saved / "checkpoints" / "best" / "5")
    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        checkpoints.restore_last(fresh)
        assert capsys.readouterr().err.endswith("/set_aside/best_5, step 3 is used\n")
        assert not checkpoints.save_if_best(at_step(fresh, 6), 2.0)
        assert checkpoints.save_if_best(at_step(fresh, 7), 0.9)


def test_a_damaged_best_of_another_run_stays_where_it_is(saved, fresh):
    best = saved / "checkpoints" / "best" / "3"
    unsay(best)
    other = {"train": {"made": "cd"}, "validation": {"made": "ab"}}
    with (
        Checkpoints(saved, CONFIG, PREPROCESSING, other) as checkpoints,
        pytest.raises(OtherSettings, match="other settings"),
    ):
        checkpoints.restore_last(fresh)
    assert best.is_dir()


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


def test_where_none_is_whole_nothing_is_moved(saved, fresh, capsys):
    for step in ("3", "5"):
        flip(saved / "checkpoints" / "last" / step)
    before = sorted(saved.rglob("*"))
    with (
        Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints,
        pytest.raises(ValueError, match=r"last/5 has a wrong checksum of .* it is damaged; copy the run"),
    ):
        checkpoints.restore_last(fresh)
    assert sorted(saved.rglob("*")) == before
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: out of memory")])
def test_too_little_memory_is_not_taken_for_damage(saved, fresh, monkeypatch, error):
    def fail(*args, **items):
        raise error

    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        monkeypatch.setattr(Stored, "_restore", fail)
        with pytest.raises(type(error)):
            checkpoints.restore_last(fresh)
    assert (saved / "checkpoints" / "last" / "5").is_dir()


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
sys.path[:0] = [sys.argv[2], str(Path(sys.argv[2]).parent)]
import jax
import numpy as np
from made_runs import PREPROCESSING, small_state, tiny_config
from coreecg_jax.records.schema import OtherSettings
from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.experiment import resolved
from coreecg_jax.training.interruption import Stopped
from launch.shell import run_main

def other_numbers(leaf):
    # Counts are 2; the others are noise, which is not written as less than it is.
    noise = np.random.default_rng(0).normal(size=leaf.shape)
    return jax.device_put(np.asarray(noise if leaf.dtype == "float32" else 2, leaf.dtype))

state = jax.tree.map(other_numbers, small_state())
folder, stops = Path(sys.argv[1]), sys.argv[3:]
sys.argv[1:] = []

def main(argv):
    with Checkpoints(folder, resolved(tiny_config()), PREPROCESSING) as checkpoints:
        with checkpoints.all_written():
            checkpoints.save_last(state)
            if stops:
                raise Stopped("stopped; the same command goes on", 15)
    print("saved")

run_main(main)
"""


def test_a_full_disk_is_one_sentence_and_leaves_the_checkpoint_before(small_disk, fresh):
    with Checkpoints(small_disk, CONFIG, PREPROCESSING) as checkpoints:
        checkpoints.save_last(at_step(fresh, 1))
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 100_000))
    tests = str(Path(__file__).parent)
    command = [sys.executable, "-c", SAVE, str(small_disk), tests]
    for stops in ([], ["stops"]):
        result = subprocess.run([*command, *stops], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stdout) == (2, "")
        # A thread of TensorStore that was writing may print a traceback of its own as the process ends.
        assert result.stderr.count("could not be written; the last whole one is of step 1\n") == 1
        assert result.stderr.count("error: no space left on the disk of ") == 1
        assert load_parameters(small_disk).step == 1
    (small_disk / "ballast").unlink()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "saved\n")
    assert load_parameters(small_disk).step == 2
    assert not list((small_disk / "checkpoints" / "last").glob("*tmp*"))
