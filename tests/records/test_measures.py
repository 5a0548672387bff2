"""What a recording measures is what was put in, lead by lead."""

import json

import numpy as np
import pytest
from made_recordings import LEADS, made_ecg

from coreecg_jax.records.measures import invalid_in_words, measured
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.simulator.simulate import simulate


def recording(ecg_LT: np.ndarray, rate: float = 500.0) -> Recording:
    return Recording(ecg_LT, np.ones(12, bool), rate, (), ())


def sound() -> np.ndarray:
    return simulate(0, 3, 0, sampling_rate=500.0).ecg_LT


def test_limb_leads_of_potentials_agree() -> None:
    found = measured(recording(sound()))
    assert np.nanmax(found.relation_L) < 1.0
    assert np.isnan(found.relation_L).tolist() == [lead not in ("III", "aVR", "aVL", "aVF") for lead in LEADS]
    assert found.nan == {}


def test_what_is_added_is_measured_in_its_lead() -> None:
    times = np.arange(5000) / 500.0
    ecg = sound()
    before = measured(recording(ecg))
    changed = ecg.copy()
    changed[8] += np.where(times < 5, 0.0, 4.0)
    changed[7] = np.random.default_rng(0).normal(0, 0.1, 5000)
    changed[2] += 0.3 * np.sin(2 * np.pi * 3 * times)
    found = measured(recording(changed))
    assert found.baseline_L[8] == pytest.approx(4000, abs=before.baseline_L[8] + 1)
    # A moving mean over 12 samples takes 1/12 of the variance of white noise away.
    assert found.noise_L[7] == pytest.approx(100 * np.sqrt(11 / 12), rel=0.06)
    assert found.relation_L[2] == pytest.approx(300, rel=0.02)
    for name, lead in (("baseline_L", 8), ("noise_L", 7), ("relation_L", 2)):
        others = np.arange(12) != lead
        unchanged = others & (np.arange(12) != 7) & (np.arange(12) != 2) & (np.arange(12) != 8)
        np.testing.assert_array_equal(getattr(found, name)[unchanged], getattr(before, name)[unchanged])
    assert found.line()["baseline_uv"] == round(float(found.baseline_L[8]), 1)


def test_amplitude_is_the_99th_percentile_around_the_median() -> None:
    ecg = np.tile(np.linspace(-1, 1, 5001), (12, 1)) + 7.0
    ecg[4] = 0.3  # constant: says nothing
    ecg[5] *= 2
    found = measured(recording(ecg))
    assert np.isnan(found.amplitude_L[4])
    np.testing.assert_allclose(np.delete(found.amplitude_L, (4, 5)), 990, atol=1)
    assert found.amplitude_L[5] == pytest.approx(1980, abs=2)
    assert found.line()["amplitude_uv"] == pytest.approx(990, abs=1)


def test_where_samples_are_missing_is_said() -> None:
    ecg = made_ecg()
    ecg[4, 500:600] = np.nan
    ecg[4, 1000] = np.nan
    ecg[9, [0, 4998, 4999]] = np.nan  # the ends belong to it
    found = measured(recording(ecg))
    assert found.nan == {
        "aVL": {
            "samples": 101,
            "first_second": 1.0,
            "last_second": 2.0,
            "spans": [[1.0, 1.198], [2.0, 2.0]],
            "further_spans": 0,
        },
        "V4": {
            "samples": 3,
            "first_second": 0.0,
            "last_second": 9.998,
            "spans": [[0.0, 0.0], [9.996, 9.998]],
            "further_spans": 0,
        },
    }
    assert json.loads(json.dumps(found.line()))["nan"] == found.nan
    assert invalid_in_words(found.nan) == (
        "aVL 101 samples (1 to 1.198 s, 2 s); V4 3 samples (0 s, 9.996 to 9.998 s)"
    )
    assert np.isnan([found.baseline_L[4], found.noise_L[4], found.relation_L[4], found.amplitude_L[4]]).all()


def test_of_many_spans_the_first_ten_are_told_and_the_others_counted() -> None:
    ecg = made_ecg()
    ecg[6, ::2] = np.nan
    found = measured(recording(ecg)).nan
    assert found["V1"]["samples"] == 2500
    assert found["V1"]["spans"] == [[k / 250, k / 250] for k in range(10)]
    assert found["V1"]["further_spans"] == 2490
    assert invalid_in_words(found).endswith("0.032 s, 0.036 s and 2,490 spans more, up to 9.996 s)")
    before = {"V1": {"samples": 5, "first_second": 1.0, "last_second": 2.0}}
    assert invalid_in_words(before) == "V1 5 samples (1 to 2 s)"
    absent = Recording(ecg, np.zeros(12, bool), 500.0, (), ())
    assert measured(absent).nan == {}


def test_nothing_is_said_of_nothing() -> None:
    nothing = Recording(np.full((12, 5000), np.nan), np.zeros(12, bool), 500.0, (), ())
    found = measured(nothing)
    assert found.line() == dict.fromkeys(("baseline_uv", "noise_uv", "relation_uv", "amplitude_uv")) | {
        "nan": {}
    }
    assert found.slopes is None


def test_a_second_is_enough() -> None:
    assert measured(recording(made_ecg(seconds=1.0))).baseline_L.tolist() == [0.0] * 12
