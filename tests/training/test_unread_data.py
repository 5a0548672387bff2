"""Data that can no longer be read in mid-run end it with the steps before saved."""

import shutil
from pathlib import Path

import jax
import pytest
from made_probes import probes
from made_runs import assert_same, validating_config

from coreecg_jax.training import checkpoints as checkpoints_module
from coreecg_jax.training import loop
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.journal import read_metrics
from coreecg_jax.training.loop import train

SPEED = ("train/recordings_per_second", "train/input_wait", "train/mfu")


def config_of(root):
    # No checkpoint is due before the damage is met.
    return validating_config(root, {"run.checkpoint_every": 100})


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """A run whose data stayed whole."""
    workdir = tmp_path_factory.mktemp("whole")
    return workdir, train(config_of(root), workdir, probes())


def flip(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


def rows_of(workdir):
    return [{name: row[name] for name in row if name not in SPEED} for row in read_metrics(workdir)]


@pytest.mark.slow  # the tests below, of what is saved, are not
@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [(flip, ValueError, "wrong checksum of the"), (Path.unlink, OSError, "can no longer be read")],
)
def test_the_steps_before_are_saved_and_gone_on_from_to_the_bit(
    root, whole, tmp_path, capsys, damage, error, message
):
    data, workdir = tmp_path / "data", tmp_path / "run"
    shutil.copytree(root, data)
    shard = max(data.rglob("*.tfrecord*"))
    content = shard.read_bytes()
    # After the first step, when the readers of the third epoch, of step 7 on, are not yet started.
    with pytest.raises(error, match=message):
        train(config_of(data), workdir, probes(1, lambda: damage(shard)))
    done = max(row["step"] for row in read_metrics(workdir) if "train/loss" in row)
    assert 1 <= done < 8
    assert load_parameters(workdir).step == done
    assert f"warning: step {done} is saved" in capsys.readouterr().err
    shard.write_bytes(content)
    assert_same(train(config_of(data), workdir, probes()), whole[1])
    assert rows_of(workdir) == rows_of(whole[0])


class Feed:
    """Three steps, then none."""

    most = 1

    def __init__(self, skipped_in_a_row=0.0, given_away=False):
        self._skipped, self._given_away = skipped_in_a_row, given_away

    def __call__(self, state, number, count):
        if number == 3:
            if self._given_away:
                jax.tree.map(lambda leaf: leaf.delete(), state)
            raise ValueError("a shard is damaged")
        figures = {"loss": 1.0, "gradient_norm": 1.0, "skipped_in_a_row": self._skipped if number == 2 else 0}
        return state.replace(step=state.step + 1), figures

    def close(self):
        pass


def ended(root, workdir, monkeypatch, feed):
    monkeypatch.setattr(loop, "_validator", lambda *_: lambda *_: {"loss": 1.0})
    monkeypatch.setattr(loop, "_feed_from", lambda *_: lambda *_: feed)
    changes = {"run.validate_every": 100, "run.checkpoint_every": 100, "run.max_skipped_in_a_row": 2}
    with pytest.raises(ValueError, match=r"^a shard is damaged$"):
        train(validating_config(root, changes), workdir)
    return [path.name for path in (workdir / "checkpoints" / "last").iterdir()]


@pytest.mark.parametrize(
    ("feed", "saved"),
    [(Feed(), ["3"]), (Feed(skipped_in_a_row=2), []), (Feed(given_away=True), [])],
    ids=["good", "not finite too often", "lost in a step"],
)
def test_only_a_state_that_is_there_and_would_be_gone_on_from_is_saved(
    root, tmp_path, monkeypatch, feed, saved
):
    assert ended(root, tmp_path, monkeypatch, feed) == saved


def test_a_full_disk_is_told_and_does_not_hide_the_damage(root, tmp_path, monkeypatch, capsys):
    def full(self, state):
        with self._failure_told():
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints_module.Checkpoints, "save_last", full)
    assert ended(root, tmp_path, monkeypatch, Feed()) == []
    assert capsys.readouterr().err == (
        "warning: a checkpoint could not be written; there is no whole one yet\n"
    )
