"""Keep, mask or set aside: what becomes of a recording by the policy for its flags."""

import dataclasses
import pickle

import made_faults
import numpy as np
import pytest
from made_recordings import LEADS, made_ecg

from configs import quality as quality_config
from coreecg_jax.records.databases.listing import About, Listed
from coreecg_jax.records.one_recording import Outcome, Settings, process
from coreecg_jax.records.policy import KEEP, MASK, SET_ASIDE, Policy, policy_of_before
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason
from coreecg_jax.records.schema import LeadFlag, Preprocessing
from coreecg_jax.records.simulator.simulate import simulate
from coreecg_jax.records.suspicions import Limits, Suspicion

BAND = Preprocessing(sampling_rate=100.0)
FAULTS = ("missing", "nan", "flat", "saturated")


def sound() -> np.ndarray:
    return simulate(0, 4, 0, sampling_rate=500.0).ecg_LT


def run(ecg_LT: np.ndarray, present_L: np.ndarray | None = None, **policy: object) -> Outcome:
    raw = Recording(ecg_LT, np.ones(12, bool) if present_L is None else present_L, 500.0, (), ())
    asked = Policy(**policy)  # ty: ignore[invalid-argument-type]
    return process(
        Listed("a", "a", "recordings", About()), lambda file: raw, "made", Settings(BAND, policy=asked)
    )


def damaged(flag: str) -> np.ndarray:
    """A sound recording with this flag and no other."""
    faults = {
        "nan": made_faults.invalid,
        "flat": made_faults.dead,
        "saturated": made_faults.clipped,
        "baseline_wander": made_faults.wandering,
        "noise": made_faults.noisy,
        "limb_lead_relation": made_faults.mislabelled,
        "arms_reversed": made_faults.moved(made_faults.ARMS),
        "right_arm_and_leg_reversed": made_faults.moved(made_faults.ARM_AND_LEG),
        "unit": made_faults.scaled(0.01, made_faults.V2),
    }
    return faults[flag](sound(), 500.0)


MASKED = {
    "nan": (LeadFlag.NAN, ["V5"]),
    "flat": (LeadFlag.FLAT, ["V5"]),
    "saturated": (LeadFlag.SATURATED, ["V2"]),
    "baseline_wander": (LeadFlag.WANDER, ["V2"]),
    "noise": (LeadFlag.NOISE, ["V5"]),
    "limb_lead_relation": (LeadFlag.RELATION, ["III", "aVF"]),
    "arms_reversed": (LeadFlag.REVERSED, list(LEADS[:6])),
    "right_arm_and_leg_reversed": (LeadFlag.REVERSED, list(LEADS[:6])),
    "unit": (LeadFlag.UNIT, ["V2"]),
}


@pytest.mark.parametrize("flag", MASKED)
def test_a_flag_is_kept_masked_or_set_aside(flag: str) -> None:
    ecg, (bit, leads) = damaged(flag), MASKED[flag]
    others = {name: MASK if name in FAULTS else KEEP for name in Policy().actions()}
    masked = run(ecg, **others | {flag: MASK})
    (example,) = masked.examples
    assert masked.line["status"] == "read"
    hit = np.array([lead in leads for lead in LEADS])
    assert example["quality"][hit].tolist() == [bit] * len(leads)
    assert not example["ecg"][hit].any()
    assert masked.line["masked"] == example["quality"].tolist()
    aside = run(ecg, **others | {flag: SET_ASIDE})
    assert (aside.line["status"], aside.examples) == ("refused", ())
    reasons = {"nan": Reason.NAN, "flat": Reason.FLAT_LEAD, "saturated": Reason.SATURATED}
    assert aside.line["reason"] == reasons.get(flag, Reason.SUSPECTED)
    assert aside.line["measured"] == masked.line["measured"]  # refused ones are measured, too
    if flag == "nan":
        return
    kept = run(ecg, **others | {flag: KEEP})
    (example,) = kept.examples
    assert not example["quality"][hit].any()
    assert example["ecg"][hit].any(axis=1).all()
    assert kept.line["flags"] == masked.line["flags"]


def test_a_missing_lead_is_masked_or_set_aside() -> None:
    ecg, present = sound(), np.arange(12) != 3
    ecg[3] = np.nan
    (example,) = run(ecg, present, missing=MASK).examples
    assert example["quality"].tolist() == [0] * 3 + [LeadFlag.MISSING] + [0] * 8
    assert run(ecg, present).line["reason"] == Reason.MISSING_LEAD


def test_when_no_lead_is_left_the_recording_is_set_aside() -> None:
    ecg = made_faults.scaled(10.0)(sound(), 500.0)
    assert run(ecg, saturated=KEEP).line["status"] == "read"
    outcome = run(ecg, saturated=KEEP, unit=MASK)
    assert (outcome.line["reason"], outcome.line["measured"]["suspected"]["unit"]) == (
        "no_good_lead",
        list(LEADS),
    )


def test_the_default_sets_aside_bad_leads_and_keeps_the_rest() -> None:
    for flag in MASKED:
        assert run(damaged(flag)).line["status"] == ("refused" if flag in FAULTS else "read"), flag


def test_the_config_says_what_the_code_does() -> None:
    config = quality_config.get_config()
    assert Policy(**config.policy, limits=Limits(**config.limits)) == Policy()
    recorded = {f"{group}.{name}" for group in ("policy", "limits") for name in config[group]}
    assert set(Policy().recorded()) == recorded
    assert set(Suspicion) < set(Policy().actions())


@pytest.mark.parametrize(
    ("field", "action", "message"),
    [
        ("noise", "drop", "policy.noise: expected one of keep, mask, set_aside, got 'drop'"),
        ("noise", None, "policy.noise: expected one of keep, mask, set_aside, got None"),
        ("missing", KEEP, "policy.missing: expected one of mask, set_aside, got 'keep'"),
        ("nan", KEEP, "policy.nan: expected one of mask, set_aside, got 'keep'"),
    ],
)
def test_other_words_are_refused(field: str, action: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(Policy(), **{field: action})


def test_settings_of_before_there_was_a_policy_are_understood() -> None:
    assert policy_of_before({"bad_lead": "set_aside"}) == Policy().recorded()
    old = {"bad_lead": "mask", "suspected": ["noise", "arms_reversed"]}
    masking = dict.fromkeys(FAULTS, MASK)
    assert policy_of_before(old) == Policy(**masking, noise=SET_ASIDE, arms_reversed=SET_ASIDE).recorded()
    assert policy_of_before(Policy().recorded()) == {}


def test_workers_are_handed_the_policy() -> None:
    asked = Policy(noise=MASK, limits=Limits(noise_uv=30.0))
    assert pickle.loads(pickle.dumps(asked)) == asked


def test_a_flag_of_a_small_recording_is_measured_where_it_is_refused() -> None:
    outcome = run(made_ecg() * 1000)
    assert (outcome.line["reason"], outcome.line["measured"]["amplitude_uv"] > 1e5) == (
        Reason.WRONG_UNIT,
        True,
    )
