"""Numbers that stand in a text."""

import math
import warnings

import numpy as np


def number(text: str | None) -> float:
    """A finite number.

    Raises:
      ValueError: when it is none.
    """
    value = float((text or "").strip()[:40] or "nan")
    if not math.isfinite(value):
        raise ValueError(f"expected a number, got {(text or '')[:40]!r}")
    return value


def digits(text: str) -> np.ndarray:
    """float64 (N,) of numbers that white space parts.

    Raises:
      ValueError: when something else stands there.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(text, np.float64, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            raise ValueError("expected numbers with white space between them") from error
