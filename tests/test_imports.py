"""The method, its step and the evaluation need no TensorFlow."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
WITHOUT_TENSORFLOW = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_datasets"):
            raise ImportError(f"{name} is asked for")

sys.meta_path.insert(0, Forbidden())
sys.path[:0] = ["tests/training"]

import importlib, pkgutil
import coreecg_jax.baselines, coreecg_jax.downstream, coreecg_jax.export, coreecg_jax.figures
import coreecg_jax.inputs, coreecg_jax.method, coreecg_jax.training

for room in ("baselines", "downstream", "export", "figures", "inputs", "method", "training"):
    package = sys.modules[f"coreecg_jax.{room}"]
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name != "coreecg_jax.export.pytorch":  # which needs torch, and none of ours
            importlib.import_module(module.name)
import launch.evaluate

import functools
import jax
from made_runs import made_recordings, placement_of, tiny_experiment, trained
from coreecg_jax.downstream.features import crop_features
from coreecg_jax.method.representation import represent
from coreecg_jax.training.validation import make_validator

experiment, placement = tiny_experiment(), placement_of(1)
_, state, (metrics,) = trained(experiment, placement, 1)
assert metrics["loss"] > 0
validate = make_validator(experiment.objective, made_recordings(8), batch_size=8, placement=placement)
assert validate(state.parameters)["loss"] > 0
apply = jax.jit(functools.partial(represent, experiment.objective.network, state.parameters["network"]))
assert crop_features(apply, made_recordings(3), crop_seconds=9.0, crops=1).shape == (3, 49 * 16 + 30)
assert not any(name.split(".")[0] == "tensorflow" for name in sys.modules)
print("done")
"""


def test_training_and_evaluation_run_without_tensorflow() -> None:
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout == "done\n", result.stderr
