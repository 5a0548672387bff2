"""What the PyTorch encoder refuses to read, and what it reads as something else would be."""

import re

import numpy as np
import pytest
from made_bundle import CROP

torch = pytest.importorskip("torch", reason="pip install 'coreecg-jax[torch]'")
pytorch = pytest.importorskip("coreecg_jax.export.pytorch")
ECG, THERE = torch.ones(2, 12, CROP), torch.ones(2, 12, dtype=torch.bool)

REFUSED = [
    (ECG.numpy(), None, TypeError, "ecg: expected a torch.Tensor, got numpy.ndarray: torch.as_tensor(ecg)"),
    (ECG.tolist(), None, TypeError, "ecg: expected a torch.Tensor, got list: torch.as_tensor(ecg)"),
    (
        ECG,
        THERE.numpy(),
        TypeError,
        "available: expected a torch.Tensor, got numpy.ndarray: torch.as_tensor(",
    ),
    (ECG, THERE.tolist(), TypeError, "available: expected a torch.Tensor, got list: torch.as_tensor("),
    (ECG.short(), None, TypeError, "ecg: expected floating-point numbers in mV, got torch.int16: multiply"),
    (ECG.bool(), None, TypeError, "ecg: expected floating-point numbers in mV, got torch.bool: multiply"),
    (ECG.cfloat(), None, TypeError, "ecg: expected floating-point numbers in mV, got torch.complex64"),
    (
        ECG,
        THERE.cfloat(),
        TypeError,
        "available: expected bool, or 0 and 1 (the lead is there), got torch.com",
    ),
    (
        ECG[0],
        None,
        ValueError,
        "expected ecg [B, 12, 400 or more], got (12, 400): one recording alone is ecg[N",
    ),
    (
        ECG[0],
        THERE[0],
        ValueError,
        "expected ecg [B, 12, 400 or more], got (12, 400): one recording alone is",
    ),
    (
        ECG.mT,
        None,
        ValueError,
        "expected ecg [B, 12, 400 or more], got (2, 400, 12): samples come last, ecg.tr",
    ),
    (ECG[:, :3], THERE[:, :3], ValueError, "got (2, 3, 400): a missing lead has a row too"),
    (ECG[..., 1:], None, ValueError, "got (2, 12, 399): shorter than a crop, 400 samples"),
    (ECG[0, 0, 0], None, ValueError, "expected ecg [B, 12, 400 or more], got ()"),
    (
        ECG,
        THERE[0],
        ValueError,
        "available: expected [B, 12] as ecg has, (2, 12), got (12,): one mask [12] for",
    ),
    (ECG, THERE[:1], ValueError, "available: expected [B, 12] as ecg has, (2, 12), got (1, 12)"),
    (
        ECG.to("meta"),
        None,
        ValueError,
        "ecg: expected it on cpu, where the encoder is, got meta: ecg.to('cpu')",
    ),
    (
        ECG,
        THERE.to("meta"),
        ValueError,
        "available: expected it on cpu, where the encoder is, got meta: availa",
    ),
]


@pytest.mark.parametrize(("ecg", "available", "error", "said"), REFUSED)
def test_what_cannot_be_read_is_refused_with_what_to_do(written, ecg, available, error, said) -> None:
    with pytest.raises(error, match=re.escape(said)):
        pytorch.load(written)(ecg, available)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floating_point_numbers_are_read_as_float32(written, dtype) -> None:
    """numpy has float64; what is refused is what is no voltage."""
    encoder = pytorch.load(written)
    ecg = torch.tensor(np.random.default_rng(0).normal(size=(2, 12, CROP))).to(dtype)
    embedding = encoder(ecg)
    assert embedding.dtype == torch.float32
    torch.testing.assert_close(embedding, encoder(ecg.float()), rtol=0, atol=0)


def test_a_batch_without_rows_has_none(made_of_each_pooling) -> None:
    for encoder in made_of_each_pooling:
        assert encoder(torch.ones(0, 12, CROP)).shape == (0, encoder.width)


def test_the_width_is_that_of_the_embedding(made_of_each_pooling) -> None:
    for encoder in made_of_each_pooling:
        assert encoder(ECG).shape == (2, encoder.width)


def test_a_mask_of_numbers_is_read_where_nobody_can_look_at_them(written) -> None:
    """A row with another number is NaN then."""
    encoder, available = pytorch.load(written), THERE.float()
    ecg = torch.tensor(np.random.default_rng(0).normal(size=(2, 12, CROP)), dtype=torch.float32)
    available[1, 3] = 0.5
    by_row = torch.func.vmap(encoder, in_dims=(0, 0))
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(
            torch.nn.functional, "scaled_dot_product_attention", plain_attention
        )  # torch warns of its own
        embedding = by_row(ecg[:, None], available[:, None])[:, 0]
    torch.testing.assert_close(embedding[0], encoder(ecg)[0], rtol=0, atol=1e-4)
    assert embedding[1].isnan().all()
    assert encoder.to("meta")(ecg.to("meta"), available.to("meta")).shape == embedding.shape


def plain_attention(q, k, v, attn_mask):
    return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5 + attn_mask, -1) @ v
