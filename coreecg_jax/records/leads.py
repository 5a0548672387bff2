"""The twelve leads: their names, their order, and the algebra of the limb leads.

Everything that knows a lead by its position takes the position from here; files are read by name.
"""

from collections.abc import Sequence

import numpy as np

LIMB_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF")
CHEST_LEADS = ("V1", "V2", "V3", "V4", "V5", "V6")
LEADS = LIMB_LEADS + CHEST_LEADS

# Each limb lead as a combination of I and II (Einthoven 1912, Goldberger 1942); float64[6, 2].
LIMB_FROM_I_II = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]], dtype=np.float64)

_BY_LOWER_NAME: dict[str, str] = {name.lower(): name for name in LEADS}


class UnknownLeadError(ValueError):
    """A lead name that is none of the twelve."""


def canonical_name(name: str) -> str:
    """The standard spelling of a lead name: ``'AVR'``, ``' avr '`` and ``'lead aVR'`` give ``'aVR'``.

    Raises:
      UnknownLeadError: when the name is none of the twelve.
    """
    key = name.strip().lower().removeprefix("lead").strip(" _-")
    if key not in _BY_LOWER_NAME:
        raise UnknownLeadError(f"unknown lead {name!r}: expected one of {', '.join(LEADS)} (any case)")
    return _BY_LOWER_NAME[key]


def lead_indices(names: Sequence[str]) -> tuple[int, ...]:
    """Positions of the named leads in `LEADS`, in the order in which they are named.

    Raises:
      UnknownLeadError: when a name is none of the twelve.
      ValueError: when a lead is named twice, or none is named.
    """
    canonical = [canonical_name(name) for name in names]
    repeated = sorted({name for name in canonical if canonical.count(name) > 1})
    if repeated or not canonical:
        raise ValueError(
            f"expected each lead once and at least one, got {list(names)} (repeated: {repeated})"
        )
    return tuple(LEADS.index(name) for name in canonical)
