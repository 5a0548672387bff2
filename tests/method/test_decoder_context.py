import functools

import jax
import numpy as np
import pytest
from made_networks import PATCH, N, parameters_of, tiny_network

from coreecg_jax.method.network import Encoded

ALONE = tiny_network(context=False, zero_output=False)
K = 40


@functools.cache
def _encoded():
    keys = jax.random.split(jax.random.key(0), 3)
    global_BD, registers_BRD, tokens_BKD = (
        jax.random.normal(key, (3, *shape, 16)) for key, shape in zip(keys, ((), (2,), (K,)))
    )
    kept_BK = np.stack([np.random.default_rng(b).permutation(12 * N)[:K] for b in range(3)])
    return Encoded(global_BD, registers_BRD, tokens_BKD, tokens_BKD), kept_BK, np.ones((3, K), bool)


@pytest.mark.parametrize("decoder", ["joint", "lead_wise"])
@pytest.mark.parametrize("context", [True, False])
def test_the_decoder_is_led_by_the_global_token_unless_told_not_to(decoder, context):
    network = ALONE.clone(decoder=decoder, context=context)
    variables = {"params": parameters_of(ALONE.clone(context=context))}  # the decoders share their parameters
    encoded, *mask = _encoded()

    @jax.jit
    def decode(encoded):
        return network.apply(variables, encoded, *mask, N, method="decode")

    prediction = decode(encoded)
    assert prediction.shape == (3, 12 * N, PATCH)
    for name in ("global_BD", "registers_BRD"):
        other = decode(encoded._replace(**{name: -getattr(encoded, name)}))
        assert (np.abs(other - prediction).max() > 1e-3) == context, name
    assert np.abs(decode(encoded._replace(tokens_BKD=-encoded.tokens_BKD)) - prediction).max() > 1e-3


def test_without_it_there_are_no_parameters_for_it():
    assert "decoder_context" not in parameters_of(ALONE)
    assert "decoder_context" in parameters_of(ALONE.clone(context=True))
