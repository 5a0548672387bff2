"""The folder of checkpoints, as the processes of a run find it on a network file system."""

from pathlib import Path

import pytest

from coreecg_jax.training import seen as seen_module
from coreecg_jax.training import stored
from coreecg_jax.training.seen import is_seen
from coreecg_jax.training.stored import Stored


class Clock:
    """Time that passes by sleeping; at `at` seconds something happens."""

    def __init__(self, at=float("inf"), happens=lambda: None):
        self.now, self._at, self._happens = 0.0, at, happens

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        if self.now >= self._at:
            self._happens()


def seen(folder, clock):
    return is_seen(folder, seconds=60, clock=clock, sleep=clock.sleep)


def test_a_folder_that_appears_late_is_waited_for(tmp_path):
    folder = tmp_path / "run" / "checkpoints" / "last"
    clock = Clock(30, lambda: folder.mkdir(parents=True, exist_ok=True))
    assert seen(folder, clock)
    assert 30 <= clock.now < 35


def test_each_time_the_nearest_folder_above_is_listed(tmp_path, monkeypatch):
    """Looking for the name alone is answered from the client's memory."""
    listed = []
    monkeypatch.setattr(seen_module.os, "listdir", listed.append)
    checkpoints = tmp_path / "checkpoints"
    clock = Clock(30, lambda: checkpoints.mkdir(exist_ok=True))
    assert not seen(checkpoints / "last", clock)
    assert set(listed[:25]) == {tmp_path}
    assert set(listed[35:]) == {checkpoints}


def test_a_folder_that_never_appears_ends_the_wait(tmp_path):
    clock = Clock()
    assert not seen(tmp_path / "last", clock)
    assert 60 <= clock.now < 65


def test_one_that_is_there_is_not_waited_for(tmp_path):
    clock = Clock()
    assert seen(tmp_path, clock)
    assert clock.now == 0


def test_what_others_do_not_see_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "is_seen", lambda folder: False)
    with pytest.raises(FileNotFoundError, match=r"last is not there for every process of the run: choose a"):
        Stored(Path(tmp_path / "last"), writes=True)
