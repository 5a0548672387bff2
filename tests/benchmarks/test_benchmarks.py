"""The benchmarks measure what they say they measure; nothing is timed here."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks import embedding, input_pipeline, placements, train_step
from benchmarks.recordings import write_folder
from benchmarks.table import HEAD, isolated, measured
from configs import base
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.records import schema
from coreecg_jax.records.databases import wfdb_folder
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.training.experiment import build, resolved


def test_the_step_is_that_of_the_base_config() -> None:
    config = resolved(base.get_config())
    expected = build(config, schema.Preprocessing(sampling_rate=config.data.sampling_rate)).objective
    assert train_step.objective_of(train_step.SIZES["S"]) == expected
    tiny = train_step.objective_of(train_step.SIZES["Ti"])
    assert dataclasses.replace(tiny, network=expected.network) == expected


def test_its_recordings_pass_every_check(tmp_path: Path) -> None:
    write_folder(tmp_path, 3)
    listing = wfdb_folder.list_recordings(tmp_path, "made")
    outcomes = [process(listed, listing.read, listing.name, Settings()) for listed in listing.recordings]
    assert [outcome.line["status"] for outcome in outcomes] == ["read"] * 3


def test_its_data_set_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_pipeline, "WINDOWS", 5)
    input_pipeline.write_windows(tmp_path, 100)
    recordings = read_recordings(tmp_path, input_pipeline.NAME, min_seconds=9.0)
    assert len(recordings) == 5
    assert np.asarray(recordings.batch(np.arange(5)).ecg).any(axis=(1, 2)).all()


def test_what_is_not_installed_is_a_row_that_says_so() -> None:
    (row,) = isolated("step", "S", "no_such_module", "step")
    assert row.markdown() == "| step | S | skipped: No module named 'benchmarks.no_such_module' |  |  |"


def test_rows_fit_the_head() -> None:
    row = measured("step", "S", [3.0, 1.0, 2.0], "recordings/s", digits=1)
    assert row.markdown() == "| step | S | 2.0 recordings/s | 1.0–3.0 | 3 |"
    assert {line.count("|") for line in (*HEAD.splitlines(), row.markdown())} == {6}


@pytest.mark.slow
def test_the_runtimes_embed_one_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torch", "safetensors", "onnx", "onnxruntime"):
        pytest.importorskip(package, reason="pip install 'coreecg-jax[torch,onnx]'")
    size = train_step.Size(16, 1, 2, 8, 1, 1, cpu_batch=1, accelerator_batch=1)
    monkeypatch.setitem(train_step.SIZES, "S", size)
    monkeypatch.setattr(embedding, "REPEATS", 1)
    rows = list(embedding.formats("S"))
    assert [row.setting.split(",")[0] for row in rows] == ["JAX", "ONNX Runtime", "PyTorch"]
    assert all(row.result.endswith(" recordings/s") for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("placement", ["host", "device"])
def test_each_placement_is_timed(placement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_pipeline, "WINDOWS", 80)
    monkeypatch.setattr(placements, "REPEATS", 1)
    monkeypatch.setattr(placements, "STEPS", 2)
    rows = list(placements.runs(placement))
    assert [row.result.split()[1] for row in rows] == ["s", "recordings/s", "%"]


@pytest.mark.slow
def test_a_size_is_timed_its_first_step_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        train_step.SIZES, "S", train_step.Size(16, 1, 2, 8, 1, 1, cpu_batch=8, accelerator_batch=8)
    )
    monkeypatch.setattr(train_step, "REPEATS", 2)
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    first, rate, *_ = train_step.step("S")
    assert first.setting == "S, compile and first step (no compile cache)"
    assert float(first.result.removesuffix(" s")) > 10 * 8 / float(rate.result.split()[0])
