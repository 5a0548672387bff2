"""Rival objectives of toy size, and windows for them."""

import numpy as np
from made_parameters import made_parameters

from coreecg_jax.baselines.cmsc import CMSC
from coreecg_jax.baselines.masked_autoencoder import MaskedAutoencoder
from coreecg_jax.baselines.simclr import SimCLR
from coreecg_jax.method.masking import STDM
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.views import FDA

SIZES = {
    "width": 16,
    "depth": 1,
    "heads": 1,
    "registers": 1,
    "projection": 8,
    "kernels": 2,
    "kernel_length": 5,
}
DECODER = {"decoder_width": 8, "decoder_depth": 1, "decoder_heads": 1}
NETWORK = CoReECG(patch=20, **SIZES, **DECODER)
CROP, W, RATE = 80, 200, 20.0
_SHARED = {"crop_samples": CROP, "sampling_rate": RATE, "fda": FDA(mode="off")}
_CONTRAST = {"network": NETWORK, **_SHARED, "stdm": STDM(mode="off"), "lambda_r": 0.0, "lambda_c": 1.0}


def simclr(**changes):
    return SimCLR(**(_CONTRAST | changes))


def cmsc(**changes):
    return CMSC(**(_CONTRAST | {"scale_jitter": 0.0} | changes))


def masked_autoencoder(**changes):
    settings = {"network": NETWORK.clone(decoder="lead_wise"), "lambda_c": 0.0}
    settings["stdm"] = STDM(mode="random", random_count="fixed")
    return MaskedAutoencoder(**(_SHARED | settings | changes))


def parameters_of(objective):
    return {
        "network": made_parameters(objective.network, seed=1),
        "fda": objective.fda.init(CROP, RATE),
    }


def windows(recordings=4, seed=0):
    """int16 windows in µV, no two samples of a lead alike; the last is shorter."""
    rng = np.random.default_rng(seed)
    ecg = np.stack([rng.permutation(4000)[:W] for _ in range(12 * recordings)]).reshape(-1, 12, W) - 2000
    length = np.array([W] * (recordings - 1) + [170], np.int32)
    return {"ecg": ecg.astype(np.int16), "length": length, "available": np.ones((recordings, 12), bool)}
