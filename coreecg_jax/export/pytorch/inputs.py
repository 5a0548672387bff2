"""Whether what the encoder is handed can be read by it; each refusal says what to do."""

from typing import Any

import torch
from torch import Tensor

from .leads import LEADS


def can_be_looked_at() -> bool:
    """Whether values can be asked for: a program that is compiled, exported or traced has none yet."""
    return not (torch.compiler.is_compiling() or torch.jit.is_tracing())


def require_windows(ecg: Any, available: Any, smallest: int, window: int, rate: float) -> None:
    """ecg is a tensor [B, 12, W] of floating-point numbers, W from `smallest` to `window`, and so the mask.

    Raises:
      TypeError: when one is no tensor, or ecg has no floating-point numbers.
      ValueError: when a shape is another one.
    """
    _require_tensor("ecg", ecg)
    if not ecg.is_floating_point():
        raise TypeError(
            f"ecg: expected floating-point numbers in mV, got {ecg.dtype}: multiply stored integers by the "
            "mV of one, such as ecg.float() * 0.001 where they are microvolts"
        )
    if ecg.ndim != 3 or ecg.shape[1] != len(LEADS) or ecg.shape[2] < smallest:
        raise ValueError(
            f"expected ecg [B, 12, {smallest} or more], got {tuple(ecg.shape)}{_hint(ecg.shape, smallest)}"
        )
    if ecg.shape[2] > window:  # what is beyond would be passed over, or another rate be read as this
        raise ValueError(
            f"expected windows of {smallest} to {window} samples at {rate:g} Hz, got {ecg.shape[2]}: "
            "resample, or cut it into windows and take the mean of their embeddings"
        )
    if available is None:
        return
    _require_tensor("available", available)
    if available.shape != ecg.shape[:2]:
        raise ValueError(
            f"available: expected [B, 12] as ecg has, {tuple(ecg.shape[:2])}, got {tuple(available.shape)}: "
            "one mask [12] for all rows is available.expand(len(ecg), -1)"
        )


def require_as_the_encoder(ecg: Tensor, available: Tensor | None, part: Tensor) -> None:
    """Both lie where the parameters do.

    Raises:
      ValueError: when one lies elsewhere.
    """
    for name, x in (("ecg", ecg), ("available", available)):
        if x is not None and x.device != part.device:
            raise ValueError(
                f"{name}: expected it on {part.device}, where the encoder is, got {x.device}: "
                f"{name}.to({str(part.device)!r}), or move the encoder"
            )


def as_bool(available: Tensor) -> Tensor:
    """bool [B, 12] of a mask: as it is, or of the numbers 0 and 1.

    Other numbers are refused; where nobody can look at them, their row has no lead, so its embedding is NaN.

    Raises:
      ValueError: when it has other numbers, NaN too.
      TypeError: when it has complex numbers.
    """
    if available.dtype == torch.bool:
        return available
    if available.is_complex():
        raise TypeError(f"available: expected bool, or 0 and 1 (the lead is there), got {available.dtype}")
    there = available == 1
    known = there | (available == 0)
    for other in _looked_at(available, ~known):
        raise ValueError(
            f"available: expected bool, or 0 and 1 (the lead is there), got {other:g}: compare it "
            "with a threshold of your own, such as available > 0.5"
        )
    return there & known.all(1, keepdim=True)


def _looked_at(available: Tensor, which: Tensor) -> list[float]:
    """The values of a mask at some places, none where they are not known."""
    if not can_be_looked_at():
        return []
    try:
        return available[which].tolist()
    except RuntimeError:  # torch.func.vmap, and the device 'meta'
        return []


def _require_tensor(name: str, x: Any) -> None:
    if not isinstance(x, Tensor):
        kind = f"{type(x).__module__}.{type(x).__qualname__}".removeprefix("builtins.")
        raise TypeError(f"{name}: expected a torch.Tensor, got {kind}: torch.as_tensor({name})")


def _hint(shape: torch.Size, smallest: int) -> str:
    """What may be meant by ecg of another shape."""
    if len(shape) == 2 and shape[0] == len(LEADS):
        return ": one recording alone is ecg[None]"
    if len(shape) == 3 and shape[2] == len(LEADS):
        return ": samples come last, ecg.transpose(1, 2)"
    if len(shape) == 3 and shape[1] < len(LEADS):
        return ": a missing lead has a row too, of zeros, say, and False in `available`"
    return f": shorter than a crop, {smallest} samples" if len(shape) == 3 and shape[1] == len(LEADS) else ""
