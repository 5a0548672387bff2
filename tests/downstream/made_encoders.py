"""An encoder small enough to be trained in a test, for recordings of `made_cohorts`."""

import functools

import jax
import numpy as np
from made_cohorts import CODES

from coreecg_jax.method.network import CoReECG
from coreecg_jax.training.state import init_parameters

PATCH = 10  # samples
CROP_SECONDS = 1.5  # three patches of 20 Hz, in windows of 2 s
NETWORK = CoReECG(
    patch=PATCH,
    width=16,
    depth=2,
    heads=2,
    registers=2,
    projection=8,
    decoder_width=8,
    decoder_depth=1,
    decoder_heads=2,
    kernels=3,
    kernel_length=5,
)


@functools.cache
def fresh_parameters():
    return init_parameters(NETWORK, jax.random.key(0))


def planted_labels(recordings):
    """The class of each recording, which a chest lead tells; bool (n, 5)."""
    return np.array([[code in labels for code in CODES] for labels in recordings.labels])
