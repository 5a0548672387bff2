"""How a representation is judged: the settings of every protocol of launch.evaluate.

Other settings: --protocols.finetune.epochs=30, or a file of your own by --protocols=FILE. The seal of the
test does not ask about them: other settings are no other run (docs/evaluation.md).

Hardly tuned: docs/evaluation.md, "Learning by gradients", has what was tried, on one encoder of 300 steps
and the 354 labelled recordings of PTB-XL folds 1-8. There mixup hurts, drop path and augmentation change
nothing.
"""

import ml_collections
from ml_collections import config_dict


def get_config() -> ml_collections.ConfigDict:
    """A group a protocol; fields of the last three are those of `downstream.finetuning_settings.Settings`."""
    config = ml_collections.ConfigDict()

    config.knn = {"neighbours": (5, 10, 20, 50)}  # numbers of recordings that are tried

    # Evenly spaced crops of a window whose representations are averaged; None: 3, of a bundle its own.
    config.linear = {"crops": config_dict.placeholder(int)}

    config.attention = attention = ml_collections.ConfigDict()
    attention.head, attention.frozen = "attention", True
    attention.learning_rate = 3e-3  # at the peak; 1e-3 scored 0.021 less (docs/evaluation.md)
    attention.layer_decay = 1.0
    attention.weight_decay = 0.05  # of kernels of linear layers
    attention.warmup_epochs, attention.epochs, attention.min_epochs = 2.0, 20, 0
    attention.min_epoch_steps = 8  # of few recordings each is seen several times an epoch
    attention.patience = (
        8  # epochs without a better macro AUROC on validation, or an equal one of smaller log loss
    )
    attention.batch_size = 32  # recordings
    attention.drop_path = 0.0
    attention.mixup, attention.augment = 0.0, 0.0
    attention.evaluate_crops = 3  # of a window

    config.finetune = finetune = ml_collections.ConfigDict()
    finetune.head, finetune.frozen = "linear", False
    finetune.learning_rate = 1e-3  # of the head, at the peak
    finetune.layer_decay = 0.75  # learning rate of a layer over that of the layer above
    finetune.weight_decay = 0.05
    finetune.warmup_epochs, finetune.epochs, finetune.min_epochs = 2.0, 10, 0
    finetune.min_epoch_steps = 8
    finetune.patience = 8
    finetune.batch_size = 32
    finetune.drop_path = 0.0  # probability that the last layer is skipped
    finetune.mixup = 0.0  # alpha
    finetune.augment = 0.0  # standard deviation of the log amplitude; tenths of a millivolt of noise
    finetune.evaluate_crops = 3

    # As fine-tuning is, whatever is set there, but for what a start from nothing needs.
    config.scratch = scratch = ml_collections.ConfigDict()
    for field in finetune:
        scratch[field] = finetune.get_oneway_ref(field)
    scratch.layer_decay = 1.0  # no layer has learnt anything that is to be kept
    scratch.epochs = 40  # of 10, as of fine-tuning, the best scored 0.016 less
    return config
