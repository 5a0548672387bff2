import contextlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_runs import placement_of

from coreecg_jax.method.attention import MANY_TOKENS, attend
from coreecg_jax.method.division import dividing, each_its_own, joined
from coreecg_jax.method.machine import portable
from coreecg_jax.method.products import product
from coreecg_jax.training.mesh import of_kernel


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


def squares_of_layers(kernels, x):
    """Of layers one after the other, as a stack has them: three kernels each."""

    def layer(x, kernels):
        for one in kernels:
            x = product(x, one["kernel"])
        return x, None

    return (jax.lax.scan(layer, x, kernels)[0].astype(jnp.float32) ** 2).sum()


def divided_gradient_of(placement):
    """The gradient of squares_of_layers for kernels and rows as a run divides them."""

    def gradient(kernels, x):
        with dividing(placement.divided, of_kernel):
            return jax.grad(squares_of_layers)(kernels, x)

    return gradient


def sums(program, kind):
    """Type and size of the arrays that such collectives result in."""
    results = "".join(re.findall(rf" = (.*) {kind}(?:-start)?\(", program.as_text()))
    arrays = re.findall(r"(\w+)\[([\d,]+)\]", results)
    return {(of, np.prod([int(size) for size in shape.split(",")])) for of, shape in arrays}


@pytest.mark.parametrize(
    ("fsdp", "traced_for", "dtype", "rounding"),
    [
        (4, contextlib.nullcontext, "float32", 1e-4),
        (8, portable, "float32", 1e-4),
        (4, portable, "bfloat16", 1e-2),
    ],
)
def test_a_device_is_sent_its_part_of_a_kernels_gradient(fsdp, traced_for, dtype, rounding):
    placement, rng = placement_of(8, fsdp), np.random.default_rng(0)
    shapes = ((64, 128), (128, 72), (72, 64))
    kernels = [{"kernel": rng.normal(0, 0.1, (2, *shape)).astype(np.float32)} for shape in shapes]
    x = rng.normal(size=(16, 64)).astype(dtype)
    of_kernels = placement.of_state(kernels)
    shardings = {"in_shardings": (of_kernels, placement.divided), "out_shardings": of_kernels}
    with traced_for():
        program = jax.jit(divided_gradient_of(placement), **shardings).lower(kernels, x).compile()
        expected = jax.jit(jax.grad(squares_of_layers))(kernels, x)
    for one, other in zip(jax.tree.leaves(program(kernels, x)), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=rounding, atol=rounding * np.abs(other).max())
    parts = {("f32", np.prod(shape) // fsdp) for shape in shapes}
    assert sums(program, "reduce-scatter") == parts
    assert sums(program, "all-reduce") == parts  # among devices that hold the same part, be it one


def test_rows_that_are_not_of_a_batch_need_not_go_up_in_the_devices():
    kernels = [{"kernel": np.full((2, 64, 64), 0.1, np.float32)}]
    x = np.ones((3, 64), np.float32)
    (divided,) = jax.jit(divided_gradient_of(placement_of(8, 4)))(kernels, x)
    (expected,) = jax.grad(squares_of_layers)(kernels, x)
    np.testing.assert_allclose(divided["kernel"], expected["kernel"], rtol=1e-5)
