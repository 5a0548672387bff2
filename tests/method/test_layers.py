import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from coreecg_jax.method import attention
from coreecg_jax.method.attention import attend, attention_bias
from coreecg_jax.method.embedding import PatchEmbedding
from coreecg_jax.method.layers import MLP, Stack, gelu, largest, sin_cos_positions, taken_apart
from coreecg_jax.method.machine import portable
from coreecg_jax.method.products import plus, product


def test_the_attention_bias_is_the_slow_transcription():
    column, seen = np.array([[4, 0, 2, 2], [1, 1, 7, 3]]), np.array([[1, 1, 0, 1], [1, 1, 1, 1]], bool)
    bias = attention_bias(jnp.asarray(column), jnp.asarray(seen), heads=4, free_tokens=2, time_bias=True)
    slopes = [2.0, 0.5, 0.0, 2.0]  # heads take them in turn
    for b, h, query, key in np.ndindex(2, 4, 6, 6):
        expected = 0.0
        if query >= 2 and key >= 2:
            expected -= slopes[h] * abs(int(column[b, query - 2]) - int(column[b, key - 2]))
        if key >= 2 and not seen[b, key - 2]:
            expected -= 1e9
        assert bias[b, h, query, key] == np.float32(expected)


def test_without_time_bias_only_unseen_keys_are_shut():
    column, seen = jnp.arange(5)[None], jnp.array([[True, True, False, True, True]])
    bias = attention_bias(column, seen, heads=2, free_tokens=1, time_bias=False)
    expected = np.zeros((1, 2, 6, 6), np.float32)
    expected[..., 3] = -1e9
    np.testing.assert_array_equal(bias, expected)


def test_attention_is_the_slow_transcription():
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, 2, 2, 5, 4)).astype(np.float32)
    bias = rng.normal(size=(2, 2, 5, 5)).astype(np.float32)
    bias[..., 3] = -1e9
    out = np.asarray(attend(q, k, v, bias))
    for b, h, i in np.ndindex(2, 2, 5):
        logits = np.array([q[b, h, i] @ k[b, h, j] / 2 + bias[b, h, i, j] for j in range(5)], np.float64)
        weights = np.exp(logits - logits.max())
        expected = sum(w * v[b, h, j] for j, w in enumerate(weights / weights.sum()))
        np.testing.assert_allclose(out[b, h, i], expected, atol=1e-5)
        assert weights[3] == 0


def test_in_bfloat16_logits_are_not_rounded():
    """A logit of 20 to 40 would be off by up to 0.1, and what is attended to by as much."""
    rng = np.random.default_rng(0)
    q, k, v = (jnp.asarray(rng.normal(0, 3, (2, 2, 9, 16)), jnp.bfloat16) for _ in range(3))
    weight = rng.normal(size=(2, 2, 9, 16))

    def weighted(q, k, v, dtype):
        bias = jnp.zeros((2, 2, 9, 9))
        return (attend(*(x.astype(dtype) for x in (q, k, v)), bias) * weight).astype(jnp.float32).sum()

    float32 = jax.tree.map(lambda x: x.astype(jnp.float32), (q, k, v))
    ours, gradients = jax.value_and_grad(weighted, (0, 1, 2))(q, k, v, jnp.bfloat16)
    exact, of_float32 = jax.value_and_grad(weighted, (0, 1, 2))(*float32, jnp.float32)
    assert ours == pytest.approx(exact, abs=0.01 * np.abs(weight).sum())
    for one, other in zip(gradients, of_float32, strict=True):
        assert one.dtype == jnp.bfloat16
        assert np.linalg.norm(one - other) < 0.01 * np.linalg.norm(other)


def test_positions_are_sines_and_cosines_and_tell_all_columns_apart():
    positions = sin_cos_positions(30, 8)
    for column, i in np.ndindex(30, 4):
        angle = column / 10_000 ** (i / 4)
        np.testing.assert_allclose(positions[column, [i, 4 + i]], [np.sin(angle), np.cos(angle)], atol=1e-6)
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    assert distance[~np.eye(30, dtype=bool)].min() > 0.1


@pytest.mark.parametrize("axis", [1, -2, -1])
def test_the_gradient_of_the_largest_goes_to_the_first_of_them(axis):
    x, weight = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)[:, :, :3]
    x[0, :2], x[1, 1] = 4.0, -np.inf  # ties of the largest, and what is shut out
    weight = weight.take(0, axis)
    value, gradient = jax.value_and_grad(lambda x: (largest(x, axis) * weight).sum())(x)
    expected = np.zeros_like(x)
    place = np.expand_dims(x.argmax(axis), axis)
    np.put_along_axis(expected, place, np.expand_dims(weight, axis), axis)
    np.testing.assert_array_equal(gradient, expected)
    assert value == pytest.approx((x.max(axis) * weight).sum(), rel=1e-5)


@pytest.mark.parametrize(("batch", "heads"), [(1, 3), (2, 1), (2, 3)])
def test_one_head_at_a_time_is_all_at_once(batch, heads, monkeypatch):
    """On a CPU many tokens attend so; `bias` of one recording or one head is that of all."""
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, 2, 3, 7, 4)).astype(np.float32)
    bias, weight = rng.normal(size=(batch, heads, 7, 7)).astype(np.float32), rng.normal(size=q.shape)

    def value_and_gradients():
        return jax.value_and_grad(lambda *qkv: (attend(*qkv, bias) * weight).sum(), (0, 1, 2))(q, k, v)

    at_once = value_and_gradients()
    monkeypatch.setattr(attention, "MANY_TOKENS", 7)
    assert "while" in jax.jit(attend).lower(q, k, v, bias).as_text()
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), value_and_gradients(), at_once
    )
    with portable():  # a program for any machine
        assert "while" not in jax.jit(lambda *a: attend(*a)).lower(q, k, v, bias).as_text()


def test_gelu_is_that_of_jax_and_keeps_its_argument_alone():
    x = np.linspace(-6, 6, 101, dtype=np.float32)
    y, backward = jax.vjp(gelu, x)
    np.testing.assert_array_equal(y, jax.nn.gelu(x))
    np.testing.assert_allclose(backward(jnp.ones(101))[0], jax.vmap(jax.grad(jax.nn.gelu))(x), atol=1e-6)
    assert [kept.shape for kept in jax.tree.leaves(backward)] == [x.shape]


@pytest.mark.parametrize("outputs", [3, 9])
def test_a_product_has_the_gradients_of_a_matrix_product(outputs):
    rng = np.random.default_rng(0)
    x, w, weight = (
        rng.normal(size=shape).astype(np.float32) for shape in ((20, 5), (5, outputs), (20, outputs))
    )

    def gradients(multiply):
        return jax.grad(lambda x, w: (multiply(x, w) * weight).sum(), (0, 1))(x, w)

    for ours, plain in zip(gradients(product), gradients(jnp.matmul), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-6)
    # Not to the bit: whether a product is added in one rounding or in two is each program's own.
    np.testing.assert_allclose(product(x, w), jnp.matmul(x, w), rtol=1e-5, atol=1e-6)
    lowered = jax.jit(jax.grad(lambda w: (product(x, w) * weight).sum())).lower(w).as_text()
    assert "optimization_barrier" in lowered  # else XLA sees through the transpose, and is slow


def test_a_product_in_bfloat16_keeps_weights_as_they_are_and_sums_their_gradient_in_their_type():
    """Where weights are divided, what was gathered of them and cast is not to be kept."""
    rng = np.random.default_rng(0)
    x, gradient = (jnp.asarray(rng.normal(size=(512, size)), jnp.bfloat16) for size in (6, 3))
    w = rng.normal(size=(6, 3)).astype(np.float32)
    y, backward = jax.vjp(product, x, w)
    assert y.dtype == jnp.bfloat16
    assert any(kept.dtype == np.float32 and kept.shape == w.shape for kept in jax.tree.leaves(backward))
    of_x, of_w = backward(gradient)
    assert (of_x.dtype, of_w.dtype) == (jnp.bfloat16, jnp.float32)
    np.testing.assert_allclose(of_w, np.asarray(x, float).T @ np.asarray(gradient, float), rtol=1e-4)


def test_a_bias_in_bfloat16_has_a_gradient_that_is_summed_in_its_type():
    """A sum of 4,096 terms of eight bits stands still at 256; a CPU widens it by itself, a GPU may not."""
    x, bias = jnp.ones((4096, 8), jnp.bfloat16), np.zeros(8, np.float32)
    added = jax.eval_shape(plus, x, bias)
    assert (added.shape, added.dtype) == ((4096, 8), jnp.bfloat16)
    _, backward = jax.vjp(plus, x, bias)
    of_x, of_bias = backward(x)
    assert (of_x.dtype, of_bias.dtype) == (jnp.bfloat16, jnp.float32)
    np.testing.assert_array_equal(of_bias, 4096.0)


@pytest.mark.parametrize("kernels", [pytest.param(0, marks=pytest.mark.slow), 4])
def test_no_gradient_of_parameters_is_a_sum_over_rows_in_bfloat16(kernels):
    network = PatchEmbedding(8, kernels, 3, jnp.bfloat16)
    patches = jnp.ones((64, 10))
    parameters = network.init(jax.random.key(0), patches)

    def loss(parameters):
        return MLP((16, 8), jnp.bfloat16).apply(head, network.apply(parameters, patches)).sum()

    head = MLP((16, 8), jnp.bfloat16).init(jax.random.key(1), jnp.ones((64, 8)))
    sums = [sum_ for sum_ in equations(jax.make_jaxpr(jax.grad(loss))(parameters).jaxpr) if "sum" in sum_]
    assert any("float32[" in each for each in sums)
    assert not [each for each in sums if "bfloat16[" in each]


def equations(jaxpr):
    """All that a traced program does, as text, also within what it calls."""
    for equation in jaxpr.eqns:
        inner = list(jaxprs_in_params(equation.params))
        for each in inner:
            yield from equations(each)
        if not inner:
            yield f"{equation.primitive.name} {[str(each.aval) for each in equation.invars]}"


def test_layers_taken_apart_are_those_of_the_stack():
    rng = np.random.default_rng(0)
    x, bias = jnp.asarray(rng.normal(size=(2, 5, 8)), jnp.float32), jnp.zeros((2, 2, 5, 5))
    stack = Stack(depth=3, heads=2)
    parameters = stack.init(jax.random.key(0), x, bias)["params"]
    apart = stack.apply({"params": taken_apart(parameters)}, x, bias)
    np.testing.assert_allclose(apart, stack.apply({"params": parameters}, x, bias), rtol=1e-5, atol=1e-6)
