"""Whole runs in two real processes, a device each: they come to what one process with two devices does."""

import shutil

import numpy as np
import pytest
from made_processes import run_together
from made_runs import leaves

from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.interruption import Stopped
from coreecg_jax.training.journal import read_metrics
from coreecg_jax.training.skipping import SKIPPED_FILE

# Trains; the evaluator of process 1 asks itself to stop at the validation of a step.
TRAIN = """
import os, signal, sys, time
from made_runs import tiny_config
from coreecg_jax.inputs import pipeline
from coreecg_jax.training.interruption import Stopped
from coreecg_jax.training.loop import train
from coreecg_jax.training.skipping import NotFinite

read, seen = [], []
stream = pipeline.Stream.__call__

def noting(self, start, readers=None):
    read.extend(readers)
    return stream(self, start, readers)

def evaluate(parameters):
    seen.append(len(seen) + 1)
    if seen[-1] == given.get("sigterm_at") and number == count - 1:
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(given.get("seconds", 0))
    return {"s": float(parameters["fda"]["s"].max()), "devices": len(parameters["fda"]["s"].devices())}

pipeline.Stream.__call__ = noting
told = {"ended": "", "step": 0}
try:
    state = train(tiny_config(given["changes"]), given["workdir"], {"probe": evaluate}, {})
    told["step"] = int(state.step)
    kernel = state.parameters["network"]["encoder_stack"]["layers"]["mlp_in"]["kernel"]
    told["share"] = kernel.addressable_shards[0].data.size / kernel.size
except (Stopped, NotFinite, ValueError) as error:
    told["ended"] = f"{type(error).__name__}: {error}"
print(json.dumps(told | {"readers": read}))
"""
CHANGES = {
    # Losses, and with them near ties, as in test_step.
    "model.aligned": "global",
    "model.depth": 1,
    "data.readers": 2,
    "run.steps": 12,
    "run.validate_every": 1,
    "run.checkpoint_every": 12,
}


def run(root, workdir, count, changes=None, **given):
    changes = {"data.root": str(root), **CHANGES, **(changes or {})}
    ended = run_together(
        TRAIN, count, {"workdir": str(workdir), "changes": changes, **given}, devices=2 // count
    )
    assert [process.status for process in ended] == [0] * count, ended
    return [process.said for process in ended]


def driven(name, leaf):
    """A leaf without the biases of attention's keys: the softmax does not see them, so that their gradient is
    rounding alone, of which AdamW makes steps."""
    if not name.endswith("['qkv']['bias']"):
        return leaf
    queries, _, values = np.split(leaf, 3, axis=-1)
    return np.concatenate([queries, values], axis=-1)


def assert_same_run(workdir, other):
    ours, theirs = load_parameters(workdir), load_parameters(other)
    assert ours.step == theirs.step
    for (name, one), (_, two) in zip(leaves(ours.parameters), leaves(theirs.parameters), strict=True):
        np.testing.assert_allclose(driven(name, one), driven(name, two), rtol=1e-4, atol=1e-6, err_msg=name)
    for one, two in zip(read_metrics(workdir), read_metrics(other), strict=True):
        for name in ("step", "train/loss", "train/contrastive", "validation/loss", "probe/s"):
            assert (name in one) == (name in two)
            np.testing.assert_allclose(one.get(name, 0), two.get(name, 0), rtol=1e-4, err_msg=name)


@pytest.mark.slow
def test_stopped_by_a_signal_to_one_and_gone_on_they_come_to_what_one_process_does(root, tmp_path):
    whole, two = tmp_path / "whole", tmp_path / "two"
    (one,) = run(root, whole, 1)
    assert (one["step"], one["readers"]) == (12, [0, 1])
    stopped = run(root, two, 2, sigterm_at=2, seconds=0.5)
    step = load_parameters(two).step
    assert 2 < step < 12
    for said in stopped:
        assert said["ended"].startswith(f"{Stopped.__name__}: stopped at step {step} of 12")
    first, second = run(root, two, 2)
    assert (first["step"], second["step"]) == (12, 12)
    assert (first["readers"], second["readers"]) == ([0], [1])  # each its own shards
    assert_same_run(two, whole)


@pytest.mark.slow
def test_the_corpus_and_the_kernels_are_divided_between_them(root, tmp_path):
    changes = {
        "data.placement": "device",
        "run.fsdp": 2,
        "run.steps_per_dispatch": 2,
        "run.steps": 4,
        "run.validate_every": 4,
        "run.log_every": 2,
        "model.width": 32,
    }
    whole, two = tmp_path / "whole", tmp_path / "two"
    (one,) = run(root, whole, 1, changes)
    for said in run(root, two, 2, changes | {"data.packed": str(tmp_path / "packed")}):
        assert (said["step"], said["share"]) == (4, 0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["packed", "two", "whole"]
    assert one["share"] == 0.5
    assert_same_run(two, whole)


@pytest.mark.slow
def test_a_shard_that_one_finds_damaged_ends_both_with_its_name(root, tmp_path):
    shutil.copytree(root, tmp_path / "data")
    *_, last = sorted((tmp_path / "data").glob("made/*/*.tfrecord*"))  # which process 1 reads
    content = bytearray(last.read_bytes())
    content[100] ^= 1
    last.write_bytes(content)
    first, second = run(tmp_path / "data", tmp_path / "run", 2)
    assert first["ended"].startswith(f"ValueError: {last}, record 1: wrong checksum of the data at byte 0;")
    assert first["ended"] == second["ended"]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_updates_that_are_not_finite_stop_both_at_the_same_step(root, tmp_path):
    changes = {"optimizer.learning_rate": 1e38, "run.max_skipped_in_a_row": 2, "run.validate_every": 12}
    first, second = run(root, tmp_path, 2, changes)
    assert first["ended"].startswith("NotFinite: step ")
    assert first["ended"] == second["ended"]
    assert (tmp_path / SKIPPED_FILE).is_file()
