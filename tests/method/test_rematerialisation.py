import functools

import jax
import numpy as np
import pytest
from made_networks import parameters_of, tiny_network

from coreecg_jax.method.layers import Stack
from coreecg_jax.method.machine import portable
from coreecg_jax.method.objective import Objective
from coreecg_jax.method.rematerialisation import CHOICES, rematerialising

STACK = Stack(depth=2, heads=2)
X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)
BIAS = np.zeros((2, 2, 5, 5), np.float32)


@functools.cache
def parameters():
    return STACK.init(jax.random.key(0), X, BIAS)


def sum_of(parameters, x):
    return (STACK.apply(parameters, x, BIAS, training=True) * X).sum()


@pytest.mark.parametrize("remat", ["dots", "all"])
def test_what_is_computed_again_changes_no_gradient(remat):
    expected = jax.jit(jax.grad(sum_of, (0, 1)))(parameters(), X)

    def again(parameters, x):  # a function of its own: jit would know the other again
        return sum_of(parameters, x)

    with rematerialising(remat):
        ours = jax.jit(jax.grad(again, (0, 1)))(parameters(), X)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours, expected)


def bytes_kept(remat):
    """From the forward to the backward pass."""
    with rematerialising(remat), portable():
        backward = jax.eval_shape(lambda *given: jax.vjp(sum_of, *given)[1], parameters(), X)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(backward))


def test_less_and_less_is_kept():
    none, dots, everything = map(bytes_kept, CHOICES)
    assert none > 1.5 * dots > 1.5 * 1.5 * everything


@pytest.mark.parametrize("remat", ["none", "all"])
def test_an_objective_hands_it_on(remat):
    network = tiny_network()
    objective = Objective(network, 150, 100.0, remat=remat)
    numbers = {"network": parameters_of(network), "fda": objective.fda.init(150, 100.0)}
    batch = {
        "ecg": np.zeros((4, 12, 200), np.int16),
        "length": np.full(4, 200),
        "available": np.ones((4, 12), bool),
        "patient": np.arange(4, dtype=np.uint32),
    }
    traced = jax.make_jaxpr(lambda: objective(numbers, jax.random.key(0), **batch)[0])()
    assert ("nothing_saveable" in str(traced)) == (remat == "all")


def test_another_word_is_refused():
    with pytest.raises(ValueError, match=r"run\.remat: expected one of none, dots, all, got 'half'"):
        Objective(tiny_network(), 150, 100.0, remat="half")
