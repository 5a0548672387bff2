import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_runs import placement_of

from coreecg_jax.method.attention import MANY_TOKENS, attend
from coreecg_jax.method.division import dividing, each_its_own, joined


def assert_joined(devices, fsdp=1):
    divided = placement_of(devices, fsdp).divided
    rng = np.random.default_rng(0)
    first, second, weight = rng.normal(size=(3, 4 * devices, 3)).astype(np.float32)
    weight = np.concatenate([weight, 2 * weight])

    def weighted(first, second):
        with dividing(divided):
            both = joined(first, second)
        return (both * weight).sum(), both

    gradient_of = jax.value_and_grad(weighted, argnums=(0, 1), has_aux=True)
    (_, both), gradient = jax.jit(gradient_of, in_shardings=divided)(first, second)
    np.testing.assert_array_equal(both, np.concatenate([first, second]))
    np.testing.assert_array_equal(np.concatenate(gradient), weight)


@pytest.mark.parametrize(("devices", "fsdp"), [(1, 1), (2, 1), (3, 1), (8, 4)])
def test_divided_batches_are_joined_in_order(devices, fsdp):
    assert_joined(devices, fsdp)


def test_what_is_not_of_numbers_is_joined_too():
    divided = placement_of(8).divided
    first, second = np.random.default_rng(0).random((2, 8, 12)) < 0.5

    def both(first, second):
        with dividing(divided):
            return joined(first, second)

    result = jax.jit(both, in_shardings=divided)(first, second)
    np.testing.assert_array_equal(result, np.concatenate([first, second]))


def test_each_device_calls_a_function_on_its_rows():
    divided = placement_of(8).divided
    seen = []

    def doubled(x):
        seen.append(x.shape)
        return 2 * x

    def call(x):
        with dividing(divided):
            return each_its_own(doubled)(x)

    x = jnp.arange(32.0).reshape(16, 2)
    np.testing.assert_array_equal(jax.jit(call, in_shardings=divided)(x), 2 * x)
    assert set(seen) == {(2, 2)}
    assert each_its_own(doubled) is doubled


@pytest.mark.parametrize("biases", [1, 8])
def test_long_attention_is_the_same_divided(biases):
    divided = placement_of(8).divided
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, 8, 2, MANY_TOKENS, 2)).astype(np.float32)
    bias = rng.normal(size=(biases, 2, MANY_TOKENS, MANY_TOKENS)).astype(np.float32)

    def squares(qkv):
        return (attend(*qkv, bias) ** 2).sum()

    def divided_squares(qkv):
        with dividing(divided):
            return squares(qkv)

    expected = jax.jit(jax.grad(squares))((q, k, v))
    gradient = jax.jit(jax.grad(divided_squares), in_shardings=divided)((q, k, v))
    for one, other in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
