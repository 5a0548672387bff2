"""What a user hands to `embed`, whatever its kind, as a list of recordings."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

# float[L, T], or float[n, L, T], or a sequence of float[L, T] of any lengths; mV.
Signal = np.ndarray | Sequence[np.ndarray]


def several_of(signal: Any) -> list[np.ndarray]:
    """The recordings of what `embed` is given: two dimensions, of whatever kind, are one recording.

    Raises:
      ValueError: when there is none, or no more than one dimension.
    """
    if hasattr(signal, "shape") and not isinstance(signal, np.ndarray):
        signal = np.asarray(signal)  # of jax, pandas or torch: their rows are no recordings
    if isinstance(signal, np.ndarray) and signal.ndim == 2:
        return [signal]
    several = list(signal) if isinstance(signal, Iterable) and getattr(signal, "ndim", 1) else [signal]
    if not several:
        raise ValueError("signal: expected at least one recording, got none")
    dimensions = _dimensions(several[0])
    if dimensions == 0:
        raise ValueError(
            "signal: expected [leads, samples], or several of these, got "
            f"{type(signal).__name__} of {type(several[0]).__name__}: one lead alone is signal[None]"
        )
    return [_joined(several)] if dimensions == 1 else several


def _joined(rows: Sequence[Any]) -> np.ndarray:
    """One recording of rows that came one by one, masked or not."""
    try:
        return np.ma.stack(rows)
    except ValueError as error:
        raise ValueError(
            f"signal: expected rows of one recording, all as long, got others ({error})"
        ) from None


def _dimensions(one: Any) -> int:
    try:
        return np.ndim(one)
    except ValueError:  # of rows of other lengths, which conditioning refuses with its number
        return 2
