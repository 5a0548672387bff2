"""What the measures make suspect: of which leads, and how much known damage is found in real recordings."""

import csv
import warnings
from pathlib import Path

import made_faults
import numpy as np
import pytest
from made_recordings import LEADS

from coreecg_jax.records import quality
from coreecg_jax.records.measures import measured
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.records.simulator.simulate import simulate
from coreecg_jax.records.suspicions import Limits, Suspicion, in_words, leads_with, power_of_ten, suspected
from coreecg_jax.records.wfdb_files import read_wfdb

LIMB = list(LEADS[:6])
# Damage, what it must be called, in which leads.
FAULTS: dict[str, tuple[made_faults.Fault, str, list[str]]] = {
    "one sample of V5 invalid": (made_faults.invalid, "nan", ["V5"]),
    "V5 off for 4 s": (made_faults.dead, "flat", ["V5"]),
    "V2 at the amplifier's end": (made_faults.clipped, "saturated", ["V2"]),
    "V2 wanders by 4 mV": (made_faults.wandering, "baseline_wander", ["V2"]),
    "100 uV of noise in V5": (made_faults.noisy, "noise", ["V5"]),
    "III and aVF exchanged": (made_faults.mislabelled, "limb_lead_relation", ["III", "aVF"]),
    "II 20 ms late": (made_faults.delayed, "limb_lead_relation", LIMB),
    "arms reversed": (made_faults.moved(made_faults.ARMS), "arms_reversed", LIMB),
    "right arm and leg reversed": (
        made_faults.moved(made_faults.ARM_AND_LEG),
        "right_arm_and_leg_reversed",
        LIMB,
    ),
    **{
        f"all leads x {factor:g}": (made_faults.scaled(factor), "unit", list(LEADS))
        for factor in (1000, 200, 100, 10, 0.1, 0.01, 0.001)
    },
    **{
        f"V2 x {factor:g}": (made_faults.scaled(factor, made_faults.V2), "unit", ["V2"])
        for factor in (1000, 100, 10, 0.1, 0.01, 0.001)
    },
}


def flags_of(raw: Recording) -> dict[str, list[str]]:
    """Every flag of a recording and its leads; a unit that is refused is 'unit' of all leads."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        faults_L = quality.lead_flags(raw.ecg_LT, raw.present_L, raw.sampling_rate)
        odd = {str(one): leads_with(leads_L) for one, leads_L in suspected(measured(raw), Limits()).items()}
    for bits in np.unique(faults_L[faults_L > 0]):
        for flag in quality.LeadFlag(int(bits)):
            odd[str(flag.name).lower()] = leads_with(faults_L & flag > 0)
    try:
        quality.check_unit(raw.ecg_LT)
    except RecordingRefused:
        odd["unit"] = list(LEADS)
    return odd


def sound() -> Recording:
    return Recording(simulate(0, 4, 0, sampling_rate=500.0).ecg_LT, np.ones(12, bool), 500.0, (), ())


def damaged(raw: Recording, fault: made_faults.Fault) -> Recording:
    return Recording(fault(raw.ecg_LT, raw.sampling_rate), raw.present_L, raw.sampling_rate, (), ())


def test_a_sound_recording_is_not_suspected() -> None:
    assert flags_of(sound()) == {}


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in ("V2 x 10", "V2 x 0.1")])
def test_each_damage_is_named_with_its_leads(name: str) -> None:
    fault, flag, leads = FAULTS[name]
    found = flags_of(damaged(sound(), fault))
    assert flag in found
    assert found[flag] == leads


def test_limits_are_the_caller_s() -> None:
    raw = damaged(sound(), made_faults.noisy)
    assert suspected(measured(raw), Limits(noise_uv=150.0)) == {}
    assert list(suspected(measured(sound()), Limits(noise_uv=0.5))) == [Suspicion.NOISE]
    with pytest.raises(ValueError, match=r"limits\.noise_uv: expected more than 0, got -1"):
        Limits(noise_uv=-1.0)
    with pytest.raises(ValueError, match="expected less than largest_amplitude_uv = 100, got 250"):
        Limits(largest_amplitude_uv=100.0)


def test_flags_in_words() -> None:
    flags = [0] * 12
    flags[8] = quality.LeadFlag.FLAT | quality.LeadFlag.NAN
    odd = {"noise": ["V1"], "arms_reversed": LIMB, "unit": list(LEADS)}
    words = "V3 flat and nan; noise in V1; arms_reversed in the limb leads; unit in all leads"
    assert in_words(flags, odd) == words
    assert in_words([0] * 12, {}) == ""
    assert in_words([0] * 10 + [1, 1], {}) == "V5, V6 missing"


@pytest.mark.parametrize(("factor", "power"), [(1000.0, 3), (10.0, 1), (1.0, 0), (0.1, -1), (0.001, -3)])
def test_the_power_of_ten_that_is_too_many_is_told(factor: float, power: int) -> None:
    measures = measured(damaged(sound(), made_faults.scaled(factor)))
    odd = {str(one): leads_with(leads_L) for one, leads_L in suspected(measures, Limits()).items()}
    assert power_of_ten(measures.line() | {"suspected": odd}) == power


def real(folder: Path, every: int) -> list[Recording]:
    with (folder / "index.csv").open(newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)][::every]
    raws = [read_wfdb(folder / f"{path}.hea") for path in paths]
    return [raw for raw in raws if (np.ptp(raw.ecg_LT, axis=1) > 0).all()]


def shares(raws: list[Recording]) -> dict[str, tuple[float, float, float]]:
    """Damage -> share found, found in the right leads, and flagged so before it was damaged."""
    before = [flags_of(raw) for raw in raws]
    table = {}
    for name, (fault, flag, leads) in FAULTS.items():
        after = [flags_of(damaged(raw, fault)) for raw in raws]
        found = np.mean([flag in one for one in after])
        right = np.mean([one.get(flag) == leads for one in after])
        table[name] = (float(found), float(right), float(np.mean([flag in one for one in before])))
    return table


def test_known_damage_of_some_real_recordings_is_found(real_ecg: Path) -> None:
    raws = real(real_ecg, 50)
    assert len(raws) >= 13
    found = shares(raws)
    assert all(
        found[name][0] == 1 for name in FAULTS if name.startswith(("one", "V5 off", "100 uV", "II 20"))
    )
    assert found["III and aVF exchanged"][0] > 0.9
    assert found["all leads x 10"][0] > 0.9
    assert found["all leads x 0.1"][0] > 0.9
    assert found["arms reversed"][0] > 0.7


@pytest.mark.slow
def test_known_damage_of_all_real_recordings_is_found(real_ecg: Path) -> None:
    """Prints the table of docs/data.md: pytest -m slow -s tests/records/test_suspicions.py."""
    raws = real(real_ecg, 1)
    found = shares(raws)
    print(
        f"\n{len(raws)} recordings\n| damage | found | in the right leads | flagged so before |\n|---|"
        + "---:|" * 3
    )
    for name, row in found.items():
        print(f"| {name} | " + " | ".join(f"{share:.1%}" for share in row) + " |")
    for name, least in {
        "arms reversed": 0.85,
        "right arm and leg reversed": 0.75,
        "all leads x 10": 0.98,
    }.items():
        assert found[name][0] > least
    assert all(row[2] < 0.02 for name, row in found.items() if FAULTS[name][1] != "limb_lead_relation")
