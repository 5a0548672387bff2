import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from made_encoders import NETWORK, PATCH, fresh_parameters

from coreecg_jax.downstream.finetuning_step import make_tuner
from coreecg_jax.downstream.tokens import ENCODER
from coreecg_jax.method.layers import drop_path


# Everything is on, so that one compilation covers it.
def test_each_layer_has_its_learning_rate():
    parameters = fresh_parameters()
    trained = {
        "encoder": {name: each for name, each in parameters.items() if name in ENCODER},
        "head": {"output": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}, "query": jnp.ones(4)},
    }
    rng = np.random.default_rng(0)
    gradient = jax.tree.map(lambda each: rng.normal(size=each.shape).astype(np.float32), trained)

    def updates(decay):
        tuner = make_tuner(NETWORK.depth, decay, 0.05)
        return jax.jit(lambda tree: tuner.update(gradient, tuner.init(tree), tree)[0])(trained)

    equal, decayed = updates(1.0), updates(0.5)
    # Two layers: 0.5 ** 3 below them, 0.5 ** 2 and 0.5 ** 1 of them (powers of two: exact), 1 above.
    by_layer = np.array([0.25, 0.5], np.float32)
    for path, update in jax.tree_util.tree_leaves_with_path(equal):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        factor = np.float32(0.125)
        if name.startswith("encoder/encoder_stack/layers"):
            factor = by_layer.reshape(-1, *[1] * (update.ndim - 1))
        elif name.startswith(("head", "encoder/encoder_stack/norm")):
            factor = np.float32(1.0)
        got = functools.reduce(lambda tree, key: tree[key.key], path, decayed)
        np.testing.assert_array_equal(got, np.asarray(update) * factor, err_msg=name)


def test_weight_decay_is_on_kernels_alone():
    trained = {
        "head": {
            "output": {"kernel": np.full((3, 2), 2, np.float32), "bias": np.ones(2, np.float32)},
            "query": np.ones(4, np.float32),
        }
    }
    tuner = make_tuner(2, 0.5, 0.1)
    still = jax.tree.map(np.zeros_like, trained)
    updates: Any = jax.jit(lambda tree: tuner.update(still, tuner.init(tree), tree)[0])(trained)
    np.testing.assert_allclose(updates["head"]["output"]["kernel"], 0.2, rtol=1e-6)
    assert not updates["head"]["output"]["bias"].any()
    assert not updates["head"]["query"].any()


def test_drop_path_multipliers_have_mean_one():
    keep_XB = np.asarray(drop_path(jax.random.key(0), 0.5, depth=3, batch=20_000))
    np.testing.assert_allclose(keep_XB.mean(axis=1), 1.0, atol=0.03)  # SD of the last: 1 / sqrt(20,000)
    for each, values in zip(keep_XB, ([1], [0, 4 / 3], [0, 2]), strict=True):
        np.testing.assert_allclose(np.unique(each), values, rtol=1e-6)
    assert (np.asarray(drop_path(jax.random.key(0), 0.0, depth=3, batch=50)) == 1.0).all()


def test_a_dropped_layer_adds_nothing_to_its_recording():
    parameters = fresh_parameters()
    patches_BSP = np.random.default_rng(1).normal(size=(2, 24, PATCH)).astype(np.float32)
    kept_BK, seen_BK = np.tile(np.arange(24), (2, 1)), np.ones((2, 24), bool)

    @jax.jit
    def tokens(parameters, keep_XB):
        arrays = patches_BSP, kept_BK, seen_BK, keep_XB
        arrays = (None if each is None else jnp.asarray(each) for each in arrays)
        encoded: Any = NETWORK.apply({"params": parameters}, *arrays, method="encode")
        return encoded.tokens_BKD

    plain = tokens(parameters, None)
    np.testing.assert_array_equal(tokens(parameters, np.ones((2, 2), np.float32)), plain)
    dropped = tokens(parameters, np.array([[1, 1], [0, 1]], np.float32))
    layers = parameters["encoder_stack"]["layers"]
    silent = {
        name: jax.tree.map(lambda each: each.at[1].set(0.0), layers[name])
        for name in ("attention_out", "mlp_out")
    }
    stack = {**parameters["encoder_stack"], "layers": {**layers, **silent}}
    without = tokens({**parameters, "encoder_stack": stack}, None)
    np.testing.assert_allclose(dropped, np.stack([without[0], plain[1]]), atol=1e-6)
    assert np.abs(without - plain).max() > 0.1
