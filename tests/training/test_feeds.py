import itertools
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from made_kills import run_and_kill
from made_runs import PREPROCESSING, assert_same, made_batch, placement_of, tiny_config, tiny_experiment
from made_shards import example, serialise, write_data_set

from coreecg_jax.training import feeds, health
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.journal import read_metrics
from coreecg_jax.training.loop import train


def test_a_feed_from_the_host_that_is_closed_ends_what_it_draws_from(monkeypatch):
    drawn, ended = [], []

    class Endless:
        def __init__(self, windows):
            assert windows.order.part == 8

        def __call__(self, start_step, readers):
            try:
                for step in itertools.count(start_step):
                    drawn.append(step)
                    yield made_batch(step)
            finally:
                ended.append(True)

    experiment, placement = tiny_experiment(), placement_of(1)
    monkeypatch.setattr(feeds, "Stream", Endless)
    monkeypatch.setattr(feeds, "make_train_step", lambda *_, **__: lambda state, batch: (state + 1, batch))
    monkeypatch.setattr(health, "matrix_rate", lambda _: 1.0)
    windows = SimpleNamespace(order=SimpleNamespace(part=8, batch_size=8))
    feed_from = feeds.make_host_feed(
        experiment.objective, experiment.optimizer, windows, seed=0, placement=placement, of_state=None
    )
    feed = feed_from(4, health.Speed(experiment.objective, batch_size=8))
    assert (feed(0, 4, 1)[0], drawn) == (1, [4, 5, 6])
    assert ended == []
    feed.close()
    assert ended == [True]


def config_of(root, changes=None):
    """Dispatches of 3, 1, 3 and 1 steps."""
    device = {"data.placement": "device", "run.steps_per_dispatch": 3, "run.log_every": 4}
    return tiny_config({"data.root": str(root), "run.validate_every": 8, **device, **(changes or {})})


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    return workdir, train(config_of(root), workdir)


def test_steps_are_dealt_out_up_to_what_is_due(root, tmp_path, monkeypatch):
    counts = []

    class Noting(feeds.DeviceFeed):
        def __call__(self, state, number, count):
            counts.append((number, count))
            metrics = dict.fromkeys(("loss", "gradient_norm"), np.ones(3))
            return state.replace(step=state.step + count), metrics | {"skipped_in_a_row": np.zeros(3)}

    monkeypatch.setattr(feeds, "DeviceFeed", Noting)
    monkeypatch.setattr("coreecg_jax.training.loop._validator", lambda *args: lambda *_: {"loss": 1.0})
    train(config_of(root), tmp_path)
    assert counts == [(0, 3), (3, 1), (4, 3), (7, 1)]


# The same run; its dispatches take their time, so that it does not end unkilled.
CHILD = """
import time
import test_feeds
dispatch = test_feeds.feeds.DeviceFeed.__call__

def slow(*arguments):
    time.sleep(1)
    return dispatch(*arguments)

test_feeds.feeds.DeviceFeed.__call__ = slow
test_feeds.train(test_feeds.config_of(root), workdir)
"""


def test_killed_at_a_random_moment_and_resumed_is_as_never_killed(root, whole, tmp_path):
    run_and_kill(CHILD, root, tmp_path, rows=1, seconds=1.9)  # two dispatches of a second are left
    assert max(row["step"] for row in read_metrics(tmp_path)) == 4
    assert_same(train(config_of(root), tmp_path), whole[1])
    assert_same(load_parameters(tmp_path, "best").parameters, load_parameters(whole[0], "best").parameters)


def test_a_run_goes_on_from_the_file_of_the_corpus_alone(tmp_path, monkeypatch):
    """On a machine to which the shards of training were not brought, only those of validation."""
    data, lines = tmp_path / "data", [serialise(example(n, "made", samples=1000)) for n in range(24)]
    for use, shards in {"train": [lines[:12], lines[12:]], "validation": [lines[:8]]}.items():
        write_data_set(data, use, {"all": shards}, preprocessing=PREPROCESSING)
    of = {"data.train": "train", "data.validation": "validation", "data.packed": str(tmp_path / "packed")}
    whole = train(config_of(data, of), tmp_path / "run")
    for shard in data.glob("train/*/*.tfrecord*"):
        shard.unlink()
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "last" / "8")
    numbers, dispatch = [], feeds.DeviceFeed.__call__

    def noting(feed, state, number, count):
        numbers.append(number)
        return dispatch(feed, state, number, count)

    monkeypatch.setattr(feeds.DeviceFeed, "__call__", noting)
    assert_same(train(config_of(data, of), tmp_path / "run"), whole)
    assert numbers == [4, 7]


@pytest.mark.slow
def test_both_placements_learn_from_the_same_batches(root, whole, tmp_path):
    host = {"data.placement": "host", "run.steps_per_dispatch": 1}
    train(config_of(root, host), tmp_path)
    for one, other in zip(read_metrics(whole[0]), read_metrics(tmp_path), strict=True):
        for name in ("step", "train/loss", "validation/loss"):
            assert (name in one) == (name in other)
            np.testing.assert_allclose(one.get(name, 0), other.get(name, 0), rtol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.placement": "disk"}, r"data\.placement: expected one of host, device, got 'disk'"),
        ({"run.steps_per_dispatch": 0}, r"run\.steps_per_dispatch: expected more than 0, got 0"),
        (
            {"data.placement": "host"},
            r"run\.steps_per_dispatch: expected 1 with data\.placement=host, got 3",
        ),
        (
            {"data.placement": "host", "run.steps_per_dispatch": 1, "data.packed": "rows"},
            r"data\.packed: expected '' with data\.placement=host, .* got 'rows'",
        ),
        (
            {"run.attention": "cudnn", "model.dtype": "bfloat16"},
            r"run\.attention: 'cudnn' needs an NVIDIA GPU",
        ),
        ({"run.fsdp": 3}, r"run\.fsdp: expected a divisor of 8, the number of devices, got 3"),
        ({"data.readers": 4}, r"data\.readers: expected at most 2 \(shards\), got 4"),
    ],
)
def test_mistakes_are_found_before_anything_is_trained(root, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(config_of(root, changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()
