"""A network small enough to compile in seconds, and its parameters."""

import functools

from made_parameters import made_parameters

from coreecg_jax.method.network import CoReECG

PATCH, N = 25, 6  # samples of a patch, columns


def tiny_network(**changes):
    """A `CoReECG` of toy size with other settings where named."""
    sizes = {"width": 16, "depth": 1, "heads": 2, "registers": 2, "projection": 8}
    decoder = {"decoder_width": 8, "decoder_depth": 1, "decoder_heads": 2}
    kernels = {"kernels": 3, "kernel_length": 5}
    return CoReECG(patch=PATCH, **{**sizes, **decoder, **kernels, **changes})


@functools.cache
def parameters_of(network):
    return made_parameters(network, seed=1)
