"""A run that was killed ahead of its last checkpoint goes that way again, to the same bits or to others."""

import contextlib
from pathlib import Path

import pytest
from made_runs import PREPROCESSING, assert_same
from made_states import CONFIG, at_step

from coreecg_jax.training.checkpoints import Checkpoints, load_parameters
from coreecg_jax.training.stored import Stored


@pytest.fixture
def killed(tmp_path, fresh):
    """A function of the losses by step of a run: goes on from step 4 is what is left of it."""

    def run(losses):
        with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
            assert checkpoints.restore_last(fresh) is fresh
            for step, loss in losses.items():
                checkpoints.save_if_best(at_step(fresh, step), loss)
                if step == 4:
                    checkpoints.save_last(at_step(fresh, step))
        return tmp_path

    return run


def resumed(run, fresh, losses, *, other=0):
    """Validates at these steps; the states of another machine are others. The step of the best after each."""
    bests = []
    with Checkpoints(run, CONFIG, PREPROCESSING) as checkpoints:
        assert int(checkpoints.restore_last(fresh).step) == 4
        for step, loss in losses.items():
            state = at_step(fresh, step + other).replace(step=at_step(fresh, step).step)
            checkpoints.save_if_best(state, loss)
            checkpoints._wait()
            bests.append(load_parameters(run, "best").step)
    return bests


def best_of(run):
    """Its step, and the loss that is said of it."""
    with Checkpoints(run, CONFIG, PREPROCESSING) as checkpoints:
        step = load_parameters(run, "best").step
        return step, checkpoints._best.about(step)["validation_loss"]


@pytest.mark.parametrize("before", [{}, {2: 5.0}, {4: 5.0}], ids=["none before", "before", "at the last"])
@pytest.mark.parametrize("loss", [1.5, pytest.param(2.5, marks=pytest.mark.slow), 2.0 + 2**-50])
def test_the_same_step_with_another_loss_takes_the_place_of_what_is_there(killed, fresh, before, loss):
    """Lower, higher, or by the last bits: of the state that the loss is of."""
    run = killed({**before, **({} if 4 in before else {4: 9.0}), 6: 2.0})
    assert best_of(run) == (6, 2.0)
    assert resumed(run, fresh, {6: loss}, other=100) == [6]
    assert best_of(run) == (6, loss)
    assert_same(load_parameters(run, "best").parameters, at_step(fresh, 106).parameters)
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best", "last"}


def test_the_same_loss_keeps_what_is_there(killed, fresh, monkeypatch):
    run = killed({2: 5.0, 4: 9.0, 6: 2.0})
    for name in ("save", "replace", "remove"):
        monkeypatch.delattr(Stored, name)
    assert resumed(run, fresh, {6: 2.0, 8: 3.0}) == [6, 6]


def test_what_is_better_than_all_on_this_way_is_the_best_though_what_was_ahead_was_better(killed, fresh):
    run = killed({2: 5.0, 4: 9.0, 8: 1.0})
    assert resumed(run, fresh, {5: 6.0, 6: 4.0, 8: 4.5, 9: 3.0}, other=100) == [8, 6, 6, 9]
    assert best_of(run) == (9, 3.0)


def test_of_two_ahead_neither_hides_what_is_saved_before_them(killed, fresh):
    run = killed({4: float("nan"), 7: 2.0, 8: 1.0})
    assert resumed(run, fresh, {5: 4.0, 7: 4.5, 8: 4.5}, other=100) == [5, 5, 5]
    assert_same(load_parameters(run, "best").parameters, at_step(fresh, 105).parameters)


def test_a_way_to_the_same_bits_ends_where_the_first_would_have(killed, fresh):
    losses = {5: 4.0, 7: 2.0, 8: 1.0}
    run = killed({4: float("nan"), **losses})
    assert resumed(run, fresh, losses) == [5, 7, 8]
    with Checkpoints(run, CONFIG, PREPROCESSING) as checkpoints:
        assert checkpoints._best.steps() == [8, 7]
        assert_same(load_parameters(run, "best").parameters, at_step(fresh, 8).parameters)


def test_a_step_that_is_passed_and_was_not_better_this_time_is_no_best(killed, fresh):
    run = killed({4: 3.0, 6: 2.0})
    assert resumed(run, fresh, {5: 7.0, 7: 3.5}, other=100) == [6, 4]
    assert best_of(run) == (4, 3.0)


def test_without_a_number_to_compare_what_is_ahead_is_better_than_nothing(killed, fresh):
    run = killed({4: float("nan"), 6: 2.0})
    assert resumed(run, fresh, {6: float("nan"), 8: 5.0}, other=100) == [6, 8]


@pytest.mark.parametrize("when", ["save", "wait"])
def test_what_is_replaced_stands_until_the_new_one_is_whole(killed, fresh, monkeypatch, when):
    run, seen = killed({4: float("nan"), 6: 2.0}), []
    of_stored = getattr(Stored, when)

    def noting(self, *given):
        of_stored(self, *given)
        if self._folder.name == "best_new":
            seen.append(load_parameters(run, "best").parameters)

    with monkeypatch.context() as patch:
        patch.setattr(Stored, when, noting)
        resumed(run, fresh, {6: 1.0}, other=100)
    assert seen
    assert_same(seen[0], at_step(fresh, 6).parameters)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_killed_between_the_renames_of_a_replacement_there_is_a_best_at_the_next_start(
    killed, fresh, monkeypatch, capsys, renames
):
    run, done, rename = killed({4: float("nan"), 6: 2.0}), [], Path.rename

    def until(path, target):
        if "best" in str(path.parent) and "orbax" not in path.name:
            if len(done) == renames:
                raise Killed
            done.append(path)
        return rename(path, target)

    # After the second rename there is none to be killed in.
    end = contextlib.nullcontext() if renames == 2 else pytest.raises(Killed)
    with monkeypatch.context() as patch, end:
        patch.setattr(Path, "rename", until)
        resumed(run, fresh, {6: 1.0}, other=100)
    capsys.readouterr()
    beside = {path.name for path in (run / "checkpoints").iterdir()} - {"best", "last"}
    assert beside == ({"best_new", "best_old"} if renames < 2 else set())
    assert (run / "checkpoints" / "best" / "6").is_dir() == (renames != 1)
    resumed(run, fresh, {})
    assert best_of(run) == (6, 2.0 if renames == 0 else 1.0)
    assert_same(load_parameters(run, "best").parameters, at_step(fresh, 106 if renames else 6).parameters)
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best", "last"}
    told = "warning: the best checkpoint of step 6 was not in its place"
    assert (told in capsys.readouterr().err) == (renames == 1)


def test_what_a_kill_left_of_a_replacement_is_not_taken_for_the_new_one(killed, fresh):
    run = killed({4: float("nan"), 6: 2.0})
    for name in ("best_new", "best_old"):
        (run / "checkpoints" / name / "6").mkdir(parents=True)
    resumed(run, fresh, {6: 1.0}, other=100)
    assert_same(load_parameters(run, "best").parameters, at_step(fresh, 106).parameters)
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best", "last"}
