"""Simulated recordings: a data source that needs no download. See `records/simulator`: no real patient."""

import re

import numpy as np

from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.databases.wfdb_folder import check_name
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.simulator.anatomy import draw_patient
from coreecg_jax.records.simulator.simulate import LARGEST_NUMBER, SIMULATOR_VERSION, drawn_state, simulate

NAME = "simulated"
LABEL_SETS = ("simulated_conditions",)
SAMPLING_RATE = 500.0  # Hz
LARGEST_LISTING = 1_000_000

_SPLITS = ("train",) * 5 + ("probe",) * 2 + ("validation",) + ("test",) * 2  # by the last digit
_FILE = re.compile(r"s(\d+)_p(\d+)_r(\d+)")


def list_recordings(recordings: int = 2000, *, seed: int = 0, name: str = NAME) -> Listing:
    """That many recordings, 10 s each, of virtual patients who have one to four.

    Splits by the last digit of the patient's number: "train" (0 to 4), "probe" (5 and 6: those whose labels a
    probe is given), "validation" (7), "test" (8 and 9). Labels are codes of the label set
    `simulated_conditions`. Nothing is simulated before it is read.

    Args:
      recordings: how many.
      seed: of the whole data set.
      name: of the data set.

    Raises:
      ValueError: when a number is out of range, or the name cannot be a data set's.
    """
    if not 1 <= recordings <= LARGEST_LISTING:
        raise ValueError(f"recordings: expected 1 to {LARGEST_LISTING}, got {recordings}")
    if not 0 <= seed < LARGEST_NUMBER:
        raise ValueError(f"seed: expected 0 to {LARGEST_NUMBER - 1}, got {seed}")
    listed: list[Listed] = []
    patient = 0
    while len(listed) < recordings:
        listed += _of_patient(seed, patient)
        patient += 1
    return Listing(check_name(name), read, tuple(listed[:recordings]), label_sets=LABEL_SETS)


def read(file: str) -> Recording:
    """The recording that `file` (`s<seed>_p<patient>_r<recording>`) names, simulated anew: always the same.

    Raises:
      ValueError: when it names none.
    """
    numbers = _FILE.fullmatch(file)
    if numbers is None:
        raise ValueError(f"simulated recording: expected a name such as s0_p00012_r1, got {file!r}")
    seed, patient, recording = (int(number) for number in numbers.groups())
    simulated = simulate(seed, patient, recording, sampling_rate=SAMPLING_RATE)
    return Recording(simulated.ecg_LT, np.ones(len(LEADS), bool), SAMPLING_RATE, (), ())


def _of_patient(seed: int, patient: int) -> list[Listed]:
    """All recordings of one patient."""
    person = draw_patient(seed, patient)
    split = _SPLITS[patient % 10]
    listed = []
    for recording in range(person.recordings):
        labels = drawn_state(person, seed, patient, recording).labels
        about = About(
            patient_id=f"s{seed}_p{patient:05d}",
            labels=labels,
            likelihoods=(100.0,) * len(labels),
            age=person.age,
            sex=person.sex,
        )
        file = f"s{seed}_p{patient:05d}_r{recording}"
        # The id holds the version, so that the digest of a listing changes with the simulator.
        listed.append(Listed(f"v{SIMULATOR_VERSION}_{file}", file, split, about))
    return listed
