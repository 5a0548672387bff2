import functools
import math

import jax
import numpy as np
import pytest

from coreecg_jax.method.embedding import PatchEmbedding, require_kernels_fit

P, D, C, J = 20, 8, 3, 5
EMBEDDING = PatchEmbedding(width=D, kernels=C, length=J)


def made(embedding=EMBEDDING):
    patches = np.random.default_rng(0).normal(size=(6, P)).astype(np.float32)
    parameters = jax.jit(embedding.init)(jax.random.key(0), patches)["params"]
    return patches, parameters


@functools.partial(jax.jit, static_argnums=2)
def _applied(parameters, patches, embedding):
    return embedding.apply({"params": parameters}, patches)


def embed(parameters, patches, embedding=EMBEDDING):
    return np.asarray(_applied(parameters, patches, embedding))


def gelu(x):
    """The tanh approximation, as jax.nn.gelu's default."""
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def slow_embedding(parameters, patch):
    taps, bias = (np.asarray(parameters[name], float) for name in ("taps", "bias"))
    taps = taps - taps.mean(0)
    outputs = np.empty((P - J + 1, C))
    for q, c in np.ndindex(outputs.shape):
        outputs[q, c] = gelu(bias[c] + sum(taps[j, c] * patch[q + j] for j in range(J)))
    parts = [*patch, *outputs.max(0), *outputs.mean(0)]
    linear, norm = parameters["linear"], parameters["norm"]
    token = np.array(parts) @ np.asarray(linear["kernel"], float) + np.asarray(linear["bias"], float)
    token = (token - token.mean()) / np.sqrt(token.var() + 1e-6)
    return token * np.asarray(norm["scale"]) + np.asarray(norm["bias"])


def test_it_is_the_slow_transcription():
    patches, parameters = made()
    expected = [slow_embedding(parameters, patch.astype(float)) for patch in patches]
    np.testing.assert_allclose(embed(parameters, patches), expected, atol=1e-4)


def test_amplitude_is_seen_from_the_start_with_kernels_and_not_without():
    """The reason for their random biases: LayerNorm takes a common factor away from what is linear."""
    linear = PatchEmbedding(width=D, kernels=0, length=J)
    for embedding, least, most in ((EMBEDDING, 0.1, np.inf), (linear, 0.0, 1e-3)):  # the norm has an epsilon
        patches, parameters = made(embedding)
        quiet, loud = (embed(parameters, factor * patches, embedding) for factor in (0.1, 1.0))
        moved = loud - quiet
        assert least <= np.abs(moved).max() <= most


def test_a_patch_speaks_for_itself_alone():
    patches, parameters = made()
    changed = patches.copy()
    changed[2:] = 9.0
    np.testing.assert_allclose(embed(parameters, changed)[:2], embed(parameters, patches)[:2], atol=1e-6)


def test_every_weight_learns():
    patches, parameters = made()
    gradient = jax.jit(jax.grad(lambda p: (_applied(p, patches, EMBEDDING) ** 3).sum()))(parameters)
    for path, leaf in jax.tree.leaves_with_path(gradient):
        assert np.isfinite(leaf).all(), path
        assert np.abs(leaf).max() > 0, path


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((50, 32, 51), r"model\.kernel_length: expected 2 to model\.patch = 50 samples, got 51"),
        ((50, 32, 1), r"model\.kernel_length: expected 2"),
        ((50, -1, 9), r"model\.kernels: expected 0 or more, got -1"),
    ],
)
def test_kernels_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        require_kernels_fit(*settings)
    require_kernels_fit(5, 0, 9)  # none is used


def test_no_gradient_adds_up_at_places_that_overlap():
    """On a GPU such sums have no fixed order, and a run would not come to the same bits again."""
    patches, parameters = made()

    def total(parameters, patches):
        return embed.apply({"params": parameters}, patches).sum()

    embed = EMBEDDING.clone()
    program = jax.jit(jax.grad(total, (0, 1))).lower(parameters, patches).as_text()
    assert "scatter" not in program
    assert "pad" in program
