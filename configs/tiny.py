"""For tests: everything small, a step in milliseconds. Learns nothing worth having."""

import ml_collections

from configs import base


def get_config() -> ml_collections.ConfigDict:
    """The base at toy size."""
    config = base.get_config()
    config.data.root = "data/100hz"
    config.data.train = config.data.validation = "made"
    config.data.sampling_rate = 100.0
    config.data.batch_size = config.data.validation_batch_size = 8
    config.data.shuffle_buffer = 32
    config.model.patch = 100  # 1 s
    config.model.width, config.model.depth, config.model.heads = 16, 1, 2
    config.model.decoder_width, config.model.decoder_depth, config.model.decoder_heads = 8, 1, 1
    config.model.kernels, config.model.kernel_length = 4, 9
    config.model.registers, config.model.projection = 1, 8
    config.optimizer.warmup_steps = 2
    config.run.steps = 8
    config.run.log_every = 1
    config.run.validate_every = 4
    config.run.checkpoint_every = 4
    return config
