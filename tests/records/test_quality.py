"""Each fault is found, and living leads are left alone."""

from pathlib import Path

import numpy as np
import pytest
from made_recordings import made_ecg

from coreecg_jax.records import quality
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.schema import LeadFlag
from coreecg_jax.records.wfdb_files import read_wfdb

ALL = np.ones(12, bool)


def flags(ecg: np.ndarray, present: np.ndarray = ALL, rate: float = 500.0) -> list[int]:
    return quality.lead_flags(ecg, present, rate).tolist()


def test_a_good_recording_has_no_flags() -> None:
    assert flags(made_ecg()) == [0] * 12
    quality.check_unit(made_ecg())


def test_each_fault_has_its_flag() -> None:
    ecg = made_ecg()
    ecg[1] = 0.7
    ecg[2, 2000:3600] = ecg[2, 2000]  # 3.2 s
    ecg[3, 77] = np.nan
    ecg[4] = np.clip(10 * ecg[4], -2.0, 2.0)
    ecg[5] = np.nan
    present = ALL.copy()
    present[5] = False
    found = flags(ecg, present)
    flat, saturated = LeadFlag.FLAT, LeadFlag.SATURATED
    assert found == [0, flat, flat, LeadFlag.NAN, saturated, LeadFlag.MISSING, 0, 0, 0, 0, 0, 0]


def test_a_short_still_stretch_is_no_fault() -> None:
    ecg = made_ecg()
    ecg[2, 2000:3450] = ecg[2, 2000]  # 2.9 s
    ecg[3, :60] = ecg[3].max() + 2.0  # PTB-XL recordings begin like this: 0.12 s
    assert flags(ecg) == [0] * 12


@pytest.mark.parametrize("rate", [100.0, 128.0, 1000.0])
def test_flatness_is_measured_in_seconds(rate: float) -> None:
    ecg = made_ecg(rate=rate)
    ecg[0, : round(3.1 * rate)] = 0.0
    ecg[1, : round(2.8 * rate)] = 0.0
    assert flags(ecg, rate=rate)[:2] == [LeadFlag.FLAT, 0]


@pytest.mark.parametrize("factor", [1000.0, 1e-3, 1e6, 1e-6])
def test_a_wrong_unit_is_refused(factor: float) -> None:
    with pytest.raises(RecordingRefused, match="99th percentile") as caught:
        quality.check_unit(made_ecg() * factor)
    assert caught.value.reason == Reason.WRONG_UNIT


def test_one_bad_lead_does_not_make_the_unit_wrong() -> None:
    ecg = made_ecg()
    ecg[0] *= 1000
    ecg[1] = 0.0
    ecg[2, 5] = np.nan
    quality.check_unit(ecg)


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        (LeadFlag.MISSING, Reason.MISSING_LEAD),
        (LeadFlag.FLAT, Reason.FLAT_LEAD),
        (LeadFlag.SATURATED, Reason.SATURATED),
        (LeadFlag.NAN, Reason.NAN),
    ],
)
def test_a_bad_lead_is_refused_and_one_good_one_is_enough_where_leads_are_masked(
    flag: LeadFlag, reason: Reason
) -> None:
    bad = np.zeros(12, int)
    bad[[3, 11]] = flag
    with pytest.raises(RecordingRefused, match="aVR, V6") as caught:
        quality.check_leads(bad)
    assert caught.value.reason == reason
    quality.check_any_lead(bad)
    with pytest.raises(RecordingRefused) as caught:
        quality.check_any_lead(np.full(12, int(flag)))
    assert caught.value.reason == Reason.NO_GOOD_LEAD


def test_signals_that_are_no_leads_are_named_where_none_is_good() -> None:
    with pytest.raises(
        RecordingRefused, match="twelve are bad; signals that are none of these: MLII, vx"
    ) as caught:
        quality.check_any_lead(np.full(12, int(LeadFlag.MISSING)), ["MLII", "vx"])
    assert caught.value.reason == Reason.NO_GOOD_LEAD


def test_an_unknown_name_beside_a_missing_lead_is_told() -> None:
    bad = np.zeros(12, int)
    bad[1] = LeadFlag.MISSING
    with pytest.raises(RecordingRefused, match="MLII") as caught:
        quality.check_leads(bad, ignored_signals=["vx", "MLII"])
    assert caught.value.reason == Reason.UNKNOWN_LEAD
    with pytest.raises(RecordingRefused) as caught:
        quality.check_leads(bad, ignored_signals=["vx", "VY"])
    assert caught.value.reason == Reason.MISSING_LEAD


def test_real_recordings_are_flagged_only_where_a_lead_is_dead(real_ecg: Path) -> None:
    dead = {"chapman_ningbo/JS11438", "chapman_ningbo/JS20008", "cpsc2018/A1988"}
    headers = [
        header for name in ("ptbxl", "ludb") for header in sorted((real_ecg / name).rglob("*.hea"))[::40]
    ]
    headers += sorted((real_ecg / "cpsc2018").glob("*.hea")) + sorted((real_ecg / "code15").glob("*.hea"))
    headers += [real_ecg / f"{name}.hea" for name in dead if name.startswith("chapman")]
    flagged = set()
    for header in headers:
        recording = read_wfdb(header)
        quality.check_unit(recording.ecg_LT)
        if any(flags(recording.ecg_LT, recording.present_L, recording.sampling_rate)):
            flagged.add(header.relative_to(real_ecg).with_suffix("").as_posix())
    assert flagged == dead


@pytest.mark.parametrize("rate", [100.0, 257.0, 500.0])
def test_a_still_stretch_is_found_wherever_it_lies(rate: float) -> None:
    size, rng = round(3 * rate), np.random.default_rng(0)
    for start in rng.integers(0, round(7 * rate), 30).tolist():
        ecg = made_ecg(rate=rate)
        ecg[0, start : start + size] = ecg[0, start] + rng.uniform(0, quality.FLAT_MILLIVOLTS * 0.999, size)
        ecg[1, start : start + size - 1] = ecg[1, start]  # one sample too short, on a lead that moves
        ecg[1, [start - 1, min(start + size - 1, ecg.shape[1] - 1)]] += 1.0
        ecg[2, start : start + size] = ecg[2, start] + np.linspace(0, quality.FLAT_MILLIVOLTS * 1.01, size)
        ecg[2, [start - 1, min(start + size, ecg.shape[1] - 1)]] += 1.0
        slow = [
            (np.ptp(sliding_windows(lead, size), axis=1) <= quality.FLAT_MILLIVOLTS).any() for lead in ecg
        ]
        assert [flag == LeadFlag.FLAT for flag in flags(ecg, rate=rate)] == slow
        assert slow[0]


def sliding_windows(samples: np.ndarray, size: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(samples, size)
