"""The PyTorch peer computes what our masked autoencoder computes."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_parameters import made_parameters

from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.normalisation import as_read, normalise

torch = pytest.importorskip("torch", reason="pip install 'coreecg-jax[torch]'")
from benchmarks import against_torch, torch_peer, train_step  # noqa: E402

COLUMNS, PATCH = 4, 10
SHAPE = {
    "width": 16,
    "depth": 2,
    "heads": 2,
    "decoder_width": 8,
    "decoder_depth": 1,
    "decoder_heads": 2,
}


def copy_linear(module, layer):
    module.weight.data = torch.tensor(np.array(layer["kernel"]).T)
    module.bias.data = torch.tensor(np.array(layer["bias"]))


def copy_norm(module, layer):
    module.weight.data = torch.tensor(np.array(layer["scale"]))
    module.bias.data = torch.tensor(np.array(layer["bias"]))


def copy_stack(modules, stack):
    *blocks, norm = modules
    for number, block in enumerate(blocks):
        layer = jax.tree.map(operator.itemgetter(number), stack["layers"])
        for name in ("qkv", "attention_out", "mlp_in", "mlp_out"):
            copy_linear(getattr(block, name), layer[name])
        for name in ("attention_norm", "mlp_norm"):
            copy_norm(getattr(block, name), layer[name])
    copy_norm(norm, stack["norm"])


def peer_with(parameters):
    """The peer with our parameters."""
    peer = torch_peer.Peer(columns=COLUMNS, patch=PATCH, **SHAPE)
    copy_linear(peer.embed[0], parameters["embed"]["linear"])
    copy_norm(peer.embed[1], parameters["embed"]["norm"])
    copy_stack(peer.encoder, parameters["encoder_stack"])
    copy_stack(peer.decoder, parameters["decoder_stack"])
    for name in ("decoder_in", "decoder_context", "decoder_out"):
        copy_linear(getattr(peer, name), parameters[name])
    for name in ("lead_embedding", "free_tokens", "mask_token", "decoder_lead_embedding"):
        getattr(peer, name).data = torch.tensor(np.array(parameters[name]))
    return peer


def test_with_the_same_weights_it_predicts_the_same():
    ours = CoReECG(
        PATCH, kernels=0, time_bias=False, decoder="lead_wise", zero_output=False, projection=4, **SHAPE
    )
    rng = np.random.default_rng(0)
    patches = rng.normal(size=(3, 12 * COLUMNS, PATCH)).astype(np.float32)
    kept, hidden = torch_peer.random_mask(3, COLUMNS, torch.device("cpu"))
    kept_BK = jnp.asarray(kept.numpy().astype(np.int32))
    seen_BK = jnp.ones(kept_BK.shape, bool)
    parameters = made_parameters(ours)
    # Biases and scales that are not 0 and 1, so that none is overlooked.
    leaves, tree = jax.tree.flatten(parameters)
    parameters = tree.unflatten(
        [leaf + 0.1 * rng.normal(size=leaf.shape).astype(np.float32) for leaf in leaves]
    )
    expected = jax.jit(ours.apply)({"params": parameters}, patches, kept_BK, seen_BK).prediction_BSP
    with torch.no_grad():
        predicted = peer_with(parameters)(torch.tensor(patches), kept)
    np.testing.assert_allclose(predicted.numpy(), expected, atol=2e-5)
    assert not hidden.gather(1, kept).any()
    assert (hidden.reshape(3, 12, COLUMNS).sum(-1) == 3).all()


def test_its_crops_are_normalised_as_ours_are():
    ecg = np.random.default_rng(1).integers(-2000, 2000, (2, 12, 40)).astype(np.int16)
    ours = normalise(jnp.asarray(ecg) * 1e-3, jnp.ones((2, 12), bool))
    clean, read = torch_peer.two_crops(torch.tensor(ecg), 40)
    np.testing.assert_allclose(clean[:2].numpy(), ours.ecg_BLT, atol=1e-5)
    # What is read is ours times one jittered factor a recording.
    ratio = read[:2].numpy() / as_read(ours.ecg_BLT, ours.scale_B, millivolts=True)
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1, :1], ratio.shape), rtol=1e-3)


@pytest.mark.slow
def test_its_step_learns():
    torch.manual_seed(0)
    peer = torch_peer.Peer(columns=COLUMNS, patch=PATCH, **SHAPE)
    step = torch_peer.make_step(peer, samples=COLUMNS * PATCH, patch=PATCH)
    time = torch.arange(50) / 7
    ecg = (1000 * torch.sin(time)).expand(8, 12, -1).to(torch.int16)
    losses = [float(step(ecg)) for _ in range(60)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_each_size_has_a_batch_that_suits_the_device():
    assert [against_torch.recordings_of(name, "cpu") for name in "SB"] == [4, 2]
    assert [against_torch.recordings_of(name, "cuda") for name in "SB"] == [256, 128]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what torch.compile imports
def test_both_are_timed_in_turn(monkeypatch):
    size = train_step.Size(**SHAPE, cpu_batch=1, accelerator_batch=1)
    monkeypatch.setitem(train_step.SIZES, "S", size)
    monkeypatch.setattr(against_torch, "REPEATS", 1)
    ours, theirs, compiled = against_torch.steps("S", "8")  # a multiple of the tests' devices
    assert ours.setting == "JAX, S, float32, batch 8"
    assert " recordings/s" in ours.result
    assert " recordings/s" in theirs.result
    assert " recordings/s" in compiled.result or compiled.result.startswith("skipped: ")
