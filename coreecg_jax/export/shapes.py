"""The shapes of a network's parameters from its settings alone: no tracing, which takes most of a second."""

from coreecg_jax.export.tensors import Shapes
from coreecg_jax.method.layers import MLP_RATIO
from coreecg_jax.method.network import CoReECG
from coreecg_jax.records.leads import LEADS


def network_shapes(network: CoReECG) -> Shapes:
    """Name -> shape of every parameter that `network.init` makes, names joined by dots."""
    width, decoder_width = network.width, network.decoder_width
    shapes: dict[str, tuple[int, ...]] = {
        "lead_embedding": (len(LEADS), width),
        "free_tokens": (1 + network.registers, width),
        "mask_token": (decoder_width,),
        "decoder_lead_embedding": (len(LEADS), decoder_width),
    }
    shapes |= _embedding(network)
    shapes |= _stack("encoder_stack", network.depth, width)
    shapes |= _stack("decoder_stack", network.decoder_depth, decoder_width)
    shapes |= _dense("decoder_in", width, decoder_width)
    shapes |= _dense("decoder_out", decoder_width, network.patch)
    if network.context:
        shapes |= _dense("decoder_context", width, decoder_width)
    aligned = width * (3 if network.aligned == "pooled" else 1)  # global token, mean and maximum
    shapes |= _dense("projector.layer_0", aligned, width)
    return shapes | _dense("projector.layer_1", width, network.projection)


def _embedding(network: CoReECG) -> dict[str, tuple[int, ...]]:
    shapes = _dense("embed.linear", network.patch + 2 * network.kernels, network.width)
    shapes |= _norm("embed.norm", network.width)
    if network.kernels:
        shapes["embed.taps"] = (network.kernel_length, network.kernels)
        shapes["embed.bias"] = (network.kernels,)
    return shapes | (_norm("patch_norm", network.patch) if network.normalise_patches else {})


def _stack(name: str, depth: int, width: int) -> dict[str, tuple[int, ...]]:
    """Blocks with a leading axis of layers, then a norm."""
    hidden = MLP_RATIO * width
    block = _dense("qkv", width, 3 * width) | _dense("attention_out", width, width)
    block |= _dense("mlp_in", width, hidden) | _dense("mlp_out", hidden, width)
    block |= _norm("attention_norm", width) | _norm("mlp_norm", width)
    layers = {f"{name}.layers.{part}": (depth, *shape) for part, shape in block.items()}
    return layers | _norm(f"{name}.norm", width)


def _dense(name: str, before: int, after: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.kernel": (before, after), f"{name}.bias": (after,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.scale": (width,), f"{name}.bias": (width,)}
