"""CoRe-ECG-B on MIMIC-IV-ECG (800,035 recordings, 161,352 patients).

Reproduces: the setting of the paper's pretraining, in our specification (size, schedule and rates are ours).
Cost: 100,000 steps of 2,048 recordings (284 epochs); about 180 GFLOP a recording, 37 EFLOP (counted).
Expected: not run. Data: `mimic_iv_ecg` as launch.prepare divides it by patient: nine tenths to train on,
one to validate on (docs/data.md, folds).
Command: python -m launch.pretrain --config=configs/mimic_b.py --workdir=runs/mimic_b
"""

import ml_collections

from configs import mimic_s


def get_config() -> ml_collections.ConfigDict:
    """B: 768 wide, 12 deep, 12 heads."""
    config = mimic_s.get_config()
    config.model.width, config.model.depth, config.model.heads = 768, 12, 12
    return config
