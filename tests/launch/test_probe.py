"""From shards through a checkpoint to a table and its file, by the launchers' own functions."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from made_shards import example, serialise, write_data_set

from configs import tiny
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.experiment import build, resolved
from coreecg_jax.training.state import init_state

ROOT = Path(__file__).parents[2]
PREPROCESSING = Preprocessing(sampling_rate=100.0)
CODES = ("NORM", "IMI", "NDT", "LAFB", "LVH")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folds 1 to 10 of a made PTB-XL, twelve recordings of noise each, every superclass."""
    root = tmp_path_factory.mktemp("data")
    splits = {}
    for fold in range(1, 11):
        numbers = range(12 * fold, 12 * fold + 12)
        splits[f"fold{fold}"] = [[serialise(labelled(number, fold)) for number in numbers]]
    write_data_set(root, "ptbxl", splits, preprocessing=PREPROCESSING)
    return root


def labelled(number: int, fold: int) -> dict:
    changes = {"fold": fold, "labels": [CODES[number % 5]], "likelihoods": [100.0], "length": 1000}
    return example(number, "ptbxl", samples=1000, quality=[0] * 12, window=0, **changes)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny experiment as it is before its first step."""
    config = resolved(tiny.get_config())
    experiment = build(config, PREPROCESSING)
    workdir = tmp_path_factory.mktemp("run")
    with Checkpoints(workdir, config, PREPROCESSING) as checkpoints:
        checkpoints.save_last(init_state(experiment.objective, experiment.optimizer, jax.random.key(0)))
    return workdir


def probe(run: Path, data: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "launch.probe", f"--workdir={run}", f"--data_root={data}", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_run_becomes_a_table_and_a_file(run: Path, data: Path, tmp_path: Path) -> None:
    result = probe(run, data, "--pooling=recording", f"--out={tmp_path / 'x.json'}")
    assert result.returncode == 0, result.stderr
    assert "| pretrained − untrained encoder |" in result.stdout
    numbers = json.loads((tmp_path / "x.json").read_text())
    assert numbers["protocol"] == "sealed test"
    assert [(e["step"], e["pooling"]) for e in numbers["encoders"]] == [(0, "recording")]
    assert numbers["train"]["recordings"] == 96
    assert numbers["test"]["recordings"] == 24


def test_mistakes_are_one_sentence(data: Path, tmp_path: Path) -> None:
    result = probe(tmp_path, data)
    assert result.returncode == 2
    assert result.stderr.startswith("error: no last checkpoint under ")
