"""The parts of a network that a bundle may hold: the encoder always, the others where they are wanted."""

from collections.abc import Mapping, Sequence
from typing import Any

PARTS = ("encoder", "decoder", "projector")


def part_of(name: str) -> str:
    """The part that a parameter of the network belongs to, by its name or the name of its module."""
    if name == "mask_token" or name.startswith("decoder_"):
        return "decoder"
    return "projector" if name == "projector" else "encoder"


def parameters_of(network: Mapping[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    """Of the network's parameters, or their shapes, those that belong to the parts."""
    return {name: value for name, value in network.items() if part_of(name) in parts}


def require_parts(parts: Sequence[str]) -> None:
    """Raises ValueError unless these are parts that a bundle can hold."""
    if "encoder" not in parts or not set(parts) <= set(PARTS) or len(set(parts)) < len(parts):
        raise ValueError(
            f"parts: expected encoder and, where wanted, {' and '.join(PARTS[1:])}, got "
            f"{', '.join(parts) or 'none'}"
        )
