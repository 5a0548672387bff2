"""The benchmarks measure what they say they measure; nothing is timed here."""

import dataclasses
import subprocess
import sys
import types
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from benchmarks import corpus_loading, embedding, input_pipeline, placements, reading_together, train_step
from benchmarks.example_writer import example
from benchmarks.recordings import write_folder
from benchmarks.table import HEAD, Row, failed, isolated, measured, printed, rows_of
from configs import base
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.records import schema, shards
from coreecg_jax.records.databases import wfdb_folder
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.training.experiment import build, resolved

ROOT = Path(__file__).parents[2]
# What a GPU machine without a package registry is likely to lack.
WITHOUT = """
import sys
absent = "tensorflow", "tensorflow_datasets", "google_crc32c", "ml_collections", "wfdb", "pyedflib", "pydicom"
sys.modules.update(dict.fromkeys(absent))
from benchmarks import against_torch, growth, input_pipeline, placements, train_step
from benchmarks.example_writer import example

window = input_pipeline.microvolts(input_pipeline.np.random.default_rng(0), 100)
assert example(input_pipeline._example(0, window))
print("done")
"""


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


def test_its_examples_are_those_of_tensorflow_datasets() -> None:
    window = np.random.default_rng(0).integers(-(2**15), 2**15, (12, 1000), np.int16)
    fields = input_pipeline._example(300, window) | {"labels": ["AF", "é"], "likelihoods": [50.0, 0.0]}
    assert example(fields) == shards.encoder(1000)(fields)
    assert example({}) == b"\n\x00"


def test_the_benchmarks_of_an_accelerator_need_jax_and_its_relatives_alone() -> None:
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stdout == "done\n", result.stderr


def test_what_is_not_installed_is_a_row_that_says_so() -> None:
    (row,) = isolated("step", "S", "no_such_module", "step")
    assert row.markdown() == "| step | S | skipped: No module named 'benchmarks.no_such_module' |  |  |"


def test_whatever_else_goes_wrong_is_a_row() -> None:
    (row,) = isolated("step", "S", "table", "measured", "step", "S", "values", "unit")  # it wants numbers
    assert row.failed
    assert row.result.startswith("failed: TypeError: ")


def test_rows_before_an_error_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows():
        yield measured("step", "S", [1.0], "s")
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setitem(sys.modules, "benchmarks.made", types.SimpleNamespace(rows=rows))
    assert [row.result for row in rows_of("step", "S", "made", "rows", ())] == [
        "1 s",
        "failed: out of memory",
    ]


@pytest.mark.parametrize(
    ("result", "asked", "bad"),
    [
        ("2 s", True, False),
        ("failed: x", False, True),
        ("skipped: x", False, False),
        ("skipped: x", True, True),
    ],
)
def test_a_failed_row_is_remembered_and_ends_nothing(
    result: str, asked: bool, bad: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Row("step", "S", text) for text in ("1 s", result, "3 s")]
    assert printed(rows, asked=asked) == bad
    assert capsys.readouterr().out.splitlines() == [row.markdown() for row in rows]


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9"), "out of memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory"),
        (MemoryError(), "out of memory"),
        (BrokenProcessPool("gone"), "the process was killed, perhaps for memory"),
        (ValueError("a | b\nand more"), "ValueError: a / b"),
    ],
)
def test_a_row_says_why_it_has_no_number(error: BaseException, result: str) -> None:
    assert failed("step", "S", error).result == f"failed: {result}"


def test_accelerators_are_given_batches_that_keep_them_at_work() -> None:
    assert (placements.recordings_of("cpu", 8), placements.recordings_of("cuda", 1)) == (32, 2048)
    assert placements.recordings_of("tpu", 6) % 6 == 0


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


def test_loading_a_corpus_is_timed_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (input_pipeline, corpus_loading):
        monkeypatch.setattr(module, "WINDOWS", 256)
    monkeypatch.setattr(corpus_loading, "REPEATS", 1)
    monkeypatch.setattr(corpus_loading, "RATE", 100)
    rows = list(corpus_loading.loading())
    ways = ["from the shards", "from the shards, and the file written", "from the file alone"]
    assert [row.setting for row in rows] == [f"{way}, 256 windows" for way in ways]
    assert {row.result.split()[1] for row in rows} == {"s"}


@pytest.mark.slow
def test_shares_of_a_reading_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_pipeline, "WINDOWS", 64)
    monkeypatch.setattr(input_pipeline, "BATCH", 32)
    monkeypatch.setattr(reading_together, "REPEATS", 2)
    monkeypatch.setattr(reading_together, "SHARDS", 8)
    rows = list(reading_together.shares())
    assert [row.setting.rpartition(", ")[2] for row in rows] == ["1 of 1", "1 of 2", "1 of 4"] * 3
    assert {(row.result.split()[1], row.repeats) for row in rows} == {("s", "2")}


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
