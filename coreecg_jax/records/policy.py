"""What is done with each flag of a recording: keep, mask the leads concerned, or set it aside."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coreecg_jax.records.quality import check_any_lead, check_leads
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.schema import LeadFlag
from coreecg_jax.records.spelling import with_guess
from coreecg_jax.records.suspicions import Limits, Suspicion, in_words, leads_with

KEEP, MASK, SET_ASIDE = "keep", "mask", "set_aside"
_FAULTS = ("missing", "nan", "flat", "saturated")  # names of LeadFlag, in lower case
_NEVER_KEPT = ("missing", "nan")  # there is no signal to keep, or no filter that takes it
_MASKED_AS = {
    Suspicion.BASELINE: LeadFlag.WANDER,
    Suspicion.NOISE: LeadFlag.NOISE,
    Suspicion.RELATION: LeadFlag.RELATION,
    Suspicion.LEFT_RIGHT_ARM: LeadFlag.REVERSED,
    Suspicion.ARM_LEG: LeadFlag.REVERSED,
    Suspicion.UNIT: LeadFlag.UNIT,
}


@dataclasses.dataclass(frozen=True)
class Policy:
    """For each flag 'keep', 'mask' (the leads concerned: zeros and a flag) or 'set_aside' (the recording).

    Raises:
      ValueError: for any other word, and for 'keep' where nothing can be kept.
    """

    missing: str = SET_ASIDE
    nan: str = SET_ASIDE
    flat: str = SET_ASIDE
    saturated: str = SET_ASIDE
    baseline_wander: str = KEEP
    noise: str = KEEP
    limb_lead_relation: str = KEEP
    arms_reversed: str = KEEP
    right_arm_and_leg_reversed: str = KEEP
    unit: str = KEEP
    limits: Limits = dataclasses.field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name, action in self.actions().items():
            allowed = (MASK, SET_ASIDE) if name in _NEVER_KEPT else (KEEP, MASK, SET_ASIDE)
            if action not in allowed:
                got = with_guess(action, allowed)
                raise ValueError(f"policy.{name}: expected one of {', '.join(allowed)}, got {got}")

    def actions(self) -> dict[str, str]:
        """Flag -> what is done."""
        return {name: getattr(self, name) for name in (*_FAULTS, *Suspicion)}

    def masked(
        self, flags_L: np.ndarray, suspected: Mapping[Suspicion, np.ndarray], ignored: Sequence[str] = ()
    ) -> np.ndarray:
        """int64[12] of LeadFlag bits: the leads that are masked, and for what.

        Args:
          flags_L: of `quality.lead_flags`.
          suspected: of `suspicions.suspected`.
          ignored: names of signals that are none of the twelve.

        Raises:
          RecordingRefused: when the recording is set aside, or no lead is left.
        """
        actions = self.actions()
        asked = {action: _bits(actions, action) for action in (MASK, SET_ASIDE)}
        check_leads(flags_L & asked[SET_ASIDE], ignored)
        unwanted = [one for one in suspected if actions[one] == SET_ASIDE]
        if unwanted:
            got = in_words((), {one: leads_with(suspected[one]) for one in unwanted})
            raise RecordingRefused(Reason.SUSPECTED, f"expected none of {', '.join(unwanted)}; got {got}")
        masked_L = flags_L & asked[MASK]
        for one, leads_L in suspected.items():
            if actions[one] == MASK:
                masked_L = masked_L | np.where(leads_L, int(_MASKED_AS[one]), 0)
        check_any_lead(masked_L, ignored)
        return masked_L

    def recorded(self) -> dict[str, str | float]:
        """For the manifest, named as the fields of the config are."""
        limits = dataclasses.asdict(self.limits).items()
        return {f"policy.{name}": action for name, action in self.actions().items()} | {
            f"limits.{name}": value for name, value in limits
        }


def policy_of_before(settings: Mapping[str, Any]) -> dict[str, str | float]:
    """What settings of a manifest of before there was a policy come to; in one since, nothing."""
    if "policy.noise" in settings:
        return {}
    faults = dict.fromkeys(_FAULTS, settings.get("bad_lead", SET_ASIDE))
    return Policy(**faults, **dict.fromkeys(settings.get("suspected", ()), SET_ASIDE)).recorded()


def _bits(actions: Mapping[str, str], action: str) -> int:
    """Of the faults with which this is done."""
    return int(sum(LeadFlag[name.upper()] for name in _FAULTS if actions[name] == action))
