import gc
import json
import os
import shutil
import signal
import time
import weakref

import jax
import numpy as np
import pytest
from made_kills import run_and_kill
from made_probes import die, press_ctrl_c, probes
from made_runs import assert_same
from made_runs import validating_config as config_of

from coreecg_jax.training import feeds, loop, stored, validation
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.interruption import Stopped
from coreecg_jax.training.journal import METRICS_FILE, read_metrics
from coreecg_jax.training.loop import train
from coreecg_jax.training.step import Validated
from coreecg_jax.training.watching import was_watched

SPEED = ("train/recordings_per_second", "train/input_wait", "train/mfu")


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """A run without interruption: its folder, last state and jitted steps."""
    workdir, steps = tmp_path_factory.mktemp("whole"), []
    make_train_step = feeds.make_train_step

    def noting(*args, **kwargs):
        steps.append(make_train_step(*args, **kwargs))
        return steps[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeds, "make_train_step", noting)
        state = train(config_of(root), workdir, probes())
    return workdir, state, steps


@pytest.fixture(scope="module")
def resumed(root, tmp_path_factory):
    """A run killed in step 5, its last checkpoint being of step 4; stopped by Ctrl-C in step 6; ended."""
    workdir = tmp_path_factory.mktemp("resumed")
    with pytest.raises(RuntimeError, match="killed"):
        train(config_of(root), workdir, probes(5, die))
    assert load_parameters(workdir).step == 4
    assert max(row["step"] for row in read_metrics(workdir)) == 5
    with pytest.raises(Stopped, match="stopped at step 6 of 8; the same command") as stopped:
        train(config_of(root), workdir, probes(2, press_ctrl_c))
    assert stopped.value.signal == signal.SIGINT
    assert load_parameters(workdir).step == 6
    assert not was_watched(6, workdir)  # not all were asked: made up for at the next start
    return workdir, train(config_of(root), workdir, probes())


# The same run; its evaluator takes its time, so that the run does not end unkilled.
CHILD = """
import time
import test_loop
test_loop.train(test_loop.config_of(root), workdir, test_loop.probes(-100, lambda: time.sleep(0.3)))
"""


def test_killed_at_a_random_moment_and_resumed_is_as_never_killed(root, whole, tmp_path):
    run_and_kill(CHILD, root, tmp_path, rows=4, seconds=2)
    assert max(row["step"] for row in read_metrics(tmp_path)) < 8
    state = train(config_of(root), tmp_path, probes())
    assert_same(state, whole[1])
    assert without_speed(tmp_path) == without_speed(whole[0])
    assert_same(load_parameters(tmp_path, "best").parameters, load_parameters(whole[0], "best").parameters)


def without_speed(workdir):
    rows = read_metrics(workdir)
    return [json.dumps({name: row[name] for name in row if name not in SPEED}) for row in rows]


def test_it_trains_to_the_last_step_and_journals_each(whole):
    workdir, state, _ = whole
    assert int(state.step) == 8
    rows = read_metrics(workdir)
    assert [row["step"] for row in rows if "train/loss" in row] == list(range(1, 9))
    assert [row["step"] for row in rows if "validation/loss" in row] == list(range(1, 9))
    assert [row["step"] for row in rows if "probe/importance" in row] == list(range(1, 9))
    later = [row for row in rows if "train/loss" in row and row["step"] > 1]
    assert all(row[name] >= 0 for row in later for name in SPEED)


def test_the_step_is_traced_once(whole):
    (step,) = whole[2]
    assert step.program._cache_size() == 1


def test_killed_stopped_and_resumed_is_as_never_stopped(whole, resumed):
    (workdir, state, _), (resumed_workdir, resumed_state) = whole, resumed
    assert_same(resumed_state, state)
    assert without_speed(resumed_workdir) == without_speed(workdir)
    for which in ("last", "best"):
        ours, theirs = load_parameters(resumed_workdir, which), load_parameters(workdir, which)
        assert ours.step == theirs.step
        assert_same(ours.parameters, theirs.parameters)


class InstantFeed:
    """Steps that take no time and learn nothing."""

    most = 1

    def __call__(self, state, number, count):
        one = np.ones(count)
        names = ("loss", "reconstruction", "contrastive", "gradient_norm")
        return state.replace(step=state.step + count), {"skipped_in_a_row": 0 * one} | dict.fromkeys(
            names, one
        )

    def close(self):
        pass


@pytest.mark.parametrize("steps", [6, 2])  # stopped on the way, and after the last step
def test_a_validation_that_is_made_up_for_and_stopped_again_is_still_owed(root, tmp_path, monkeypatch, steps):
    """Else the run took one more step, and the validation was never made."""
    interrupted = True

    def validator(*_):
        def validate(parameters, stop):
            del parameters
            if interrupted:
                os.kill(os.getpid(), signal.SIGTERM)
            return None if stop() else {"loss": 1.0}

        return validate

    monkeypatch.setattr(loop, "_validator", validator)
    monkeypatch.setattr(loop, "_feed_from", lambda *_: lambda *_: InstantFeed())
    config = config_of(root, {"run.validate_every": 2, "run.steps": steps, "optimizer.warmup_steps": 1})
    for _ in range(2):
        with pytest.raises(Stopped, match=f"stopped at step 2 of {steps}"):
            train(config, tmp_path)
    interrupted = False
    assert int(train(config, tmp_path).step) == steps
    watched = [row["step"] for row in read_metrics(tmp_path) if "validation/loss" in row]
    assert watched == list(range(2, steps + 1, 2))


@pytest.mark.slow
def test_killed_while_it_makes_up_for_a_validation_a_run_still_makes_all_of_it(root, tmp_path, monkeypatch):
    """Its row was written before the best: at the next start nothing was owed, and that best never saved."""
    run, killed, asked = tmp_path / "run", tmp_path / "killed", []

    def validator(*_):
        def validate(parameters, stop):
            asked.append(parameters)
            if len(asked) == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return None if stop() else {"loss": float(len(asked))}

        return validate

    def draw(parameters):
        if not killed.exists():
            shutil.copytree(run, killed)  # as a kill would leave it
        return b""

    monkeypatch.setattr(loop, "_validator", validator)
    monkeypatch.setattr(loop, "_feed_from", lambda *_: lambda *_: InstantFeed())
    config = config_of(root, {"run.validate_every": 2, "run.steps": 4, "optimizer.warmup_steps": 1})
    with pytest.raises(Stopped, match="stopped at step 2 of 4"):
        train(config, run, probes(), {"picture": draw})
    train(config, run, probes(), {"picture": draw})
    assert [row for row in read_metrics(killed) if row["step"] == 2 and "train/loss" not in row] == []
    for workdir in (run, killed):
        train(config, workdir, probes(), {"picture": draw})
        assert load_parameters(workdir, "best").step == 2
        for name in ("validation/loss", "probe/importance", "after/importance"):
            assert [row["step"] for row in read_metrics(workdir) if name in row] == [2, 4]


def test_a_signal_while_the_last_state_is_written_does_not_end_the_run_before_it_is(
    root, tmp_path, monkeypatch
):
    finalize, acted = stored._Manager._finalize, []

    def signalled(self, step, *rest):
        time.sleep(0.5)  # until nothing is left to do but to wait for this
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
        finalize(self, step, *rest)

    monkeypatch.setattr(stored._Manager, "_finalize", signalled)
    monkeypatch.setattr(loop, "_validator", lambda *_: lambda *_: {"loss": float("nan")})  # no best
    monkeypatch.setattr(loop, "_feed_from", lambda *_: lambda *_: InstantFeed())
    before = signal.signal(signal.SIGTERM, lambda *_: acted.append("at once"))
    try:
        train(config_of(root, {"run.steps": 1, "optimizer.warmup_steps": 0}), tmp_path)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert acted == []
    assert load_parameters(tmp_path).step == 1


def test_what_a_run_starts_with_is_not_held_beside_its_state(root, tmp_path, monkeypatch):
    """On an accelerator that is the memory of parameters and moments once more."""
    made, held = [], []

    def noting(function):
        def noted(*args):
            tree = function(*args)
            made.extend(map(weakref.ref, jax.tree.leaves(tree)))
            return tree

        return noted

    class Feed(InstantFeed):
        def __call__(self, state, number, count):
            if number:
                gc.collect()
                held.append(sum(leaf() is not None for leaf in made))
            return super().__call__(jax.tree.map(jax.numpy.copy, state), number, count)

    for name in ("init_state", "put"):
        monkeypatch.setattr(loop, name, noting(getattr(loop, name)))
    monkeypatch.setattr(loop, "_validator", lambda *_: lambda *_: {"loss": 1.0})
    monkeypatch.setattr(loop, "_feed_from", lambda *_: lambda *_: Feed())
    train(config_of(root, {"run.steps": 2, "optimizer.warmup_steps": 1}), tmp_path)
    assert made
    assert held == [0]  # at the second step


def test_the_best_checkpoint_is_that_of_the_lowest_validation_loss(whole):
    losses = {
        row["step"]: row["validation/loss"] for row in read_metrics(whole[0]) if "validation/loss" in row
    }
    assert load_parameters(whole[0], "best").step == min(losses, key=losses.__getitem__)


def test_the_last_checkpoint_is_what_was_returned(whole):
    workdir, state, _ = whole
    assert_same(load_parameters(workdir).parameters, state.parameters)


def test_a_finished_run_is_left_alone(root, whole, capsys):
    workdir, state, _ = whole

    def times():
        return {path: path.stat().st_mtime_ns for path in workdir.rglob("*") if path.is_file()}

    before = times()
    assert_same(train(config_of(root), workdir), state)
    assert capsys.readouterr().out == f"nothing to do: all 8 steps of {workdir} are done\n"
    assert times() == before


def test_a_run_with_other_settings_is_not_gone_on_with(root, whole):
    before = (whole[0] / METRICS_FILE).read_bytes()
    message = r"other settings \(config\.optimizer\.clip: 1\.0 in the run, 2\.0 asked\)"
    with pytest.raises(ValueError, match=message):
        train(config_of(root, {"optimizer.clip": 2.0}), whole[0])
    assert (whole[0] / METRICS_FILE).read_bytes() == before


def test_a_stop_within_a_validation_ends_it_after_the_batch_in_hand(root, tmp_path, monkeypatch):
    validated = []

    def one_step(state, batch):
        figures = {"loss": 1.0, "gradient_norm": 1.0, "skipped_in_a_row": 0}
        return state.replace(step=state.step + 1), figures

    def stopped_at_the_fifth(*arguments):
        validated.append(int(arguments[2]))
        if len(validated) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return Validated({"loss": 1.0}, np.ones((16, 4)), np.ones((16, 4)))

    monkeypatch.setattr(feeds, "make_train_step", lambda *args, **kwargs: one_step)
    monkeypatch.setattr(validation, "make_validation_step", lambda *args, **kwargs: stopped_at_the_fifth)
    config = config_of(root, {"run.steps": 3})
    assert config.data.validation_batch_size == 8  # three batches
    with pytest.raises(Stopped, match="stopped at step 2 of 3") as stopped:
        train(config, tmp_path)
    assert stopped.value.signal == signal.SIGTERM
    assert validated == [0, 1, 2, 0, 1]
    assert load_parameters(tmp_path).step == 2
    assert was_watched(1, tmp_path)
    assert not was_watched(2, tmp_path)
    train(config, tmp_path)
    assert validated[5:] == [0, 1, 2] * 2
    assert was_watched(2, tmp_path)
