import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coreecg_jax.method.layers import attend, attention_bias, largest, sin_cos_positions


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
