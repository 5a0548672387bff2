"""Every setting of pretraining at the defaults of the method; experiments are small differences from it."""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """The base: CoRe-ECG-S on 9 s crops at 250 Hz."""
    config = ml_collections.ConfigDict()
    config.seed = 0  # of parameters, crops, views, masks and the order of the data

    config.method = "coreecg"  # or a rival's: simclr, cmsc, masked_autoencoder (docs/method.md, "Baselines")

    config.data = data = ml_collections.ConfigDict()
    data.root = "data/250hz"  # folder of prepared data sets
    data.train = "ptbxl:fold1-8"  # NAME[:SPLIT+SPLIT…], …
    data.validation = "ptbxl:fold9"
    data.sampling_rate = 250.0  # Hz; must be that of the data
    data.crop_seconds = 9.0  # s, a view; shorter recordings are not used
    data.batch_size = 256  # recordings, over all devices; each gives two views
    data.validation_batch_size = 64  # recordings
    data.shuffle_buffer = 10_000  # windows: none is delayed by more
    data.placement = "host"  # streamed by tf.data; or device: the corpus lies in the devices' memory
    data.readers = 1  # equal parts of a batch, each from shards of its own, for processes to share
    data.packed = ""  # for placement device: folder for one file of the corpus, which stands for its shards
    data.on_corrupt = "error"  # or skip: a damaged record of training is left out and counted

    config.model = model = ml_collections.ConfigDict()
    model.patch = 75  # samples, 0.3 s
    model.width, model.depth, model.heads = 384, 12, 6
    model.decoder = "joint"  # or lead_wise
    model.context = True  # the decoder is given the global token and the registers
    model.decoder_width, model.decoder_depth, model.decoder_heads = 256, 4, 4
    model.registers = 4  # tokens
    model.projection = 128  # width of the contrastive embedding
    model.aligned = "pooled"  # what is projected: global token with mean and max of the others; or global
    model.voltage = True  # the encoder reads millivolts, not the recording on its own scale
    model.kernels = 32  # convolutions of the patch embedding; 0: linear embedding
    model.kernel_length = 23  # samples, 90 ms
    model.normalise_patches = False  # LayerNorm on each patch before its embedding (docs/decisions.md)
    model.time_bias = True
    model.zero_output = True  # the decoder starts from predicting the mean
    model.dtype = "auto"  # of matrix products: bfloat16 on accelerators, float32 on a CPU

    config.view = view = ml_collections.ConfigDict()  # FDA
    view.mode = "learned"  # energy, uniform, per_bin, off
    view.tau = 0.3
    view.sigma = 0.8  # log gain, natural units
    view.adversarial = False

    config.augment = augment = ml_collections.ConfigDict()  # of each crop, before FDA; SimCLR needs some
    augment.amplitude = 0.0  # standard deviation of a log-normal factor, one a lead; usual: 0.2
    augment.noise = 0.0  # mV, at most; 0.05
    augment.wander = 0.0  # mV, at most; 0.2
    augment.cutout = 0.0  # of the crop, at most, set to 0 in all leads; 0.3
    augment.lead_dropout = 0.0  # probability of each lead to be treated as not available; 0.2

    config.mask = mask = ml_collections.ConfigDict()  # STDM
    mask.mode = "dual"  # time, lead, random, rank_aware, off
    mask.p_time = 0.5  # share of columns hidden
    mask.p_lead = 0.2  # share of leads hidden, rounded: 2 of 12
    mask.p_random = 0.75  # share of tokens hidden in mode random
    mask.random_count = "bernoulli"  # or fixed

    config.objective = objective = ml_collections.ConfigDict()
    objective.lambda_r = 1.0  # weight of the reconstruction; 0: the decoder is not run
    objective.lambda_c = 0.1  # weight of the contrastive loss
    objective.temperature = 0.1
    objective.same_crop = False
    objective.fda_on_both = False
    objective.scale_jitter = 0.2  # standard deviation of a log-normal factor
    objective.target_floor = 0.1  # in units of the recording's variance

    config.optimizer = optimizer = ml_collections.ConfigDict()
    optimizer.learning_rate = 1e-3  # at the peak
    optimizer.fda_learning_rate = 1e-2  # of FDA's importance
    optimizer.warmup_steps = 1000
    optimizer.weight_decay = 0.05  # on the kernels of linear layers only
    optimizer.b1, optimizer.b2 = 0.9, 0.95
    optimizer.clip = 1.0  # global norm of the gradient

    config.run = run = ml_collections.ConfigDict()
    run.steps = 100_000
    run.log_every = 50  # steps
    run.validate_every = 1000  # steps
    run.checkpoint_every = 1000  # steps
    run.steps_per_dispatch = 1  # most steps sent to the devices at once; above 1 with data.placement=device
    run.remat = "none"  # what is computed again for the gradient: dots (all but products with weights), all
    run.attention = "plain"  # or cudnn: its fused kernels, on NVIDIA GPUs in bfloat16 (never run)
    run.fsdp = 1  # devices that share each large parameter and its moments; 1: each device has all
    run.max_skipped_in_a_row = 10  # steps whose loss or gradient is not finite; at so many the run stops
    # A task of launch.evaluate that has a test split: a nearest-neighbour score on its training folds.
    run.probe_task = ""
    return config
