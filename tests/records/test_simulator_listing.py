"""Simulated recordings as a data source: listed cheaply, split by patient, read by name, never refused."""

import collections
import pickle

import numpy as np
import pytest

from coreecg_jax.records.databases import simulated
from coreecg_jax.records.label_sets import label_matrix, load_label_set
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.simulator.conditions import CONDITIONS
from coreecg_jax.records.simulator.simulate import simulate


def test_splits_are_by_patient() -> None:
    listing = simulated.list_recordings()
    assert len(listing.recordings) == 2000
    of_patient = collections.defaultdict(set)
    for listed in listing.recordings:
        of_patient[listed.about.patient_id].add(listed.split)
    assert all(len(splits) == 1 for splits in of_patient.values())
    assert 2.3 < 2000 / len(of_patient) < 2.7
    shares = collections.Counter(split for (split,) in of_patient.values())
    for split, share in (("train", 0.5), ("probe", 0.2), ("validation", 0.1), ("test", 0.2)):
        assert shares[split] / len(of_patient) == pytest.approx(share, abs=0.01)
    assert len({listed.recording_id for listed in listing.recordings}) == 2000


def test_every_class_is_in_every_split() -> None:
    label_set = load_label_set("simulated_conditions")
    assert tuple(label_set.code_to_class) == CONDITIONS
    listing = simulated.list_recordings()
    for split in ("train", "probe", "validation", "test"):
        abouts = [listed.about for listed in listing.recordings if listed.split == split]
        matrix = label_matrix(label_set, [about.labels for about in abouts])
        assert matrix.any(axis=1).all()
        assert (matrix.sum(axis=0) >= 5).all()
        assert all(about.likelihoods == (100.0,) * len(about.labels) for about in abouts)
        assert all(18 <= about.age <= 95 and about.sex in ("F", "M") for about in abouts)


def test_a_name_reads_its_recording() -> None:
    listing = pickle.loads(pickle.dumps(simulated.list_recordings(40, seed=3)))
    listed = listing.recordings[-1]
    recording = listing.read(listed.file)
    _, patient, number = (int(part[1:]) for part in listed.file.split("_"))
    direct = simulate(3, patient, number)
    np.testing.assert_array_equal(recording.ecg_LT, direct.ecg_LT)
    assert listed.about.labels == direct.labels
    assert (listed.about.age, listed.about.sex) == (direct.age, direct.sex)
    assert recording.present_L.tolist() == [True] * len(LEADS)
    assert recording.sampling_rate == 500.0


def test_the_digest_changes_with_seed_size_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = simulated.list_recordings(30).digest()
    assert simulated.list_recordings(30).digest() == digest
    assert simulated.list_recordings(30, seed=1).digest() != digest
    assert simulated.list_recordings(31).digest() != digest
    monkeypatch.setattr(simulated, "SIMULATOR_VERSION", simulated.SIMULATOR_VERSION + 1)
    assert simulated.list_recordings(30).digest() != digest


def test_no_recording_is_refused() -> None:
    listing = simulated.list_recordings(40, seed=5, name="made")
    hashes = set()
    for listed in listing.recordings:
        outcome = process(listed, listing.read, listing.name, Settings())
        assert outcome.line["status"] == "read", outcome.line
        assert outcome.line["flags"] == [0] * len(LEADS)
        (example,) = outcome.examples
        assert example["patient_id"] == listed.about.patient_id
        hashes.add(example["signal_hash"])
    assert len(hashes) == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recordings": 0}, "recordings: expected 1 to 1000000, got 0"),
        ({"recordings": 10**9}, "recordings: expected 1 to 1000000"),
        ({"seed": -1}, "seed: expected 0 to .*, got -1"),
        ({"recordings": 3, "name": "Made up"}, "data set name: expected"),
    ],
)
def test_silly_listings_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulated.list_recordings(**arguments)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a name such as s0_p00012_r1, got 'p3'"):
        simulated.read("p3")
