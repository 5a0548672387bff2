"""Depolarisation: QRS as the conduction system makes it, P before it, and premature ventricular beats.

Vectors are in Frank leads: x to the left, y to the feet, z to the back. What defines each is in Surawicz et
al. 2009 (AHA/ACCF/HRS recommendations III, doi:10.1161/CIRCULATIONAHA.108.191095).
"""

import dataclasses

import numpy as np

from coreecg_jax.records.simulator.anatomy import Patient
from coreecg_jax.records.simulator.electrodes import CHEST, ELECTRODES
from coreecg_jax.records.simulator.waves import Waves, waves

# Septum to the right and front; free wall to the left and down; base to the back.
_NORMAL = [
    (-18, 7, 7, -0.06, -0.05, -0.26),
    (-4, 8, 8, 1.02, 0.50, 0.16),
    (9, 8, 8, 0.02, 0.16, 0.66),
    (23, 8, 10, -0.17, -0.06, 0.22),
]
# No septal q, since the septum is activated from the right; two slow humps to the left: the notch.
_LBBB = [
    (-46, 12, 12, 0.10, 0.04, -0.06),
    (-22, 14, 14, 0.78, 0.22, 0.55),
    (18, 15, 15, 0.88, 0.20, 0.95),
    (44, 12, 13, 0.22, 0.02, 0.42),
]
# Begins as the normal one does; the right ventricle follows late and slowly, to the right and front.
_RBBB = [
    (-18, 7, 7, -0.06, -0.05, -0.27),
    (-5, 8, 8, 0.95, 0.48, 0.20),
    (9, 9, 10, 0.12, 0.14, 0.55),
    (47, 14, 14, -0.35, -0.06, -0.64),
    (74, 13, 15, -0.22, -0.03, -0.31),
]
# Larger to the left and back, and a little slower.
_LVH = [
    (-20, 8, 8, -0.06, -0.05, -0.30),
    (-4, 9, 9, 1.45, 0.42, 0.35),
    (11, 9, 10, 0.15, 0.10, 1.05),
    (27, 10, 11, -0.12, -0.03, 0.30),
]
# In some the base of the right ventricle comes last: a small r' in V1 that is no block.
_CRISTA = [*_NORMAL[:3], (31, 8, 10, -0.16, -0.02, -0.26)]
_CRISTA_SHARE = 0.10
_QRS = {"": _NORMAL, "STE": _NORMAL, "TINV": _NORMAL, "LBBB": _LBBB, "RBBB": _RBBB, "LVH": _LVH}

# Right atrium, then left atrium; centre in ms from the onset of P.
_P = [(36, 15, 15, 0.015, 0.050, -0.020), (66, 16, 17, 0.032, 0.028, 0.018)]

# From the right ventricle (as in LBBB) and from the left (as in RBBB); y comes from where in it they begin.
_PVC = {
    "right": [(-34, 20, 24, 0.45, 0.45, 0.30), (22, 24, 24, 0.85, 0.85, 1.05), (58, 18, 20, 0.15, 0.1, 0.35)],
    "left": [
        (-34, 20, 24, -0.2, 0.45, -0.45),
        (22, 24, 24, -0.75, 0.85, -0.95),
        (58, 18, 20, -0.3, 0.1, -0.2),
    ],
}

# Sources near V1 ... V6: a share of the dipole's wave, and short ones of their own, in mV. Set so that the
# other leads explain of each chest lead what they explain in PTB-XL.
_LOCAL_SHARE = np.array([0.24, 0.36, 0.14, 0.13, 0.13, 0.14])
_LOCAL_MILLIVOLTS = np.array([0.12, 0.22, 0.14, 0.14, 0.12, 0.11])
_LOCAL_WAVES = 3


def p_waves(patient: Patient, qrs_onset: float) -> Waves:
    """P, one PR interval before the QRS that begins `qrs_onset` s from R."""
    made = waves("P", _P).scaled(patient.p_gain)
    rng = _stream(patient, 3)
    varied = _varied(made, rng, 0.25).turned(patient.t_axis_33)
    return dataclasses.replace(varied, centre_K=varied.centre_K + qrs_onset - patient.pr)


def qrs_waves(patient: Patient, morphology: str) -> Waves:
    """The QRS of this patient with that morphology, before hypertrophy is brought to its severity."""
    rng = _stream(patient, 1)
    blocked, ordinary = morphology in ("LBBB", "RBBB"), _QRS[morphology] is _NORMAL
    crista = rng.random() < _CRISTA_SHARE and ordinary
    made = _varied(waves("QRS", _CRISTA if crista else _QRS[morphology]), rng, 0.22 if ordinary else 0.14)
    if morphology == "RBBB":  # r S R': the late part may be of any size against the early one
        late_K1 = np.where(np.arange(len(made)) >= 3, rng.uniform(0.75, 1.5), 1.0)[:, None]
        made = dataclasses.replace(made, vector_K3=made.vector_K3 * late_K1)
    made = made.turned(_halfway(patient.axis_33) if blocked else patient.axis_33)
    made = _with_near_sources(made, rng, 0.65 if blocked else 1.0)
    # A block of less than 0.12 s would be called incomplete.
    stretch = max(patient.qrs_stretch, 0.96) if blocked else patient.qrs_stretch
    return made.scaled(patient.qrs_gain).stretched(stretch)


def pvc_waves(patient: Patient) -> Waves:
    """QRS, ST and T of a premature ventricular beat; one focus a patient. T points away from QRS."""
    rng = _stream(patient, 2)
    origin = ("right", "left")[int(rng.random() < 0.45)]
    height = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.1)  # from the base: downwards; from the apex: up
    qrs = waves("QRS", _PVC[origin])
    qrs = _varied(qrs.turned(np.diag([1.0, height, 1.0])), rng, 0.12)
    qrs = _with_near_sources(qrs, rng, 0.65).stretched(rng.uniform(0.98, 1.2)).scaled(rng.uniform(1.0, 1.45))
    main_3 = qrs.vector_K3[:3].sum(axis=0)
    repolarisation = -main_3 * rng.uniform(0.28, 0.42)
    end = qrs.span()[1]
    st = waves("ST", [(1000 * end + 30, 30, 80, *(0.35 * repolarisation))])
    t = waves("T", [(1000 * end + 175, 62, 42, *repolarisation)])
    return (qrs + st + t).scaled(0.5 + 0.5 * patient.qrs_gain)


def _stream(patient: Patient, which: int) -> np.random.Generator:
    """The random numbers behind the patient's wave shapes: the same in every recording."""
    return np.random.default_rng([*patient.shape_key, which])


def _varied(made: Waves, rng: np.random.Generator, spread: float) -> Waves:
    """Every wave with its own size, direction, time and width, as hearts differ."""
    count = len(made)
    length_K1 = np.linalg.norm(made.vector_K3, axis=1, keepdims=True)
    vector_K3 = made.vector_K3 * np.exp(rng.normal(0.0, spread, (count, 1)))
    vector_K3 = vector_K3 + rng.normal(0.0, 0.5 * spread, (count, 3)) * length_K1
    width_K = np.exp(rng.normal(0.0, 0.08, count))
    centre_K = made.centre_K + rng.normal(0.0, 0.10, count) * made.left_K
    return Waves(
        made.names, centre_K, made.left_K * width_K, made.right_K * width_K, vector_K3, made.local_KE
    )


def _with_near_sources(made: Waves, rng: np.random.Generator, gain: float) -> Waves:
    """Adds what chest electrodes see of the muscle next to them: no dipole in the middle explains it."""
    chest = (len(made), CHEST.stop - CHEST.start)
    length_K1 = np.linalg.norm(made.vector_K3, axis=1, keepdims=True)
    local_KE = made.local_KE.copy()
    local_KE[:, CHEST] += gain * _LOCAL_SHARE * length_K1 * rng.standard_normal(chest)
    begin, end = made.span()
    share = rng.uniform(0.2, 0.8, _LOCAL_WAVES)
    width = (end - begin) * rng.uniform(0.055, 0.09, _LOCAL_WAVES)
    own_KE = np.zeros((_LOCAL_WAVES, len(ELECTRODES)))
    own_KE[:, CHEST] = gain * _LOCAL_MILLIVOLTS * rng.standard_normal((_LOCAL_WAVES, chest[1]))
    centre = begin + share * (end - begin)
    dipole = np.zeros((_LOCAL_WAVES, 3))
    near = Waves(("QRS",) * _LOCAL_WAVES, centre, width, width, dipole, own_KE)
    return dataclasses.replace(made, local_KE=local_KE) + near


def _halfway(rotation_33: np.ndarray) -> np.ndarray:
    """About half of a rotation: a block has more say in the axis than the position of the heart."""
    left, _, right = np.linalg.svd(np.eye(3) + rotation_33)
    return left @ right
