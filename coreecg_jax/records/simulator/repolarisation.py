"""Repolarisation: ST and T, and the severity to which a condition is brought.

Criteria: ST elevation by the fourth universal definition of myocardial infarction (Thygesen et al. 2018,
doi:10.1161/CIR.0000000000000617); T inversion of 0.1 mV in two leads of a territory (the same); hypertrophy
by Sokolow and Lyon 1949, S in V1 and R in V5 or V6 of more than 3.5 mV. Severities are drawn from just
above the criterion upwards.
"""

import dataclasses

import numpy as np

from coreecg_jax.records.leads import lead_indices
from coreecg_jax.records.simulator.anatomy import Patient
from coreecg_jax.records.simulator.electrodes import CHEST
from coreecg_jax.records.simulator.waves import Waves, waves

TERRITORIES = {
    "anterior": ("V1", "V2", "V3", "V4"),
    "inferior": ("II", "III", "aVF"),
    "lateral": ("I", "aVL", "V5", "V6"),
}
_TERRITORY_SHARES = (0.4, 0.35, 0.25)
J_POINT_DELAY = 0.060  # s after the end of QRS, where ST is measured
SOKOLOW_LYON = 3.5  # mV
T_INVERSION = 0.1  # mV

# Average ST and T by morphology, x, y, z in mV: T follows QRS where conduction is normal, opposes it in LBBB,
# opposes the late part in RBBB. Strain: ST and T away from the hypertrophied wall.
_ST = {"": (-0.005, -0.010, -0.060), "LBBB": (-0.09, -0.02, -0.16), "RBBB": (0.01, 0.0, -0.01)}
_T = {"": (0.36, 0.18, -0.23), "LBBB": (-0.22, -0.05, -0.42), "RBBB": (0.26, 0.11, 0.19)}
_STRAIN_ST, _STRAIN_T = (-0.08, -0.02, -0.09), (-0.27, -0.05, -0.28)

# The current of injury and the inverted T of each territory.
_INJURY = {"anterior": (0.04, -0.04, -0.25), "inferior": (-0.12, 0.27, 0.02), "lateral": (0.30, -0.05, 0.06)}
_HIGH_VOLTAGE_SHARE = 0.12
_RECIPROCAL_Y = -0.11  # anterior injury that is also basal depresses the inferior leads
_INVERTED = {
    "anterior": (0.08, 0.06, 0.34),
    "inferior": (0.17, -0.27, -0.10),
    "lateral": (-0.30, 0.02, -0.10),
}
_LOCAL_SHARE = np.array([0.20, 0.22, 0.12, 0.10, 0.08, 0.08])  # near V1 ... V6


def st_threshold(lead: str, age: float, sex: str) -> float:
    """mV at the J point from which ST counts as elevated."""
    if lead not in ("V2", "V3"):
        return 0.1
    if sex == "F":
        return 0.15
    return 0.25 if age < 40.0 else 0.2


def territory_of(patient: Patient) -> str:
    """The wall that is ischaemic in this patient, if any is."""
    rng = np.random.default_rng([*patient.shape_key, 4])
    return str(rng.choice(list(TERRITORIES), p=_TERRITORY_SHARES))


def with_repolarisation(
    qrs: Waves, patient: Patient, morphology: str, field_E3: np.ndarray, severity: np.random.Generator
) -> Waves:
    """QRS, ST and T of one recording; hypertrophy, injury and inversion brought to a drawn severity."""
    rng = np.random.default_rng([*patient.shape_key, 5])
    strain = morphology == "LVH" and rng.random() < 0.45
    key = morphology if morphology in _T else ""
    st_3, t_3 = (_STRAIN_ST, _STRAIN_T) if strain else (_ST[key], _T[key])
    st, t = _st_and_t(qrs, patient, st_3, t_3, rng)
    if key == "" and not strain:
        early = _early_repolarisation(rng, patient.sex)
        st = st.scaled(0.5 if morphology == "TINV" else early)  # ST into an inverted T is near the baseline
        t = t.turned(patient.t_axis_33).scaled(_flattening(rng))
    qrs = _to_voltage(qrs, patient, morphology, field_E3, severity)
    if morphology == "TINV":
        t = _inverted(qrs + st, t, patient, field_E3, rng, severity)
    if morphology == "STE":
        injury, t = _injury(qrs + st, t, patient, field_E3, rng, severity)
        st = st + injury
    return qrs + st + t


def _st_and_t(
    qrs: Waves, patient: Patient, st_3: tuple, t_3: tuple, rng: np.random.Generator
) -> tuple[Waves, Waves]:
    """ST as a low plateau into T; T with its steeper side behind, its end where QT says."""
    onset, end = (1000.0 * edge for edge in qrs.named("QRS").span())
    # A wide QRS delays repolarisation by as much as it is wider than normal.
    t_end = onset + 1000.0 * patient.qtc + max(0.0, (end - onset) - 95.0)
    right = 33.0 * np.exp(rng.normal(0.0, 0.12))
    left = 1.45 * right * np.exp(rng.normal(0.0, 0.12))
    t_centre = t_end - 2.2 * right
    st = waves("ST", [(0.5 * (end + t_centre), 55.0, 60.0, *st_3)]).scaled(patient.t_gain)
    t = waves("T", [(t_centre, left, right, *t_3)]).scaled(patient.t_gain)
    return _with_spread(st, rng), _with_spread(t, rng)


def _early_repolarisation(rng: np.random.Generator, sex: str) -> float:
    """ST of healthy people against the average: higher in men, and in some near the criterion."""
    return min(2.2, float(np.exp(rng.normal(-0.1, 0.55)))) * (1.0 if sex == "M" else 0.6)


def _flattening(rng: np.random.Generator) -> float:
    """Size of T against the average; in some it is flat without a cause that the recording shows."""
    return float(rng.uniform(-0.2, 0.5)) if rng.random() < 0.18 else 1.05


def _with_spread(made: Waves, rng: np.random.Generator) -> Waves:
    """Directions and near parts differ between patients."""
    length = np.linalg.norm(made.vector_K3)
    vector_K3 = made.vector_K3 + rng.normal(0.0, 0.13, (1, 3)) * length
    local_KE = made.local_KE.copy()
    local_KE[0, CHEST] += _LOCAL_SHARE * length * rng.standard_normal(CHEST.stop - CHEST.start)
    return dataclasses.replace(made, vector_K3=vector_K3, local_KE=local_KE)


def _to_voltage(
    qrs: Waves, patient: Patient, morphology: str, field_E3: np.ndarray, severity: np.random.Generator
) -> Waves:
    """QRS scaled so that S(V1) + R(V5 or V6) is above 3.5 mV in hypertrophy, and else below 3.4 mV."""
    excess = 0.06 + severity.gamma(1.4, 0.42)
    leads_LW = qrs.leads(field_E3, np.linspace(-0.1, 0.13, 93))
    v1, v5, v6 = lead_indices(("V1", "V5", "V6"))
    index = -leads_LW[v1].min() + max(leads_LW[v5].max(), leads_LW[v6].max())
    if morphology == "LVH":
        return qrs.scaled((SOKOLOW_LYON + excess) / index)
    # A thin chest wall makes voltages high without hypertrophy: some come near the criterion.
    rng = np.random.default_rng([*patient.shape_key, 6])
    is_high, high = rng.random() < _HIGH_VOLTAGE_SHARE, rng.uniform(0.8, 0.97)
    if is_high and morphology not in ("LBBB", "RBBB"):
        return qrs.scaled(high * SOKOLOW_LYON / index)
    return qrs.scaled(min(1.0, 0.97 * SOKOLOW_LYON / index))


def _injury(
    rest: Waves,
    t: Waves,
    patient: Patient,
    field_E3: np.ndarray,
    rng: np.random.Generator,
    severity: np.random.Generator,
) -> tuple[Waves, Waves]:
    """The ST wave of injury and T grown with it: the second highest lead of the territory at its target."""
    territory = territory_of(patient)
    injury_3 = np.array(_INJURY[territory])
    if territory == "anterior" and rng.random() < 0.5:
        injury_3[1] += _RECIPROCAL_Y
    end = 1000.0 * rest.named("QRS").span()[1]
    injury = _with_spread(waves("ST", [(end + 32.0, 24.0, 105.0, *injury_3)]), rng)
    at = np.array([1e-3 * end + J_POINT_DELAY])
    leads = TERRITORIES[territory]
    rows = list(lead_indices(leads))
    threshold_L = np.array([st_threshold(lead, patient.age, patient.sex) for lead in leads])
    target = 1.08 + severity.gamma(1.6, 0.45)
    level_L = (rest + t).leads(field_E3, at)[rows, 0]
    per_unit_L = injury.leads(field_E3, at)[rows, 0]
    needed_L = np.where(
        per_unit_L > 0.02, (target * threshold_L - level_L) / np.maximum(per_unit_L, 0.02), 9.0
    )
    gain = float(np.clip(np.sort(needed_L)[1], 0.3, 4.0))
    grown = dataclasses.replace(t, vector_K3=t.vector_K3 + 0.5 * gain * injury.vector_K3)
    return injury.scaled(gain), grown


def _inverted(
    rest: Waves,
    t: Waves,
    patient: Patient,
    field_E3: np.ndarray,
    rng: np.random.Generator,
    severity: np.random.Generator,
) -> Waves:
    """T turned away from the territory, as deep as drawn in its second deepest lead."""
    territory = territory_of(patient)
    made = _with_spread(waves("T", [(0.0, 1.0, 1.0, *_INVERTED[territory])]), rng)
    inverted = dataclasses.replace(made, centre_K=t.centre_K, left_K=0.85 * t.left_K, right_K=t.right_K)
    rows = list(lead_indices(TERRITORIES[territory]))
    target = T_INVERSION * (1.10 + severity.gamma(1.4, 0.5))
    level_L = rest.leads(field_E3, t.centre_K)[rows, 0]
    per_unit_L = inverted.leads(field_E3, t.centre_K)[rows, 0]
    needed_L = np.where(per_unit_L < -0.02, (-target - level_L) / np.minimum(per_unit_L, -0.02), 9.0)
    return inverted.scaled(float(np.clip(np.sort(needed_L)[1], 0.2, 4.0)))
