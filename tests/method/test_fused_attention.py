"""Attention by cuDNN, as far as it can be tested without its device: what it is given, and that it lowers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_networks import parameters_of, tiny_network

from coreecg_jax.method.attention import attend, attention_bias
from coreecg_jax.method.division import dividing
from coreecg_jax.method.fused_attention import attend_fused, attending_by
from coreecg_jax.method.objective import Objective
from coreecg_jax.training.mesh import place

BATCH, HEADS, FREE, WIDTH = 2, 4, 3, 16


def made(tokens, dtype=jnp.float32):
    """q, k, v and the bias of encoders; a tenth of the patch tokens is not seen."""
    rng = np.random.default_rng(tokens)
    qkv = rng.normal(size=(3, BATCH, HEADS, tokens, WIDTH))
    column_BK = rng.integers(0, 100, (BATCH, tokens - FREE))
    seen_BK = rng.random((BATCH, tokens - FREE)) > 0.1
    bias = attention_bias(column_BK, seen_BK, heads=HEADS, free_tokens=FREE, time_bias=True)
    return *jnp.asarray(qkv, dtype), bias


def gradients(function, *given):
    return jax.grad(lambda *qkv: (function(*qkv, given[3]) ** 2).sum().astype(float), (0, 1, 2))(*given[:3])


def test_it_asks_for_the_attention_of_all_others():
    """By the library's own slow form; an odd number of tokens is filled up."""
    given = made(21)
    fused = functools.partial(attend_fused, implementation="xla")
    np.testing.assert_allclose(fused(*given), attend(*given), rtol=1e-5, atol=1e-5)
    for ours, expected in zip(gradients(fused, *given), gradients(attend, *given), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_the_bias_is_exact_in_bfloat16():
    *_, bias = made(40)
    assert (np.asarray(bias.astype(jnp.bfloat16), np.float32) == bias)[bias > -1e6].all()
    assert np.unique(bias).size > 100


@pytest.mark.parametrize(("tokens", "devices"), [(20, 1), (21, 1), (21, 2)])
def test_cudnn_takes_what_it_is_given(tokens, devices, monkeypatch):
    """Forwards and backwards, lowered for CUDA; its own checks of shapes and types are asked."""
    cudnn = "jax._src.cudnn.fused_attention_stablehlo"
    monkeypatch.setattr(f"{cudnn}.check_cudnn_version", lambda: 91000)
    monkeypatch.setattr(f"{cudnn}.check_compute_capability", lambda capability: True)
    monkeypatch.setattr(f"{cudnn}.is_cuda_compute_capability_equal", lambda capability: False)
    given = made(tokens, jnp.bfloat16)
    with dividing(place(devices=jax.devices()[:devices]).divided):
        traced = jax.jit(lambda *each: gradients(attend_fused, *each)).trace(*given)
    text = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert "__cudnn$fmhaScaleBiasSoftmax(" in text
    assert "__cudnn$fmhaScaleBiasSoftmaxBackward(" in text


def objective(attention, dtype="bfloat16", **changes):
    return Objective(tiny_network(dtype=dtype, **changes), 150, 100.0, attention=attention)


def test_an_objective_attends_as_it_was_told(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    asked = []

    def library(q, k, v, bias, *, implementation):
        asked.append((q.shape[1] % 2, str(q.dtype), str(bias.dtype), implementation))
        return q

    monkeypatch.setattr(jax.nn, "dot_product_attention", library)
    ours = objective("cudnn", width=16, heads=2, decoder_width=16, decoder_heads=2)
    numbers = {"network": parameters_of(ours.network), "fda": ours.fda.init(150, 100.0)}
    batch = {
        "ecg": np.zeros((4, 12, 200), np.int16),
        "length": np.full(4, 200),
        "available": np.ones((4, 12), bool),
        "patient": np.arange(4, dtype=np.uint32),
    }
    jax.eval_shape(lambda: ours(numbers, jax.random.key(0), **batch)[0])
    assert set(asked) == {(0, "bfloat16", "bfloat16", "cudnn")}


@pytest.mark.parametrize(
    ("attention", "changes", "said"),
    [
        ("flash", {}, r"run\.attention: expected one of plain, cudnn, got 'flash'"),
        ("cudnn", {"dtype": "float32"}, r"computes in bfloat16, model\.dtype is float32: set model\.dtype"),
        ("cudnn", {"width": 12, "heads": 2}, "multiple of 8, got 6: change model.heads"),
    ],
)
def test_what_cudnn_has_not_is_told(attention, changes, said):
    with pytest.raises(ValueError, match=said):
        objective(attention, **changes)


def test_without_a_gpu_it_is_told():
    with (
        pytest.raises(ValueError, match=r"needs an NVIDIA GPU, jax computes on cpu: set run\.attention"),
        attending_by("cudnn"),
    ):
        pass
