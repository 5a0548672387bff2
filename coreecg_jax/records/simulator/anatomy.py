"""The virtual patient: what stays the same in all of its recordings."""

import dataclasses

import numpy as np

from coreecg_jax.records.simulator.conditions import State, draw_habit
from coreecg_jax.records.simulator.electrodes import patient_field

MAX_RECORDINGS = 4


@dataclasses.dataclass(frozen=True)
class Patient:
    """What stays the same in all recordings of a virtual patient."""

    age: float  # years
    sex: str  # 'F' or 'M'
    recordings: int  # how many this patient has, 1 to MAX_RECORDINGS
    habit: State  # what recordings usually show
    field_E3: np.ndarray  # what the electrodes see of the dipole
    axis_33: np.ndarray  # rotation of depolarisation, from the average heart's position
    t_axis_33: np.ndarray  # rotation of repolarisation
    qrs_gain: float  # sizes, against the average heart
    p_gain: float
    t_gain: float
    qrs_stretch: float  # duration of QRS, against the average heart
    pr: float  # s, onset of P to onset of QRS
    qtc: float  # s, onset of QRS to end of T, at one beat a second
    sinus_arrhythmia: float  # relative swing of RR with respiration
    shape_key: tuple[int, ...]  # of the stream that draws the shapes of this patient's waves


def draw_patient(seed: int, patient: int) -> Patient:
    """The patient of that number. Streams `[seed, patient, 0, ...]` belong to it and to no recording.

    Age and sex act as in large populations: women have smaller and shorter QRS and longer QT; with age the
    axis turns left, T flattens and heart-rate variability fades (Macfarlane et al. 2011,
    Comprehensive Electrocardiology, chapter 13).
    """
    rng = np.random.default_rng([seed, patient, 0])
    age = float(np.round(np.clip(rng.normal(60.0, 17.0), 18.0, 95.0)))
    female = bool(rng.random() < 0.5)
    recordings = int(rng.integers(1, MAX_RECORDINGS + 1))
    habit = draw_habit(rng, age)
    decades = (age - 60.0) / 10.0
    frontal, horizontal, sagittal = rng.normal((-3.0 - 3.0 * decades, 0.0, 0.0), (17.0, 14.0, 9.0))
    log_qrs, log_p, log_t, log_stretch, log_swing = rng.normal(0.0, (0.24, 0.35, 0.38, 0.09, 0.5))
    return Patient(
        age=age,
        sex="F" if female else "M",
        recordings=recordings,
        habit=habit,
        field_E3=patient_field(rng),
        axis_33=rotation(frontal, horizontal, sagittal),
        t_axis_33=rotation(*(0.3 * np.array([frontal, horizontal, sagittal]) + rng.normal(0.0, 11.0, 3))),
        qrs_gain=float(np.exp(log_qrs) * (0.93 if female else 1.05)),
        p_gain=float(np.exp(log_p)),
        t_gain=float(np.exp(log_t - 0.06 * decades) * (0.85 if female else 1.1)),
        qrs_stretch=float(np.exp(np.clip(log_stretch, -0.2, 0.2)) * (0.96 if female else 1.03)),
        pr=float(np.clip(rng.normal(0.160 + 0.003 * decades, 0.020), 0.120, 0.230)),
        qtc=float(np.clip(rng.normal(0.412 if female else 0.402, 0.018), 0.36, 0.46)),
        sinus_arrhythmia=float(np.clip(0.022 * np.exp(log_swing - 0.25 * decades), 0.003, 0.10)),
        shape_key=(seed, patient, 0, 1),
    )


def rotation(frontal: float, horizontal: float, sagittal: float) -> np.ndarray:
    """float64[3, 3]: turns x towards y (frontal plane), x towards z, then y towards z, by degrees."""
    a, b, c = np.deg2rad([frontal, horizontal, sagittal])
    in_frontal = np.array([[np.cos(a), -np.sin(a), 0.0], [np.sin(a), np.cos(a), 0.0], [0.0, 0.0, 1.0]])
    in_horizontal = np.array([[np.cos(b), 0.0, -np.sin(b)], [0.0, 1.0, 0.0], [np.sin(b), 0.0, np.cos(b)]])
    in_sagittal = np.array([[1.0, 0.0, 0.0], [0.0, np.cos(c), -np.sin(c)], [0.0, np.sin(c), np.cos(c)]])
    return in_sagittal @ in_horizontal @ in_frontal
