"""The method, its step and the evaluation need no TensorFlow, and no torch."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
WITHOUT_TENSORFLOW = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_datasets", "torch"):
            raise ImportError(f"{name} is asked for")

sys.meta_path.insert(0, Forbidden())
sys.path[:0] = ["tests", "tests/training"]

import importlib, pkgutil
import coreecg_jax.baselines, coreecg_jax.downstream, coreecg_jax.export, coreecg_jax.figures
import coreecg_jax.inputs, coreecg_jax.method, coreecg_jax.training

for room in ("baselines", "downstream", "export", "figures", "inputs", "method", "training"):
    package = sys.modules[f"coreecg_jax.{room}"]
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name != "coreecg_jax.export.pytorch":  # which needs torch; so its files are not walked
            importlib.import_module(module.name)
import launch.evaluate

import jax
from made_runs import made_batch, placement_of, tiny_experiment
from coreecg_jax.method.representation import represent
from coreecg_jax.training.state import init_state
from coreecg_jax.training.step import make_train_step

experiment, placement = tiny_experiment(), placement_of(1)
parts = experiment.objective, experiment.optimizer
# Traced, not compiled: that runs every line of Python, and compiling takes long.
state = jax.eval_shape(lambda: init_state(*parts, jax.random.key(0)))
step = make_train_step(*parts, seed=0, placement=placement, of_state=placement.of_state(state))
batch = made_batch(0)
assert jax.eval_shape(step, state, batch)[1]["loss"].shape == ()
crops = jax.ShapeDtypeStruct((3, 12, 900), "float32"), jax.ShapeDtypeStruct((3, 12), bool), batch.length[:3]
network = experiment.objective.network
embedding = jax.eval_shape(lambda *x: represent(network, *x), state.parameters["network"], *crops)
assert embedding.shape == (3, 49 * 16 + 30)
assert not any(name.split(".")[0] == "tensorflow" for name in sys.modules)
print("done")
"""


def test_training_and_evaluation_run_without_tensorflow() -> None:
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout == "done\n", result.stderr
