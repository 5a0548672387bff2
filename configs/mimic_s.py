"""CoRe-ECG-S on MIMIC-IV-ECG (800,035 recordings, 161,352 patients).

Reproduces: the setting of the paper's pretraining, in our specification (size, schedule and rates are ours).
Cost: 100,000 steps of 2,048 recordings (284 epochs); about 60 GFLOP a recording, 12 EFLOP in all (counted).
Expected: not run. Data: `mimic_iv_ecg` as launch.prepare divides it by patient: nine tenths to train on,
one to validate on (docs/data.md, folds).
Command: python -m launch.pretrain --config=configs/mimic_s.py --workdir=runs/mimic_s
"""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """S: 384 wide, 12 deep, 6 heads."""
    config = base.get_config()
    config.data.train = "mimic_iv_ecg:fold1-9"
    config.data.validation = "mimic_iv_ecg:fold10"
    config.data.batch_size = 2048
    config.data.validation_batch_size = 512
    config.data.readers = 16  # so that up to 16 processes read shards of their own each
    config.optimizer.learning_rate = 1.5e-4 * config.data.batch_size / 256
    config.optimizer.warmup_steps = 10_000
    config.run.steps = 100_000
    config.run.remat = "dots"  # else a device of 16 would keep 22 GB for the gradient (docs/running.md)
    return config
