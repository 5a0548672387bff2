"""Which lead is drawn where on ECG paper: the usual 3 x 4 + 1 layout."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LAYOUT = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
ROWS = len(LAYOUT) + 1  # and the rhythm strip


class Cell(NamedTuple):
    """One lead's stretch of time in one row of the paper."""

    name: str
    lead: int | None  # position among the recording's leads; None where it has no such lead
    row: int  # from above
    samples: slice
    divisor: float = 1.0  # of what is drawn

    @property
    def scale(self) -> str:
        """Of a lead that has its own; '' where it has none."""
        if self.divisor == 1:
            return ""
        return f"÷ {self.divisor:,.0f}" if self.divisor < 1e7 else f"÷ {self.divisor:g}"


def cells_of(names: Sequence[str], samples: int, rhythm: str, divisors: Sequence[float]) -> list[Cell]:
    """What is drawn where.

    Args:
      names: of the recording's leads, in small letters.
      samples: of the recording.
      rhythm: the lead of the strip below.
      divisors: of each lead of the recording.
    """
    edges = np.round(np.arange(5) * samples / 4).astype(int)
    places = [
        (name, row, slice(int(edges[column]), int(edges[column + 1])))
        for row, across in enumerate(LAYOUT)
        for column, name in enumerate(across)
    ]
    places.append((rhythm, len(LAYOUT), slice(0, samples)))
    place_of = {name: place for place, name in enumerate(names)}
    cells = [Cell(name, place_of.get(name.lower()), row, shown) for name, row, shown in places]
    return [cell if cell.lead is None else cell._replace(divisor=divisors[cell.lead]) for cell in cells]
