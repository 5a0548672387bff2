"""The simulator: algebra of the leads, determinism, patients, heart rate."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from coreecg_jax.records.leads import LEADS, LIMB_FROM_I_II
from coreecg_jax.records.simulator.anatomy import draw_patient
from coreecg_jax.records.simulator.conditions import CONDITIONS, State
from coreecg_jax.records.simulator.electrodes import STANDARD_FIELD, leads_from_electrodes
from coreecg_jax.records.simulator.rhythm import Respiration, draw_beats
from coreecg_jax.records.simulator.simulate import drawn_state, simulate


def mean_beat(ecg_LT: np.ndarray, r_times: np.ndarray) -> np.ndarray:
    """float64[12, 150]: median over beats of the 300 ms around R, at 500 Hz, each lead's median removed."""
    firsts = [round(500 * r) - 60 for r in r_times if 0.2 < r < 9.7]
    beat_LW = np.median([ecg_LT[:, first : first + 150] for first in firsts], axis=0)
    return beat_LW - np.median(beat_LW, axis=1, keepdims=True)


def digest(numbers: tuple[int, int, int]) -> str:
    simulated = simulate(*numbers)
    return hashlib.sha256(simulated.ecg_LT.tobytes() + repr(simulated.labels).encode()).hexdigest()


def test_limb_relations_hold_with_noise() -> None:
    for patient in range(20):
        ecg_LT = simulate(0, patient, 0).ecg_LT
        assert ecg_LT.shape == (12, 5000)
        assert ecg_LT.dtype == np.float64
        i, ii, iii, avr, avl, avf = ecg_LT[:6]
        np.testing.assert_allclose(i + iii, ii, rtol=0, atol=1e-12)
        np.testing.assert_allclose(avr, -(i + ii) / 2, rtol=0, atol=1e-12)
        np.testing.assert_allclose(avl, (i - iii) / 2, rtol=0, atol=1e-12)
        np.testing.assert_allclose(avf, (ii + iii) / 2, rtol=0, atol=1e-12)
        np.testing.assert_allclose(avr + avl + avf, 0, rtol=0, atol=1e-12)


def test_leads_are_differences_of_electrodes() -> None:
    potential_ET = np.random.default_rng(0).standard_normal((9, 7))
    ra, la, ll = potential_ET[:3]
    leads_LT = leads_from_electrodes(potential_ET)
    np.testing.assert_allclose(leads_LT[LEADS.index("III")], ll - la, atol=1e-12)
    np.testing.assert_allclose(leads_LT[LEADS.index("aVL")], la - (ra + ll) / 2, atol=1e-12)
    np.testing.assert_allclose(leads_LT[LEADS.index("V4")], potential_ET[6] - (ra + la + ll) / 3, atol=1e-12)
    # What all electrodes share, as the potential of the right leg does, no lead shows.
    np.testing.assert_allclose(leads_from_electrodes(potential_ET + 5.0), leads_LT, atol=1e-12)
    np.testing.assert_allclose(STANDARD_FIELD[:3].sum(axis=0), 0, atol=1e-12)


def test_the_heart_is_more_than_a_dipole() -> None:
    for patient in range(10):
        clean = simulate(1, patient, 0, noise=False, conditions=("SR",))
        singular = np.linalg.svd(mean_beat(clean.ecg_LT, clean.r_times)[6:], compute_uv=False)
        assert singular[3] > 0.02 * singular[0]  # a fourth dimension, without any noise
        assert np.linalg.matrix_rank(simulate(1, patient, 0).ecg_LT) == 8


def test_a_recording_is_a_function_of_its_three_numbers() -> None:
    numbers = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 3, 2), (2**32 - 2, 5, 0)]
    digests = [digest(n) for n in numbers]
    assert len(set(digests)) == len(numbers)
    assert [digest(n) for n in reversed(numbers)] == digests[::-1]
    code = (
        "import sys, hashlib\nfrom coreecg_jax.records.simulator.simulate import simulate\n"
        "s = simulate(0, 3, 2)\n"
        "print(hashlib.sha256(s.ecg_LT.tobytes() + repr(s.labels).encode()).hexdigest())\n"
    )
    other_process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other_process.stdout.strip() == digests[4]


def test_the_package_needs_neither_jax_nor_tensorflow() -> None:
    code = (
        "import sys, coreecg_jax.records.simulator.simulate\n"
        "print([m for m in ('jax', 'tensorflow', 'flax') if m in sys.modules])\n"
    )
    other_process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other_process.stdout.strip() == "[]"


def test_labels_are_known_without_simulating() -> None:
    for patient in range(30):
        person = draw_patient(4, patient)
        simulated = simulate(4, patient, 1)
        assert drawn_state(person, 4, patient, 1).labels == simulated.labels
        assert (person.age, person.sex) == (simulated.age, simulated.sex)
        assert set(simulated.labels) <= set(CONDITIONS)
        assert len(simulated.beat_kinds) == len(simulated.r_times)


def test_recordings_of_one_patient_are_alike() -> None:
    beats = []
    for patient in range(25):
        for recording in range(2):
            s = simulate(2, patient, recording, conditions=("SR",))
            beats.append(mean_beat(s.ecg_LT, s.r_times).ravel())
    correlation = np.corrcoef(beats).reshape(25, 2, 25, 2)
    same = np.array([correlation[p, 0, p, 1] for p in range(25)])
    other = correlation[:, 0, :, 1][~np.eye(25, dtype=bool)]
    assert np.median(same) > 0.93
    assert np.mean(same[:, None] > other) > 0.95
    assert same.max() < 0.9999  # electrodes are put on anew


def test_the_heart_does_not_know_the_sampling_rate_nor_the_noise() -> None:
    fine = simulate(0, 5, 0, noise=False)
    coarse = simulate(0, 5, 0, noise=False, sampling_rate=250.0)
    np.testing.assert_allclose(coarse.ecg_LT, fine.ecg_LT[:, ::2], atol=1e-4)
    noisy = simulate(0, 5, 0)
    np.testing.assert_array_equal(noisy.r_times, fine.r_times)
    difference_LT = noisy.ecg_LT - fine.ecg_LT
    assert (np.std(difference_LT, axis=1) > 0.003).all()
    assert simulate(0, 5, 0, seconds=20.0, sampling_rate=400.0).ecg_LT.shape == (12, 8000)


def test_heart_rate_swings_at_a_tenth_of_a_hertz_and_with_the_breath() -> None:
    breath = Respiration(frequency=0.27, phase=1.0, wander=0.0)
    patient = draw_patient(0, 3)
    power = []
    for draw in range(12):
        rng = np.random.default_rng([7, draw])
        beats = draw_beats(rng, State("SR", False, ""), patient, breath, 300.0)
        grid = np.arange(0.0, 300.0, 0.5)
        rr = np.interp(grid, beats.times_H[1:], np.diff(beats.times_H))
        power.append(np.abs(np.fft.rfft((rr - rr.mean()) * np.hanning(len(rr)))) ** 2)
    hertz = np.fft.rfftfreq(600, 0.5)
    mean = np.mean(power, axis=0)

    def band(low: float, high: float) -> float:
        return float(mean[(hertz > low) & (hertz < high)].mean())

    between = band(0.14, 0.22)
    assert band(0.085, 0.105) > 5 * between
    assert band(0.26, 0.28) > 5 * between


def test_qt_follows_the_cube_root_of_rr_and_qrs_does_not() -> None:
    ratios = []
    for patient in range(12):
        peaks = {}
        for code in ("SBRAD", "STACH"):
            s = simulate(6, patient, 0, conditions=(code,), noise=False)
            r_times = s.r_times[(s.r_times > 0.2) & (s.r_times < 9.2)]
            beats = [s.ecg_LT[7, round(500 * r) + 75 : round(500 * r) + 225] for r in r_times]
            rr = np.mean(np.diff(s.r_times))
            peaks[code] = (0.15 + np.argmax(np.abs(np.mean(beats, axis=0))) / 500, rr)
        (slow, slow_rr), (fast, fast_rr) = peaks["SBRAD"], peaks["STACH"]
        ratios.append(np.log(slow / fast) / np.log(slow_rr / fast_rr))
    assert 0.25 < np.median(ratios) < 0.50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed: expected 0 to"),
        ({"patient": 2**32}, "patient: expected 0 to"),
        ({"recording": -3}, "recording: expected 0 to"),
        ({"sampling_rate": 10.0}, "sampling_rate: expected at least 100 Hz, got 10"),
        ({"sampling_rate": float("nan")}, "sampling_rate: expected at least 100 Hz, got nan"),
        ({"seconds": 1.0}, "seconds: expected 5 to 3600, got 1"),
        ({"conditions": ("MI",)}, "conditions: expected some of SR, .*, got MI"),
        ({"conditions": ("SR", "AFIB")}, "at most one rhythm"),
        ({"conditions": ("LBBB", "RBBB")}, "at most one morphology"),
        ({"conditions": ("AFIB", "PVC")}, "no PVC with AFIB"),
    ],
)
def test_silly_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(**({"seed": 0, "patient": 0, "recording": 0} | arguments))


def test_rows_of_the_limb_table_are_what_the_leads_use() -> None:
    ecg_LT = simulate(0, 1, 0, seconds=5.0).ecg_LT
    np.testing.assert_allclose(LIMB_FROM_I_II @ ecg_LT[:2], ecg_LT[:6], atol=1e-12)
