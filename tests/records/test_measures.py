"""What a recording measures is what was put in, and reversed electrodes are suspected."""

import csv
from pathlib import Path

import numpy as np
import pytest
from made_recordings import LEADS, made_ecg

from coreecg_jax.records.databases.listing import About, Listed
from coreecg_jax.records.measures import LARGEST, Suspicion, measured
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.records.simulator.simulate import simulate
from coreecg_jax.records.wfdb_files import read_wfdb

ARMS = {"I": ("I", -1), "II": ("III", 1), "III": ("II", 1), "aVR": ("aVL", 1), "aVL": ("aVR", 1)}
ARM_AND_LEG = {"I": ("III", -1), "II": ("II", -1), "III": ("I", -1), "aVR": ("aVF", 1), "aVF": ("aVR", 1)}


def recording(ecg_LT: np.ndarray, rate: float = 500.0) -> Recording:
    return Recording(ecg_LT, np.ones(12, bool), rate, (), ())


def reversed_electrodes(ecg_LT: np.ndarray, moved: dict[str, tuple[str, int]]) -> np.ndarray:
    """What the twelve leads show when two limb electrodes change places (Einthoven, Goldberger)."""
    swapped = ecg_LT.copy()
    for lead, (source, sign) in moved.items():
        swapped[LEADS.index(lead)] = sign * ecg_LT[LEADS.index(source)]
    return swapped


def sound() -> np.ndarray:
    return simulate(0, 3, 0, sampling_rate=500.0).ecg_LT


def test_a_sound_recording_is_not_suspected() -> None:
    found = measured(recording(sound()))
    assert found["suspected"] == []
    assert found["nan"] == {}
    assert found["relation_uv"] < 1.0  # the simulator derives limb leads from potentials


def test_what_is_added_is_measured() -> None:
    times = np.arange(5000) / 500.0
    ecg = sound()
    before = measured(recording(ecg))
    steps = ecg.copy()
    steps[8] += np.where(times < 5, 0.0, 4.0)
    assert measured(recording(steps))["baseline_uv"] == pytest.approx(4000, abs=before["baseline_uv"] + 1)
    noisy = ecg.copy()
    noisy[7] = np.random.default_rng(0).normal(0, 0.1, 5000)
    # A moving mean over 12 samples takes 1/12 of the variance of white noise away.
    assert measured(recording(noisy))["noise_uv"] == pytest.approx(100 * np.sqrt(11 / 12), rel=0.06)
    apart = ecg.copy()
    apart[2] += 0.3 * np.sin(2 * np.pi * 3 * times)
    assert measured(recording(apart))["relation_uv"] == pytest.approx(300, rel=0.02)
    for changed, one in ((steps, Suspicion.BASELINE), (noisy, Suspicion.NOISE), (apart, Suspicion.RELATION)):
        assert measured(recording(changed))["suspected"] == [one]


def test_where_samples_are_missing_is_said() -> None:
    ecg = made_ecg()
    ecg[4, 500:600] = np.nan
    ecg[4, 1000] = np.nan
    found = measured(recording(ecg))
    assert found["nan"] == {"aVL": {"samples": 101, "first_second": 1.0, "last_second": 2.0}}


def test_nothing_is_said_of_nothing() -> None:
    nothing = Recording(np.full((12, 5000), np.nan), np.zeros(12, bool), 500.0, (), ())
    found = measured(nothing)
    assert found == {"baseline_uv": None, "noise_uv": None, "relation_uv": None, "nan": {}, "suspected": []}


def test_reversed_electrodes_of_real_recordings_are_suspected(real_ecg: Path) -> None:
    with (real_ecg / "index.csv").open(newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)][::4]
    real = [read_wfdb(real_ecg / f"{path}.hea") for path in paths]
    real = [raw for raw in real if not np.isnan(raw.ecg_LT).any() and (np.ptp(raw.ecg_LT, axis=1) > 0).all()]
    assert len(real) > 150
    for moved, one, least in ((ARMS, Suspicion.LEFT_RIGHT_ARM, 0.8), (ARM_AND_LEG, Suspicion.ARM_LEG, 0.7)):
        swapped = [recording(reversed_electrodes(raw.ecg_LT, moved), raw.sampling_rate) for raw in real]
        assert np.mean([one in measured(raw)["suspected"] for raw in swapped]) > least
        assert np.mean([one in measured(raw)["suspected"] for raw in real]) < 0.02
    assert set(LARGEST) < set(Suspicion)


def test_what_is_suspected_is_set_aside_only_when_asked() -> None:
    ecg = sound()
    ecg[7] = np.random.default_rng(0).normal(0, 0.1, 5000)
    listed = Listed("a", "a", "recordings", About())
    band = Preprocessing(sampling_rate=100.0)
    kept = process(listed, lambda file: recording(ecg), "made", Settings(band, suspected=("arms_reversed",)))
    assert (kept.line["status"], kept.line["measured"]["suspected"]) == ("read", ["noise"])
    refused = process(listed, lambda file: recording(ecg), "made", Settings(band, suspected=("noise",)))
    assert (refused.line["status"], refused.line["reason"], refused.examples) == ("refused", "suspected", ())
    with pytest.raises(ValueError, match=r"suspected: expected some of baseline_wander, .*, got nois$"):
        Settings(band, suspected=("nois",))
