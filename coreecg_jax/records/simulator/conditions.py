"""Conditions: their codes, how often they occur, and how a recording of a patient comes by its own.

Rhythm and morphology are drawn apart, so that a recording may be, say, a tachycardia with hypertrophy.
Secondary ST-T changes (of a bundle branch block, of strain) carry no label of their own, as in reports.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

RHYTHMS = ("SR", "SBRAD", "STACH", "AFIB")
ECTOPY = "PVC"
MORPHOLOGIES = ("LBBB", "RBBB", "STE", "TINV", "LVH")
CONDITIONS = (*RHYTHMS, ECTOPY, *MORPHOLOGIES)

# Shares of patients. They are enriched beyond a clinic's, so that 2,000 recordings hold enough of each.
_RHYTHM_SHARES = (0.63, 0.11, 0.12, 0.14)
_AFIB_AT_60 = 0.14  # grows with age
_PVC_SHARE = 0.13
_MORPHOLOGY_SHARES = (0.08, 0.10, 0.11, 0.12, 0.13)  # the rest has none
# Shares of recordings that show what their patient usually shows.
_RHYTHM_KEPT = 0.75
_PVC_KEPT = 0.75
_MORPHOLOGY_KEPT = 0.90  # otherwise none: ischaemia passes, a block comes and goes


@dataclasses.dataclass(frozen=True)
class State:
    """What a recording shows."""

    rhythm: str  # one of RHYTHMS
    ectopic: bool  # premature ventricular beats
    morphology: str  # one of MORPHOLOGIES, or ''

    @property
    def labels(self) -> tuple[str, ...]:
        """Codes: the rhythm, ectopy, the morphology."""
        return (self.rhythm, *([ECTOPY] * self.ectopic), *([self.morphology] if self.morphology else []))


def draw_habit(rng: np.random.Generator, age: float) -> State:
    """What the recordings of a patient of that age (years) usually show."""
    afib = float(np.clip(_AFIB_AT_60 * 2.0 ** ((age - 60.0) / 12.0), 0.01, 0.35))
    shares = np.array(_RHYTHM_SHARES[:3]) * (1.0 - afib) / sum(_RHYTHM_SHARES[:3])
    rhythm = RHYTHMS[_pick(rng, [*shares, afib])]
    ectopic = bool(rng.random() < _PVC_SHARE) and rhythm != "AFIB"
    morphology = (*MORPHOLOGIES, "")[_pick(rng, [*_MORPHOLOGY_SHARES, 1.0 - sum(_MORPHOLOGY_SHARES)])]
    return State(rhythm, ectopic, morphology)


def draw_state(rng: np.random.Generator, habit: State) -> State:
    """What one recording shows of a patient with that habit."""
    keeps_rhythm, keeps_pvc, keeps_morphology = rng.random(3) < (_RHYTHM_KEPT, _PVC_KEPT, _MORPHOLOGY_KEPT)
    other = RHYTHMS[_pick(rng, [0.7, 0.15, 0.15])]  # fibrillation is only of those who have it
    rhythm = habit.rhythm if keeps_rhythm else other
    # In fibrillation a wide beat may be aberrant conduction: it is left out rather than called ectopic.
    ectopic = habit.ectopic and bool(keeps_pvc) and rhythm != "AFIB"
    return State(rhythm, ectopic, habit.morphology if keeps_morphology else "")


def state_of(conditions: Sequence[str]) -> State:
    """The state with exactly these conditions; sinus rhythm at a normal rate where no rhythm is named.

    Raises:
      ValueError: when a code is unknown, or the codes exclude one another.
    """
    unknown = [code for code in conditions if code not in CONDITIONS]
    if unknown:
        raise ValueError(f"conditions: expected some of {', '.join(CONDITIONS)}, got {', '.join(unknown)}")
    rhythms = [code for code in RHYTHMS if code in conditions]
    morphologies = [code for code in MORPHOLOGIES if code in conditions]
    ectopic = ECTOPY in conditions
    if len(rhythms) > 1 or len(morphologies) > 1 or (ectopic and "AFIB" in rhythms):
        raise ValueError(
            f"conditions: expected at most one rhythm of {', '.join(RHYTHMS)}, at most one morphology of "
            f"{', '.join(MORPHOLOGIES)}, and no {ECTOPY} with AFIB, got {', '.join(conditions)}"
        )
    return State((rhythms or ["SR"])[0], ectopic, (morphologies or [""])[0])


def _pick(rng: np.random.Generator, shares: Sequence[float]) -> int:
    """An index, drawn with the given shares."""
    return int(np.searchsorted(np.cumsum(shares), rng.random() * sum(shares), side="right"))
