"""The first ten minutes: simulated or real ECG, three minutes of pretraining on two CPU cores.

Reproduces: nothing; it shows the whole way once. Cost: 600 steps, about three minutes.
Expected: docs/results.md, "The demo".
Command: make demo
"""

import ml_collections

from configs import real_2core


def get_config() -> ml_collections.ConfigDict:
    """The network of the 2-core config, trained for less long."""
    config = real_2core.get_config()
    config.data.root = "runs/demo/data"
    config.data.train = "simulated:train+probe"
    config.data.validation = "simulated:validation"
    config.run.steps = 600
    config.run.log_every = 10
    config.run.validate_every = 150
    config.run.checkpoint_every = 150
    config.run.probe_task = ""
    return config
