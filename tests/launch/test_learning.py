"""A brief pretraining learns what is visible in the waveform: the whole way, as a user goes it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from coreecg_jax.downstream.methods import PRETRAINED

ROOT = Path(__file__).parents[2]


def run(verb: str, *flags: str) -> None:
    command = [sys.executable, "-m", f"launch.{verb}", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_simulated_conditions_are_found_well_above_the_untrained_encoder(tmp_path: Path) -> None:
    """Embedding by a linear map, tokens pooled together: an untrained encoder knows little by itself then."""
    data, workdir, out = tmp_path / "data", tmp_path / "run", tmp_path / "result.json"
    run("prepare", "--database=simulated", f"--out={data}", "--sampling_rate=100")
    settings = "--config.run.steps=300", "--config.model.kernels=0"
    run(
        "pretrain",
        "--config=configs/demo.py",
        f"--config.data.root={data}",
        f"--workdir={workdir}",
        *settings,
    )
    asked = "--task=simulated_conditions", "--development", "--pooling=recording", "--beside=untrained"
    run("evaluate", f"--checkpoint={workdir}", f"--data_root={data}", f"--out={out}", *asked)
    numbers = json.loads(out.read_text())
    (difference,) = numbers["differences"]
    assert difference["macro_auroc"]["low"] > 0.02
    assert numbers["scores"][PRETRAINED]["macro_auroc"]["low"] > 0.85
