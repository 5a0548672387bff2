"""The parts of pretraining, one left out or changed at a time, and rival objectives on the same encoder.

Reproduces: the kind of table that the paper's ablation is (there contrastive-only and reconstruction-only
differ by 0.4 points of macro AUROC and both together win, by a reading), at the size of the 2-core config.
Cost: 300 steps a row, 3 to 6 minutes on one core; SEEDS x ROWS of them.
Expected: docs/results.md, "Ablation"; of its 66 cells those of most rows were run, by one to three seeds.
Command: python -m launch.sweep --table=ablation --workdir=runs/ablation
"""

import ml_collections

from configs import real_2core

_NOTHING_HIDDEN = {"mask.mode": "off", "view.mode": "off"}
_AUGMENTED = {
    "augment.amplitude": 0.2,
    "augment.noise": 0.05,
    "augment.wander": 0.2,
    "augment.cutout": 0.3,
    "augment.lead_dropout": 0.2,
}
_CONTRAST_ONLY = {"objective.lambda_r": 0.0}
# Row -> fields of the base that differ; everything else is the base's.
ROWS = {
    "full": {},
    "augmented": _AUGMENTED,
    "contrastive_only": _CONTRAST_ONLY,
    "reconstruction_only": {"objective.lambda_c": 0.0},
    "fda_energy": {"view.mode": "energy"},
    "fda_uniform": {"view.mode": "uniform"},
    "fda_per_bin": {"view.mode": "per_bin"},
    "fda_adversarial": {"view.adversarial": True},
    "fda_off": {"view.mode": "off"},
    "stdm_time": {"mask.mode": "time"},
    "stdm_lead": {"mask.mode": "lead"},
    # A fixed count, as in ST-MEM: with a coin a token the encoder is given all places and K says nothing.
    "stdm_random": {"mask.mode": "random", "mask.random_count": "fixed"},
    "stdm_rank_aware": {"mask.mode": "rank_aware"},
    "same_crop": {"objective.same_crop": True},
    "lead_wise": {"model.decoder": "lead_wise"},
    "no_context": {"model.context": False},  # the decoder is not led by the global token and the registers
    "lambda_c_0.03": {"objective.lambda_c": 0.03},
    "lambda_c_0.1": {"objective.lambda_c": 0.1},
    "lambda_c_1": {"objective.lambda_c": 1.0},
    "simclr": {
        "method": "simclr",
        "objective.lambda_c": 1.0,
        **_CONTRAST_ONLY,
        **_NOTHING_HIDDEN,
        **_AUGMENTED,
    },
    "cmsc": {
        "method": "cmsc",
        "objective.lambda_c": 1.0,
        "objective.scale_jitter": 0.0,
        **_CONTRAST_ONLY,
        **_NOTHING_HIDDEN,
    },
    "masked_autoencoder": {
        "method": "masked_autoencoder",
        "objective.lambda_c": 0.0,
        "mask.mode": "random",
        "mask.random_count": "fixed",
        "view.mode": "off",
        "model.decoder": "lead_wise",
    },
}


def get_config() -> ml_collections.ConfigDict:
    """`base`, and `rows`: name -> {field of the base, dotted: value}, plain dicts."""
    config = ml_collections.ConfigDict()
    config.base = base = real_2core.get_config()
    base.run.steps = 300
    base.run.validate_every = 100
    base.run.checkpoint_every = 100
    base.run.probe_task = ""  # rows are scored when they are done
    # Names with dots are no fields of a ConfigDict; the dicts stay as they are.
    config.rows = ml_collections.ConfigDict({}, convert_dict=False, allow_dotted_keys=True, sort_keys=False)
    for name, changes in ROWS.items():
        config.rows[name] = dict(changes)
    return config
