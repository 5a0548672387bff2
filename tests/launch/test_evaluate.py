"""From shards through a checkpoint to tables and files, as a user sees it."""

import json
import subprocess
from pathlib import Path

import pytest
from made_labelled import PREPROCESSING, write_labelled_data
from made_launches import launched
from made_parameters import made_state

from configs import tiny
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.predictions import read_predictions
from coreecg_jax.downstream.tasks import named_task
from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.experiment import build, resolved
from launch.evaluating import Asked, leads_of
from launch.known_tasks import known_tasks

NAME = "ptbxl_superclass_linear_pooling-recording_scratch.epochs-3"  # of the first result


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_labelled_data(root)
    return root


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny experiment as it is before its first step."""
    config = resolved(tiny.get_config())
    experiment = build(config, PREPROCESSING)
    workdir = tmp_path_factory.mktemp("run")
    with Checkpoints(workdir, config, PREPROCESSING) as checkpoints:
        checkpoints.save_last(made_state(experiment))
    return workdir


def ask(run: Path, data: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return launched("launch.evaluate", f"--checkpoint={run}", f"--data_root={data}", *flags)


@pytest.fixture(scope="module")
def asked(run: Path, data: Path) -> subprocess.CompletedProcess[str]:
    """The first evaluation of the run."""
    return ask(run, data, "--pooling=recording", "--protocols.scratch.epochs=3")


def test_a_run_becomes_tables_and_files(asked: subprocess.CompletedProcess[str], run: Path) -> None:
    assert asked.returncode == 0, asked.stderr
    assert "| pretrained − untrained encoder |" in asked.stdout
    assert "| pretrained − supervised from scratch |" in asked.stdout
    assert "The labels of this test were opened once so far." in asked.stdout
    numbers = json.loads((run / "evaluations" / f"{NAME}.json").read_text())
    assert numbers["protocol"] == "sealed test"
    assert [(e["step"], e["pooling"]) for e in numbers["encoders"]] == [(0, "recording")]
    assert numbers["asked"]["settings"]["scratch"]["epochs"] == 3
    sizes = [numbers[part]["recordings"] for part in ("train", "validation", "test")]
    assert sizes == [16, 12, 12]
    assert len(numbers["encoders"][0]["digest"]) == len(numbers["digests"]["code"]["digest"]) == 64
    predictions = read_predictions(run / "evaluations" / f"{NAME}.parquet")
    assert predictions.labels.sum(axis=0).tolist() == list(numbers["test"]["positives"].values())
    assert set(predictions.methods) == set(numbers["scores"])
    assert all(name.startswith("ptbxl/") for name in predictions.recordings)


def test_what_it_is_doing_is_told_beside_the_tables(asked: subprocess.CompletedProcess[str]) -> None:
    told = asked.stderr.splitlines()
    of_rival = [line for line in told if line.startswith("random convolutions, kernels 1 (2 of 3): ")]
    assert of_rival[0].endswith(": fitted on 16 recordings, chosen by 12")
    assert of_rival[-1].startswith("random convolutions, kernels 1 (2 of 3): predicts 12 recordings")
    assert told[0] == "ptbxl_superclass: the recordings are read"
    assert told[-1] == "scores: intervals by resamples of patients"
    assert not set(told) & set(asked.stdout.splitlines())


@pytest.mark.usefixtures("asked")
def test_a_second_look_is_refused(run: Path, data: Path) -> None:
    again = ask(run, data, "--pooling=lead")
    assert again.returncode == 2
    assert "this run opened this test set once before" in again.stderr


def test_mistakes_are_one_sentence(data: Path, tmp_path: Path) -> None:
    missing = ask(tmp_path, data)
    assert missing.returncode == 2
    assert missing.stderr.startswith("error: no last checkpoint under ")
    assert "did you mean" not in missing.stderr
    slip = ask(Path("release"), data)
    assert slip.returncode == 2
    assert slip.stderr.rstrip().endswith("; --checkpoint: got 'release' (did you mean released?)")


def test_flags_say_what_they_expect(tmp_path: Path) -> None:
    assert leads_of("2") == ("I", "II")
    assert leads_of("v2,II,i") == ("I", "II", "V2")
    with pytest.raises(ValueError, match="--leads: expected one of 12, 8, 6, 3, 2, 1"):
        leads_of("5")
    tasks = known_tasks()
    with pytest.raises(ValueError, match=r"did you mean ptbxl_superclass\?"):
        named_task(tasks, "ptbxl_superclas")
    with pytest.raises(ValueError, match=r"--beside: expected some of untrained, scratch, rival, got 'x'$"):
        Asked(tasks["ptbxl_superclass"], tmp_path, tmp_path, beside=("x",))
    with pytest.raises(ValueError, match="--fraction: expected more than 0"):
        Asked(tasks["ptbxl_superclass"], tmp_path, tmp_path, subset=Subset(fraction=0.0))
