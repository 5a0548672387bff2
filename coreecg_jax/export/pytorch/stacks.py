"""The layers of the encoder: in the file all of them are one tensor, here each has parameters of its own."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

STACK = "encoder_stack/layers/"


class Layer(nn.Module):
    """Attention and a perceptron, each behind its norm and added to what it read."""

    def __init__(self, parts: dict[str, Tensor]):
        super().__init__()
        self.parts = nn.ParameterDict(parts)

    def forward(self, x: Tensor, bias: Tensor, heads: int) -> Tensor:
        """Tokens [B, S, D] of tokens [B, S, D]; `bias` [B, heads, S, S] is added to the logits."""
        p, (batch, tokens, width) = self.parts, x.shape
        h = dense(norm(x, p, "attention_norm"), p, "qkv")
        q, k, v = h.reshape(batch, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        h = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = x + dense(h.transpose(1, 2).reshape(batch, tokens, width), p, "attention_out")
        h = functional.gelu(dense(norm(x, p, "mlp_norm"), p, "mlp_in"), approximate="tanh")
        return x + dense(h, p, "mlp_out")


def dense(x: Tensor, parts: nn.ParameterDict, name: str) -> Tensor:
    """x @ kernel + bias."""
    return x @ parts[f"{name}/kernel"] + parts[f"{name}/bias"]


def norm(x: Tensor, parts: nn.ParameterDict, name: str) -> Tensor:
    """Layer norm."""
    scale, bias = parts[f"{name}/scale"], parts[f"{name}/bias"]
    return functional.layer_norm(x, scale.shape, scale, bias, eps=1e-6)


def apart(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
    """What is outside the layers, and what each of them has, by name."""
    stacked = {name.removeprefix(STACK): x for name, x in tensors.items() if name.startswith(STACK)}
    depth = len(next(iter(stacked.values())))
    layers = [{name: x[layer].clone() for name, x in stacked.items()} for layer in range(depth)]
    return {name: x for name, x in tensors.items() if not name.startswith(STACK)}, layers


def take_apart_what_is_loaded(_: nn.Module, state: dict[str, Any], prefix: str, *others: Any) -> None:
    """A state dict of before, when the layers were one parameter each, is read as one of now."""
    before = f"{prefix}parts.{STACK}"
    for name in [name for name in state if name.startswith(before)]:
        for layer, x in enumerate(torch.unbind(state.pop(name))):
            state[f"{prefix}layers.{layer}.parts.{name.removeprefix(before)}"] = x.clone()  # no view of all
