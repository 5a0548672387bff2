import json
import math
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from coreecg_jax.training.journal import METRICS_FILE, Journal, read_metrics


def write_steps(workdir, steps, resume_step=None):
    with Journal(workdir, resume_step=resume_step) as journal:
        for step in steps:
            journal.write(step, {"loss": step / 10})


def event_values(workdir, tag):
    accumulator = EventAccumulator(str(workdir))
    accumulator.Reload()
    return [(event.step, event.value) for event in accumulator.Scalars(tag)]


def test_a_line_holds_the_step_and_the_metrics_under_their_prefix(tmp_path):
    with Journal(tmp_path / "new" / "run") as journal:
        journal.write(1, {"loss": 0.5, "accuracy": np.float32(0.25)})
        journal.write(1, {"loss": jnp.float32(2.0)}, prefix="validation")
    assert read_metrics(tmp_path / "new" / "run") == [
        {"step": 1, "train/loss": 0.5, "train/accuracy": 0.25},
        {"step": 1, "validation/loss": 2.0},
    ]


def test_what_is_written_together_is_one_line(tmp_path):
    with Journal(tmp_path) as journal:
        journal.write_together(3, {"validation": {"loss": 2.0}, "probe": {"auroc": math.nan}})
    assert read_metrics(tmp_path) == [{"step": 3, "validation/loss": 2.0, "probe/auroc": None}]
    assert event_values(tmp_path, "validation/loss") == [(3, 2.0)]
    assert math.isnan(event_values(tmp_path, "probe/auroc")[0][1])


def test_a_line_is_on_disk_as_soon_as_it_is_written(tmp_path):
    with Journal(tmp_path) as journal:
        journal.write(1, {"loss": 0.5})
        assert read_metrics(tmp_path) == [{"step": 1, "train/loss": 0.5}]
        assert event_values(tmp_path, "train/loss") == [(1, 0.5)]


def test_what_is_not_finite_is_null_in_the_lines_and_kept_in_the_events(tmp_path):
    with Journal(tmp_path) as journal:
        journal.write(1, {"loss": math.nan, "gain": math.inf})
    line = (tmp_path / METRICS_FILE).read_text()
    assert json.loads(line, parse_constant=pytest.fail) == {"step": 1, "train/loss": None, "train/gain": None}
    assert math.isnan(event_values(tmp_path, "train/loss")[0][1])
    assert event_values(tmp_path, "train/gain") == [(1, math.inf)]


def test_an_interrupted_and_resumed_run_reads_like_an_uninterrupted_one(tmp_path):
    write_steps(tmp_path / "whole", range(1, 9))
    write_steps(tmp_path / "resumed", range(1, 7))  # the checkpoint is of step 4
    write_steps(tmp_path / "resumed", range(5, 9), resume_step=4)
    whole, resumed = [(tmp_path / run / METRICS_FILE).read_bytes() for run in ("whole", "resumed")]
    assert resumed == whole
    events = event_values(tmp_path / "whole", "train/loss")
    assert event_values(tmp_path / "resumed", "train/loss") == events
    assert [step for step, _ in events] == list(range(1, 9))


def test_resuming_without_a_journal_starts_one(tmp_path):
    write_steps(tmp_path, [5], resume_step=4)
    assert read_metrics(tmp_path) == [{"step": 5, "train/loss": 0.5}]


def test_the_journal_of_another_run_is_not_written_into(tmp_path):
    write_steps(tmp_path, [1])
    with pytest.raises(FileExistsError, match="choose a new workdir, or resume"):
        Journal(tmp_path)
    assert len(read_metrics(tmp_path)) == 1


def test_a_last_line_cut_short_is_left_out_and_gone_after_resuming(tmp_path):
    write_steps(tmp_path, [1, 2])
    path = tmp_path / METRICS_FILE
    path.write_text(path.read_text() + '{"step": 3, "tra')
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 2]
    write_steps(tmp_path, [3], resume_step=2)
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 2, 3]


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"loss": 1}', '{"step": "1"}', ""])
def test_a_damaged_line_is_told_and_nothing_is_changed(tmp_path, line):
    write_steps(tmp_path, [1])
    path = tmp_path / METRICS_FILE
    path.write_text(f"{path.read_text()}{line}\n")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2: expected a JSON object with a step"):
        read_metrics(tmp_path)
    with pytest.raises(ValueError, match="line 2"):
        Journal(tmp_path, resume_step=1)
    assert path.read_bytes() == before


def test_a_metric_that_is_no_number_writes_nothing(tmp_path):
    with Journal(tmp_path) as journal, pytest.raises(TypeError):
        journal.write(1, {"loss": 0.5, "curve": np.zeros(3)})
    assert read_metrics(tmp_path) == []


def test_it_does_not_need_tensorflow(tmp_path):
    code = (
        "import sys; from coreecg_jax.training.journal import Journal, read_metrics\n"
        f"with Journal({str(tmp_path)!r}) as journal: journal.write(1, {{'loss': 0.5}})\n"
        f"assert read_metrics({str(tmp_path)!r}) and 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_picture_is_for_tensorboard_only(tmp_path):
    with Journal(tmp_path) as journal:
        journal.draw(7, "reconstruction", b"PNG bytes")
    accumulator = EventAccumulator(str(tmp_path))
    accumulator.Reload()
    (image,) = accumulator.Images("reconstruction")
    assert (image.step, image.encoded_image_string) == (7, b"PNG bytes")
    assert read_metrics(tmp_path) == []
