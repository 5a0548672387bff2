import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params
from made_runs import made_batch, placement_of, tiny_experiment

from coreecg_jax.method.embedding import PatchEmbedding
from coreecg_jax.method.network import CoReECG
from coreecg_jax.training import health
from coreecg_jax.training.health import (
    Speed,
    effective_rank,
    embedding_products,
    matrix_rate,
    representation_health,
    step_flops,
    uniformity,
)
from coreecg_jax.training.state import init_state
from coreecg_jax.training.step import make_train_step


def unit_vectors(seed, count=7, width=5):
    z = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def test_uniformity_of_many_is_that_of_evenly_spaced_ones(monkeypatch):
    """All pairs of a validation set of 80,000 would take 83 GB."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(999, 8))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    of_all, of_some = uniformity(z), uniformity(z[::2])
    assert of_all != of_some
    monkeypatch.setattr(health, "MOST_COMPARED", 500)
    assert uniformity(z) == of_some
    assert of_some == pytest.approx(of_all, rel=0.02)


def test_alignment_and_uniformity_by_the_book():
    z1, z2, tokens = unit_vectors(0), unit_vectors(1), unit_vectors(2, 14)
    found = representation_health(z1, z2, tokens)
    alignment = sum(math.dist(a, b) ** 2 for a, b in zip(z1, z2)) / 7
    pairs = [math.exp(-2 * math.dist(z1[i], z1[j]) ** 2) for i in range(7) for j in range(7) if i != j]
    assert found["alignment"] == pytest.approx(alignment, rel=1e-5)
    assert found["uniformity"] == pytest.approx(math.log(sum(pairs) / len(pairs)), rel=1e-5)
    assert found["effective_rank"] == effective_rank(tokens)


def test_effective_rank_is_the_number_of_equal_directions():
    axes = np.eye(4, 9)
    assert effective_rank(np.concatenate([axes, -axes])) == pytest.approx(4)
    assert effective_rank(np.outer(np.arange(6), np.ones(3))) == pytest.approx(1, abs=1e-6)
    assert effective_rank(np.ones((6, 3))) == pytest.approx(1)  # collapsed


def rank_by_the_book(vectors):
    singular = np.linalg.svd(vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64), compute_uv=False)
    share = [value / singular.sum() for value in singular if value > 1e-6 * singular[0]]
    return math.exp(-sum(value * math.log(value) for value in share))


# Alike and unlike directions over six orders, fewer vectors than the width, a mean far from 0, and more than
# are added up at once.
@pytest.mark.parametrize(
    ("count", "width", "orders", "mean"),
    [(500, 24, 0, 0), (500, 24, 5, 0), (16, 24, 1, 0), (500, 24, 1, 100), (9000, 8, 2, 1)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_effective_rank_is_that_of_the_singular_values(count, width, orders, mean, dtype):
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(size=(width, width)))[0]
    scales = np.logspace(0, -orders, width)
    vectors = (rng.normal(size=(count, width)) * scales @ turned + mean).astype(dtype)
    assert effective_rank(vectors) == pytest.approx(rank_by_the_book(vectors), rel=1e-8)


def product_flops(jaxpr):
    """Operations of all matrix products of a jaxpr, loops unrolled: the slow count."""
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            inner = math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            total += 2 * inner * math.prod(equation.outvars[0].aval.shape)
        inside = sum(product_flops(sub) for sub in jaxprs_in_params(equation.params))
        total += inside * (equation.params["length"] if equation.primitive.name == "scan" else 1)
    return total


@pytest.mark.parametrize("decoder", [pytest.param("lead_wise", marks=pytest.mark.slow), "joint"])
def test_flops_of_a_step_against_its_matrix_products(decoder):
    sizes = {"model.width": 96, "model.heads": 3, "model.depth": 3, "model.decoder_width": 32}
    experiment = tiny_experiment({**sizes, "model.decoder": decoder, "model.registers": 3})
    objective, placement = experiment.objective, placement_of(1)
    step = make_train_step(objective, experiment.optimizer, seed=0, placement=placement)
    state = jax.eval_shape(lambda: init_state(objective, experiment.optimizer, jax.random.key(0)))
    traced = jax.make_jaxpr(step)(state, made_batch(0))
    counted = step_flops(
        objective.network,
        tokens_kept=objective.stdm.tokens_kept(objective.columns),
        columns=objective.columns,
        batch_size=8,
    )
    assert counted == pytest.approx(product_flops(traced.jaxpr), rel=0.15)


@pytest.mark.parametrize("kernels", [0, 4])
def test_multiplications_of_the_embedding_against_its_matrix_products(kernels):
    network = tiny_experiment({"model.kernels": kernels}).objective.network
    embed = PatchEmbedding(network.width, network.kernels, network.kernel_length)
    patches_XP = jnp.ones((6, network.patch))
    variables = embed.init(jax.random.key(0), patches_XP)
    traced = jax.make_jaxpr(embed.apply)(variables, patches_XP)
    assert 2 * 6 * embedding_products(network) == product_flops(traced.jaxpr)


def test_speed_counts_neither_the_first_call_nor_pauses(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(health.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(health, "matrix_rate", lambda dtype: 1e9)
    objective = tiny_experiment().objective
    speed = Speed(objective, batch_size=8)
    clock[0] = 100.0  # compilation
    assert speed.since_last(1) == {}

    def slow_batches():
        clock[0] += 0.5
        yield "a batch"

    assert list(speed.watched(slow_batches())) == ["a batch"]
    with speed.paused():
        clock[0] += 3.0
    clock[0] += 1.5
    figures = speed.since_last(5)
    flops = step_flops(objective.network, tokens_kept=50, columns=9, batch_size=8)
    assert figures == pytest.approx(
        {"recordings_per_second": 4 * 8 / 2, "input_wait": 0.25, "mfu": 4 / 2 * flops / 1e9}
    )


def test_a_matrix_product_takes_time():
    assert 1e8 < matrix_rate("float32") < 1e16


def test_what_is_not_run_is_not_counted():
    network = CoReECG(
        patch=100, width=16, depth=2, heads=2, decoder_width=8, decoder_depth=1, decoder_heads=1
    )
    sizes = {"tokens_kept": 50, "columns": 9, "batch_size": 8}
    free, tokens = 5, 12 * 9
    decoder = (free + tokens) * (12 * 8**2 + 2 * (free + tokens) * 8)
    ends = (free + 50) * 16 * 8 + tokens * 8 * 100
    without = step_flops(network, decoded=False, **sizes)
    assert step_flops(network, **sizes) - without == 3 * 2 * 2 * 8 * (decoder + ends)
