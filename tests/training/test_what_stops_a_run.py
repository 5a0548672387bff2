"""What stops a run, or is found before it: wrong settings, a loss that is not finite, damaged records."""

import contextlib
import json
import time

import pytest
from made_runs import PREPROCESSING, validating_config
from made_shards import example, serialise, write_data_set
from made_threads import together

from coreecg_jax.inputs.pipeline import training_batches
from coreecg_jax.training import feeds, loop
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.journal import read_metrics
from coreecg_jax.training.loop import train
from coreecg_jax.training.skipping import SKIPPED_FILE, NotFinite, Patience


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
        train(validating_config(root, changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_stays_not_finite_stops_the_run_and_tells_the_recordings(root, tmp_path, monkeypatch):
    def diverging(*args, **kwargs):  # after step 4; what a real step does then is tested in test_step
        def diverge(state, batch):
            state = state.replace(step=state.step + 1)
            in_a_row = max(0, int(state.step) - 4)
            loss = float("nan") if in_a_row else 1.0
            return state, {"loss": loss, "gradient_norm": 1.0, "skipped_in_a_row": in_a_row}

        return diverge

    monkeypatch.setattr(feeds, "make_train_step", diverging)
    monkeypatch.setattr(loop, "_validator", lambda *args: lambda *_: {"loss": 1.0})
    changes = {"run.max_skipped_in_a_row": 2, "run.validate_every": 4}
    with pytest.raises(
        NotFinite, match=r"step 6: .* got nan and .* last 2 steps \(run\.max_skipped_in_a_row = 2"
    ):
        train(validating_config(root, changes), tmp_path)
    assert load_parameters(tmp_path).step == 4
    stream = training_batches(
        root,
        "made",
        batch_size=8,
        seed=0,
        min_seconds=9.0,
        shuffle_buffer=validating_config(root).data.shuffle_buffer,
    )
    expected = [{"step": step, "recordings": stream.windows.recordings(step - 1)} for step in (5, 6)]
    assert json.loads((tmp_path / SKIPPED_FILE).read_text()) == expected
    assert all(len(set(row["recordings"])) == 8 for row in expected)
    # A loss that is not finite is journalled as null.
    assert [row["train/loss"] for row in read_metrics(tmp_path) if row["step"] == 5] == [None]


@pytest.mark.parametrize("ends", [None, ValueError("a damaged shard"), KeyboardInterrupt()])
def test_however_a_run_ends_nothing_reads_for_it_any_more(root, tmp_path, monkeypatch, ends):
    class Feed:
        most, closed = 1, False

        def __call__(self, state, number, count):
            if ends is not None:
                raise ends
            figures = dict.fromkeys(("loss", "gradient_norm"), 1.0)
            return state.replace(step=state.step + 1), {"skipped_in_a_row": 0.0, **figures}

        def close(self):
            self.closed = True

    feed = Feed()
    monkeypatch.setattr(loop, "_validator", lambda *_: lambda *_: {"loss": 1.0})
    monkeypatch.setattr(loop, "_feed_from", lambda *_: lambda *_: feed)
    with pytest.raises(type(ends)) if ends is not None else contextlib.nullcontext():
        train(validating_config(root, {"run.steps": 1, "optimizer.warmup_steps": 0}), tmp_path)
    assert feed.closed


def test_several_processes_end_when_the_recordings_are_written(tmp_path):
    """Who raised at once would have ended the first while it still read."""
    read, there = [], []

    def recordings_of(step):
        time.sleep(0.2)
        read.append(step)
        return [f"r{step}"]

    def end(processes):
        patience = Patience(3, tmp_path, recordings_of, processes)
        patience.look(range(5, 6), {"skipped_in_a_row": 3.0, "loss": float("nan"), "gradient_norm": 1.0})
        try:
            patience.finish()
        finally:
            there.append((tmp_path / SKIPPED_FILE).is_file())

    first, second = together(2, end)
    assert (type(first), str(first)) == (NotFinite, str(second))
    assert there == [True, True]
    assert sorted(read) == [2, 3, 4]  # each by one of them
    rows = json.loads((tmp_path / SKIPPED_FILE).read_text())
    assert rows == [{"step": step, "recordings": [f"r{step - 1}"]} for step in (3, 4, 5)]


def test_what_one_process_cannot_read_of_the_recordings_ends_all(tmp_path):
    def end(processes):
        def recordings_of(step):
            raise ValueError(f"shard of step {step}: damaged")

        name = recordings_of if processes.number == 1 else lambda step: ["r"]
        patience = Patience(2, tmp_path, name, processes)
        patience.look(range(5, 6), {"skipped_in_a_row": 2.0, "loss": float("nan"), "gradient_norm": 1.0})
        patience.finish()

    assert [str(error) for error in together(2, end)] == ["shard of step 4: damaged"] * 2


def test_damaged_records_of_training_are_left_out_and_counted(tmp_path, monkeypatch, capsys):
    records = [serialise(example(number, "made", samples=1000)) for number in range(9)]
    data = {"train": tmp_path / "data" / "train", "validation": tmp_path / "data" / "validation"}
    for use in data:
        write_data_set(tmp_path / "data", use, {"all": [records]}, preprocessing=PREPROCESSING)
    (shard,) = data["train"].rglob("*.tfrecord*")
    content = bytearray(shard.read_bytes())
    content[-1000] ^= 1
    shard.write_bytes(content)
    figures = {"loss": 1.0, "gradient_norm": 1.0, "skipped_in_a_row": 0}

    def make_step(*args, **kwargs):
        return lambda state, batch: (state.replace(step=state.step + 1), figures)

    monkeypatch.setattr(feeds, "make_train_step", make_step)
    monkeypatch.setattr(loop, "_validator", lambda *args: lambda *_: {"loss": 1.0})
    config = validating_config(
        tmp_path / "data",
        {"data.train": "train", "data.validation": "validation", "run.steps": 3, "data.on_corrupt": "skip"},
    )
    train(config, tmp_path / "run")
    assert f"warning: {shard}, record 9: wrong checksum of the data" in capsys.readouterr().err
    counts = [row["train/records_skipped"] for row in read_metrics(tmp_path / "run") if "train/loss" in row]
    assert counts == [1.0, 1.0, 1.0]
    config.data.on_corrupt = "error"
    with pytest.raises(ValueError, match=rf"{shard}, record 9: wrong checksum of the data"):
        train(config, tmp_path / "other")


def test_patience_is_checked_before_anything_is_trained(root, tmp_path):
    with pytest.raises(ValueError, match=r"run\.max_skipped_in_a_row: expected more than 0, got 0"):
        train(validating_config(root, {"run.max_skipped_in_a_row": 0}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
