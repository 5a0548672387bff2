import json
import os
import signal

import pytest
from made_runs import PREPROCESSING, assert_same, tiny_config
from made_shards import example, serialise, write_data_set

from coreecg_jax.training import loop
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.journal import METRICS_FILE, read_metrics
from coreecg_jax.training.loop import train

SPEED = ("train/recordings_per_second", "train/input_wait", "train/mfu")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """24 windows of 9 to 10 s at 100 Hz: three batches an epoch."""
    folder = tmp_path_factory.mktemp("data")
    records = [serialise(example(number, "made", samples=1000)) for number in range(24)]
    write_data_set(folder, "made", {"all": [records[:10], records[10:]]}, preprocessing=PREPROCESSING)
    return folder


def config_of(root, changes=None):
    return tiny_config({"data.root": str(root), "run.validate_every": 1, **(changes or {})})


class Importance:
    """An evaluator that calls `at_last` the `last`-th time that it is asked."""

    def __init__(self, last=0, at_last=lambda: None):
        self._left, self._at_last = last, at_last

    def __call__(self, parameters):
        self._left -= 1
        if self._left == 0:
            self._at_last()
        return {"importance": float(parameters["fda"]["s"].max())}


def die():
    raise RuntimeError("killed")


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """A run without interruption: its folder, last state and jitted steps."""
    workdir, steps = tmp_path_factory.mktemp("whole"), []
    make_train_step = loop.make_train_step

    def noting(*args, **kwargs):
        steps.append(make_train_step(*args, **kwargs))
        return steps[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "make_train_step", noting)
        state = train(config_of(root), workdir, {"probe": Importance()})
    return workdir, state, steps


@pytest.fixture(scope="module")
def resumed(root, tmp_path_factory):
    """A run killed in step 5, its last checkpoint being of step 4; stopped by Ctrl-C in step 6; ended."""
    workdir = tmp_path_factory.mktemp("resumed")
    with pytest.raises(RuntimeError, match="killed"):
        train(config_of(root), workdir, {"probe": Importance(5, die)})
    assert load_parameters(workdir).step == 4
    assert max(row["step"] for row in read_metrics(workdir)) == 5
    with pytest.raises(InterruptedError, match="stopped at step 7 of 8; the same command"):
        train(config_of(root), workdir, {"probe": Importance(2, press_ctrl_c)})
    assert load_parameters(workdir).step == 7
    return workdir, train(config_of(root), workdir, {"probe": Importance()})


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
    assert step._cache_size() == 1


def test_killed_stopped_and_resumed_is_as_never_stopped(whole, resumed):
    (workdir, state, _), (resumed_workdir, resumed_state) = whole, resumed
    assert_same(resumed_state, state)
    assert without_speed(resumed_workdir) == without_speed(workdir)
    for which in ("last", "best"):
        ours, theirs = load_parameters(resumed_workdir, which), load_parameters(workdir, which)
        assert ours.step == theirs.step
        assert_same(ours.parameters, theirs.parameters)


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.batch_size": 12}, r"data\.batch_size: expected a positive multiple of 8"),
        ({"data.batch_size": 32}, r"data\.batch_size: expected 1 to 24"),
        ({"data.shuffle_buffer": 0}, r"data\.shuffle_buffer: expected at least 1 window, got 0"),
        ({"mask.p_time": 0.99}, "mask: expected some visible token, got none"),
        ({"data.validation_batch_size": 32}, r"data\.validation_batch_size: expected at most the 24"),
        ({"data.train": "absent"}, "unknown data set 'absent'"),
    ],
)
def test_mistakes_are_found_before_anything_is_trained(root, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(config_of(root, changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(root, tmp_path, monkeypatch):
    make_train_step = loop.make_train_step

    def diverging(*args, **kwargs):
        step = make_train_step(*args, **kwargs)

        def diverge(state, batch):
            state, metrics = step(state, batch)
            return state, metrics | ({"loss": float("nan")} if int(state.step) == 6 else {})

        return diverge

    monkeypatch.setattr(loop, "make_train_step", diverging)
    with pytest.raises(FloatingPointError, match="step 6: expected a finite loss, got nan"):
        train(config_of(root), tmp_path)
    assert load_parameters(tmp_path).step == 4
    assert max(row["step"] for row in read_metrics(tmp_path)) == 5
