"""What the measures of a recording make one suspect, and of which leads.

Limits stand on the distributions over 693 recordings of seven public databases (docs/data.md).
"""

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coreecg_jax.records.leads import LEADS, LIMB_LEADS
from coreecg_jax.records.measures import Measures
from coreecg_jax.records.schema import LeadFlag

# Slopes of I against V6, of II and aVR against V6, where a limb electrode stands in another's place.
_INVERTED, _UPRIGHT = -0.5, 0.3
_USUAL_UV = 740.0  # the median amplitude of the 693
_LIMB_L = np.arange(len(LEADS)) < len(LIMB_LEADS)


class Suspicion(enum.StrEnum):
    """What is odd about a recording, though each lead has a signal."""

    BASELINE = "baseline_wander"
    NOISE = "noise"
    RELATION = "limb_lead_relation"
    LEFT_RIGHT_ARM = "arms_reversed"
    ARM_LEG = "right_arm_and_leg_reversed"
    UNIT = "unit"


@dataclasses.dataclass(frozen=True)
class Limits:
    """Beyond these a lead, or a recording, is suspected.

    Raises:
      ValueError: when a limit is not above zero, or the two of the amplitude cross.
    """

    baseline_uv: float = 3000.0
    noise_uv: float = 60.0
    relation_uv: float = 100.0
    smallest_amplitude_uv: float = 250.0  # of the median lead
    largest_amplitude_uv: float = 3000.0
    lead_ratio: float = 20.0  # of one lead's amplitude to the median lead's, and of this to that

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not value > 0:
                raise ValueError(f"limits.{name}: expected more than 0, got {value:g}")
        if not self.smallest_amplitude_uv < self.largest_amplitude_uv:
            raise ValueError(
                "limits.smallest_amplitude_uv: expected less than largest_amplitude_uv = "
                f"{self.largest_amplitude_uv:g}, got {self.smallest_amplitude_uv:g}"
            )


def suspected(measures: Measures, limits: Limits) -> dict[Suspicion, np.ndarray]:
    """bool[12] of the leads concerned, for each suspicion that there is, in the order of `Suspicion`.

    Where all that I and II make is far from it, one of these two is wrong or none is: all limb leads are
    named. Reversed limb electrodes concern the limb leads; the chest leads' reference stays the same.
    """
    turned = _reversed(measures.slopes)
    found = {
        Suspicion.BASELINE: measures.baseline_L > limits.baseline_uv,
        Suspicion.NOISE: measures.noise_L > limits.noise_uv,
        Suspicion.RELATION: _unrelated(measures.relation_L, limits.relation_uv),
        Suspicion.LEFT_RIGHT_ARM: _LIMB_L & (turned is Suspicion.LEFT_RIGHT_ARM),
        Suspicion.ARM_LEG: _LIMB_L & (turned is Suspicion.ARM_LEG),
        Suspicion.UNIT: _other_unit(measures.amplitude_L, limits),
    }
    return {one: leads_L for one, leads_L in found.items() if leads_L.any()}


def leads_with(some_L: np.ndarray) -> list[str]:
    """Names of the leads that are True."""
    return [lead for lead, one in zip(LEADS, some_L) if one]


def in_words(flags: Sequence[int], suspected: Mapping[str, Sequence[str]]) -> str:
    """'V3 flat; noise in V1', for people; '' where there is nothing.

    Args:
      flags: LeadFlag bits of each lead.
      suspected: names of leads, by suspicion.
    """
    faults: dict[int, list[str]] = {}
    for lead, bits in zip(LEADS, flags):
        faults.setdefault(bits, []).append(lead)
    words = [
        f"{_together(leads)} {' and '.join(str(flag.name).lower() for flag in LeadFlag(bits))}"
        for bits, leads in faults.items()
        if bits
    ]
    return "; ".join([*words, *(f"{one} in {_together(leads)}" for one, leads in suspected.items())])


def power_of_ten(line: Mapping[str, Any]) -> int:
    """By which a recording comes nearest to what is usual, where its unit is suspected; else 0.

    Where only some leads are of another size, the median lead is as usual, and it is 0 too.

    Args:
      line: `Measures.line()` with the names of the suspected leads.
    """
    amplitude = line["amplitude_uv"]
    known = amplitude and math.isfinite(amplitude)
    power = round(math.log10(amplitude / _USUAL_UV)) if known else 0
    return power if Suspicion.UNIT in line["suspected"] else 0


def _together(leads: Sequence[str]) -> str:
    return {LEADS: "all leads", LIMB_LEADS: "the limb leads"}.get(tuple(leads), ", ".join(leads))


def _unrelated(relation_L: np.ndarray, largest: float) -> np.ndarray:
    far_L = relation_L > largest  # False for NaN
    known_L = ~np.isnan(relation_L)
    return _LIMB_L if known_L.any() and far_L[known_L].all() else far_L


def _other_unit(amplitude_L: np.ndarray, limits: Limits) -> np.ndarray:
    """All leads that have an amplitude where the median lead's is odd; else those far from the median."""
    known_L = ~np.isnan(amplitude_L)
    if not known_L.any():
        return known_L
    typical = np.nanmedian(amplitude_L)
    if not limits.smallest_amplitude_uv <= typical <= limits.largest_amplitude_uv:
        return known_L
    return (amplitude_L > limits.lead_ratio * typical) | (amplitude_L < typical / limits.lead_ratio)


def _reversed(slopes: tuple[float, float, float] | None) -> Suspicion | None:
    if slopes is None:
        return None
    i, ii, avr = slopes
    leg = avr > _UPRIGHT and ii < -_UPRIGHT
    if i < _INVERTED and not (leg and ii < i):  # of two inverted leads the more inverted one tells
        return Suspicion.LEFT_RIGHT_ARM
    return Suspicion.ARM_LEG if leg else None
