"""Choices of the network compared by reconstruction alone, on real ECG: small and short, to set defaults.

Trained on PTB-XL folds 1-7 and six other folders, judged on fold 8, so that no test fold decides anything.
Reproduces: docs/results.md, the table of designs. Cost: about 2 minutes on one core.
Command: python -m launch.pretrain --config=configs/design.py --workdir=runs/design
"""

import ml_collections

from configs import real_2core


def get_config() -> ml_collections.ConfigDict:
    """32 wide, 2 deep."""
    config = real_2core.get_config()
    config.data.train = config.data.train.replace("fold1-8", "fold1-7")
    config.data.validation = "ptbxl:fold8"
    config.model.width, config.model.depth, config.model.heads = 32, 2, 2
    config.model.decoder_width, config.model.decoder_depth, config.model.decoder_heads = 32, 1, 2
    config.objective.lambda_c = 0.0
    config.optimizer.warmup_steps = 40
    config.run.steps = 400
    config.run.validate_every = 100
    config.run.probe_task = ""
    return config
