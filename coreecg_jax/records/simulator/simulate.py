"""One recording of one virtual patient, from three numbers."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from coreecg_jax.records.simulator.anatomy import Patient, draw_patient
from coreecg_jax.records.simulator.conditions import State, draw_state, state_of
from coreecg_jax.records.simulator.conduction import p_waves, pvc_waves, qrs_waves
from coreecg_jax.records.simulator.electrodes import leads_from_electrodes, placed_field
from coreecg_jax.records.simulator.noise import electrode_noise, fibrillatory_waves
from coreecg_jax.records.simulator.repolarisation import with_repolarisation
from coreecg_jax.records.simulator.rhythm import draw_beats, draw_respiration
from coreecg_jax.records.simulator.synthesis import heartbeats
from coreecg_jax.records.simulator.waves import Waves

# To be raised with every change that changes a sample or a label.
SIMULATOR_VERSION = 1

LARGEST_NUMBER = 2**32 - 1  # of seed, patient and recording: numpy takes words of 32 bits
LOWEST_RATE = 100.0  # Hz
SHORTEST_SECONDS, LONGEST_SECONDS = 5.0, 3600.0


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A simulated recording and what is known of it."""

    ecg_LT: np.ndarray  # float64[12, T], mV, in the order of LEADS
    labels: tuple[str, ...]  # codes of conditions: rhythm, ectopy, morphology
    age: float  # years
    sex: str  # 'F' or 'M'
    r_times: np.ndarray  # float64[H], s from the start, of every beat within the recording
    beat_kinds: tuple[str, ...]  # H of 'N' (with P), 'A' (atrial fibrillation), 'V' (premature ventricular)


def simulate(
    seed: int,
    patient: int,
    recording: int,
    *,
    sampling_rate: float = 500.0,
    seconds: float = 10.0,
    conditions: Sequence[str] | None = None,
    noise: bool = True,
) -> Simulated:
    """Recording `recording` of patient `patient` in the world `seed`: a pure function of its arguments.

    Args:
      seed: of the whole world.
      patient: number of the patient, from 0.
      recording: number of the recording of that patient, from 0.
      sampling_rate: Hz.
      seconds: length of the recording.
      conditions: exactly these codes of `conditions.CONDITIONS` in place of those drawn; sinus rhythm at a
        normal rate where no rhythm is among them. The patient's anatomy stays.
      noise: False leaves out what the electrodes pick up besides the heart.

    Raises:
      ValueError: when a number is out of range, or the conditions exclude one another.
    """
    _check(seed, patient, recording, sampling_rate, seconds)
    person = draw_patient(seed, patient)
    rng = recording_stream(seed, patient, recording)
    state = draw_state(rng, person.habit)
    if conditions is not None:
        state = state_of(conditions)
    field_E3 = placed_field(person.field_E3, rng)
    waves_by_kind = _waves(person, state, field_E3, rng)
    breath = draw_respiration(rng)
    beats = draw_beats(rng, state, person, breath, seconds)
    potential_ET = heartbeats(beats, waves_by_kind, field_E3, breath, sampling_rate, seconds, rng)
    if state.rhythm == "AFIB":
        potential_ET += fibrillatory_waves(rng, sampling_rate, seconds)
    if noise:
        potential_ET += electrode_noise(rng, breath, sampling_rate, seconds)
    inside = (beats.times_H >= 0.0) & (beats.times_H < seconds)
    return Simulated(
        ecg_LT=leads_from_electrodes(potential_ET),
        labels=state.labels,
        age=person.age,
        sex=person.sex,
        r_times=beats.times_H[inside],
        beat_kinds=tuple(kind for kind, kept in zip(beats.kinds, inside) if kept),
    )


def recording_stream(seed: int, patient: int, recording: int) -> np.random.Generator:
    """The random numbers of one recording; its state is drawn first.

    Number 0 is left to the patient: numpy takes `[seed, patient]` and `[seed, patient, 0]` for one seed.
    """
    return np.random.default_rng([seed, patient, recording + 1])


def drawn_state(person: Patient, seed: int, patient: int, recording: int) -> State:
    """What that recording shows, without making it."""
    return draw_state(recording_stream(seed, patient, recording), person.habit)


def _waves(person: Patient, state: State, field_E3: np.ndarray, rng: np.random.Generator) -> dict[str, Waves]:
    """The waves of each kind of beat that the recording may hold."""
    qrs = qrs_waves(person, state.morphology)
    conducted = with_repolarisation(qrs, person, state.morphology, field_E3, rng)
    onset = conducted.named("QRS").span()[0]
    with_p = p_waves(person, onset) + conducted
    return {"N": with_p, "A": conducted, "V": pvc_waves(person)}


def _check(seed: int, patient: int, recording: int, sampling_rate: float, seconds: float) -> None:
    for name, number in (("seed", seed), ("patient", patient), ("recording", recording)):
        if not 0 <= number < LARGEST_NUMBER:
            raise ValueError(f"{name}: expected 0 to {LARGEST_NUMBER - 1}, got {number}")
    if not LOWEST_RATE <= sampling_rate < float("inf"):
        raise ValueError(f"sampling_rate: expected at least {LOWEST_RATE:g} Hz, got {sampling_rate:g}")
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise ValueError(f"seconds: expected {SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g}, got {seconds:g}")
