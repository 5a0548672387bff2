"""The first gate before anything long: one fixed batch must be recovered to more than half.

python -m launch.overfit --config=configs/real_2core.py [--steps=1500] [--config.FIELD=VALUE …]
"""

from collections.abc import Sequence

import numpy as np
from absl import flags

from configs import base
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.training.experiment import build, resolved
from coreecg_jax.training.overfit import overfit
from launch.config_files import define_config_file
from launch.shell import run_main

_CONFIG = define_config_file("config", base.__file__, "A file of configs/.", is_default=False)
_STEPS = flags.DEFINE_integer("steps", 1500, "Steps on the one batch.", lower_bound=1)
_EVERY = flags.DEFINE_integer("every", 100, "Steps between the lines printed.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch_size", 8, "Recordings of the batch.", lower_bound=2)
REQUIRED = 0.5  # explained variance


def main(argv: Sequence[str]) -> None:
    """Prints the curve and whether the gate is passed."""
    del argv
    config = resolved(_CONFIG.value)
    data = config.data
    recordings = read_recordings(data.root, data.train, min_seconds=data.crop_seconds)
    if _BATCH.value > len(recordings):
        raise ValueError(f"--batch_size: expected at most {len(recordings)} windows, got {_BATCH.value}")
    if not config.objective.lambda_r:
        raise ValueError("objective.lambda_r: expected more than 0, got 0: the gate is a reconstruction")
    config.run.steps = max(10 * _STEPS.value, config.run.steps)  # the rate stays near its peak
    experiment = build(config, recordings.preprocessing)
    curve = overfit(
        experiment.objective,
        experiment.optimizer,
        recordings.batch(np.arange(_BATCH.value)),
        seed=config.seed,
        steps=_STEPS.value,
        every=_EVERY.value,
    )
    print("| step | reconstruction | contrastive | explained variance |\n|---:|---:|---:|---:|")
    for step, metrics in curve:
        figures = (metrics[name] for name in ("reconstruction", "contrastive", "explained_variance"))
        print(f"| {step} | " + " | ".join(f"{value:.3f}" for value in figures) + " |")
    reached = curve[-1][1]["explained_variance"]
    if not reached > REQUIRED:
        raise ValueError(f"the gate is not passed: explained {reached:.3f}, required more than {REQUIRED}")
    print(f"passed: {reached:.3f}, required more than {REQUIRED}")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    run_main(main)
