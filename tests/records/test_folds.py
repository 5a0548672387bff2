"""Folds by patient: nobody is divided, nothing hangs on the order, and what has labels is spread evenly."""

import collections
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_databases import listed, write_table
from made_recordings import made_ecg, write_record

from configs import mimic_s
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.records import schema
from coreecg_jax.records.databases import folder, simulated, wfdb_folder
from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.folds import in_folds
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.prepare import prepare

SETTINGS = Settings(schema.Preprocessing(sampling_rate=100.0))

# Recordings as (patient, labels): few patients, so that some have several, and some are not known.
RECORDINGS = st.lists(
    st.tuples(st.none() | st.integers(0, 30).map(str), st.sets(st.sampled_from("ABCD"))), min_size=1
)


def made(recordings: list[tuple[str | None, set[str]]]) -> Listing:
    rows = (
        Listed(f"r{number}", f"r{number}", "recordings", About(patient, labels=tuple(sorted(labels))))
        for number, (patient, labels) in enumerate(recordings)
    )
    return Listing("made", simulated.read, tuple(rows))


def fold_of(listing: Listing) -> dict[str, str]:
    return {one.recording_id: one.split for one in listing.recordings}


@settings(deadline=None)
@given(RECORDINGS, st.integers(2, 12), st.integers(0, 3), st.randoms())
def test_patients_are_not_divided_and_order_changes_nothing(recordings, folds, seed, random) -> None:
    listing = made(recordings)
    divided = in_folds(listing, folds, seed)
    assert {dataclasses.replace(one, split="recordings") for one in divided.recordings} == set(
        listing.recordings
    )
    splits = collections.defaultdict(set)
    for one in divided.recordings:
        splits[(one.about and one.about.patient_id) or one.recording_id].add(one.split)
    assert {len(found) for found in splits.values()} == {1}
    assert set().union(*splits.values()) <= {f"fold{number}" for number in range(1, folds + 1)}
    shuffled = random.sample(listing.recordings, len(listing.recordings))
    again = in_folds(dataclasses.replace(listing, recordings=tuple(shuffled)), folds, seed)
    assert fold_of(again) == fold_of(divided)


@settings(deadline=None)
@given(RECORDINGS, st.integers(2, 12), st.integers(0, 3))
def test_each_set_of_labels_is_within_one_of_its_share(recordings, folds, seed) -> None:
    if not any(labels for _, labels in recordings):
        recordings = [*recordings, ("other", {"A"})]
    of_patient: dict[str, set[str]] = collections.defaultdict(set)
    split_of = {}
    for one in in_folds(made(recordings), folds, seed).recordings:
        assert one.about is not None
        patient = one.about.patient_id or one.recording_id
        of_patient[patient] |= set(one.about.labels)
        split_of[patient] = int(one.split.removeprefix("fold"))
    for kind in {frozenset(labels) for labels in of_patient.values()} | {None}:
        members = [split_of[one] for one, labels in of_patient.items() if kind in (None, labels)]
        counts = [members.count(number) for number in range(1, folds + 1)]
        assert max(counts) - min(counts) <= 1  # of this set, and (None) of all patients


def test_folds_are_sorted_and_a_seed_gives_others() -> None:
    listing = made([(str(number), {"A"} if number % 3 else {"B"}) for number in range(300)])
    divided = in_folds(listing, 10)
    assert list(dict.fromkeys(one.split for one in divided.recordings)) == [f"fold{n}" for n in range(1, 11)]
    assert (divided.folds, divided.fold_seed) == (10, 0)
    other = fold_of(in_folds(listing, 10, seed=1))
    same = sum(other[one] == fold for one, fold in fold_of(divided).items())
    assert same < 60  # a tenth by chance


def test_without_labels_a_part_has_the_folds_of_the_whole() -> None:
    whole = made([(str(number), set()) for number in range(200)])
    folds = fold_of(in_folds(whole, 10))
    part = fold_of(in_folds(dataclasses.replace(whole, recordings=whole.recordings[50:70]), 10))
    assert part.items() <= folds.items()
    sizes = collections.Counter(folds.values())
    assert len(sizes) == 10
    assert max(sizes.values()) <= 40


def test_files_are_asked_who_the_patient_is(tmp_path: Path) -> None:
    for number in range(12):
        comments = [f"<subject_id>: {number % 3}"]
        write_record(tmp_path, f"r{number:02}", made_ecg(seconds=0.1), comments=comments)
    (tmp_path / "noise.hea").write_bytes(b"\x00\xff")
    (tmp_path / "ecg.yaml").write_text("sampling_rate: 500\nunit: mV\n")
    (tmp_path / "table.csv").write_text("I,II\n0.1,x\n")  # cannot be read: a patient of its own
    for listing in (wfdb_folder.list_recordings(tmp_path, "made"), folder.list_recordings(tmp_path, "made")):
        splits = fold_of(in_folds(listing, 4, source=tmp_path))
        assert len(splits) == len(listing.recordings)
        for patient in range(3):
            assert len({splits[f"r{number:02}"] for number in range(patient, 12, 3)}) == 1


def test_what_has_splits_or_cannot_be_divided_is_refused(real_ecg: Path) -> None:
    with pytest.raises(ValueError, match=r"--folds: expected 2 or more .*got 1"):
        in_folds(made([("1", set())]), 1)
    with pytest.raises(ValueError, match=r"simulated has splits of its own \(train, .*leave --folds out"):
        in_folds(simulated.list_recordings(40), 10)
    for name, own in (("ptbxl", "fold1, fold2"), ("chapman_ningbo", "chapman, ningbo")):
        with pytest.raises(ValueError, match=rf"{name} has splits of its own \({own}"):
            in_folds(listed(name, real_ecg / name), 10)


def mimic_folder(place: Path, patients: int) -> Path:
    """Each patient with one or two records and one statement of three."""
    rows, reports = [], []
    for number in range(patients):
        for study in range(1 + number % 2):
            ids = {"subject_id": f"{10_000_000 + number}", "study_id": f"4{number:03}{study}"}
            record = f"files/p1000/p{ids['subject_id']}/s{ids['study_id']}/{ids['study_id']}"
            write_record((place / record).parent, ids["study_id"], made_ecg(rate=100, seed=number), 100)
            rows.append(ids | {"path": record})
            statements = {f"report_{place}": "" for place in range(18)}
            reports.append(ids | statements | {"report_0": ("Sinus rhythm", "AF", "LBBB")[number % 3]})
    write_table(place / "record_list.csv", rows)
    write_table(place / "machine_measurements.csv", reports)
    return place


def test_mimic_is_divided_as_its_config_names_it(tmp_path: Path) -> None:
    listing = listed("mimic_iv_ecg", mimic_folder(tmp_path / "source", 24))
    prepared = prepare(in_folds(listing, 10), tmp_path / "data", SETTINGS)
    assert "without a recording" not in prepared.report()
    data = mimic_s.get_config().data
    train = read_recordings(tmp_path / "data", data.train)
    validation = read_recordings(tmp_path / "data", data.validation)
    assert len(train) + len(validation) == len(listing.recordings) == 36
    assert len(set(validation.patient_id)) in (2, 3)
    assert not set(train.patient_id) & set(validation.patient_id)
    assert set(train.fold) == {0}  # ours are not taken for published ones


def test_folds_are_settings_of_the_data_set(tmp_path: Path) -> None:
    write_record(tmp_path / "source", "one", made_ecg(rate=100), 100)
    listing = wfdb_folder.list_recordings(tmp_path / "source", "made")
    prepared = prepare(in_folds(listing, 3), tmp_path, SETTINGS)
    (split,) = prepared.summary["windows_by_split"]
    empty = ", ".join(fold for fold in ("fold1", "fold2", "fold3") if fold != split)
    assert prepared.report().startswith(f"without a recording, so not there as splits: {empty}\nprepared: ")
    assert prepare(in_folds(listing, 3), tmp_path, SETTINGS).was_there
    with pytest.raises(schema.OtherSettings, match=r"\(folds is 3, asked for 0"):
        prepare(listing, tmp_path, SETTINGS)
    with pytest.raises(schema.OtherSettings, match=r"\(fold_seed is 0, asked for 1"):
        prepare(in_folds(listing, 3, 1), tmp_path, SETTINGS)


def test_a_data_set_of_before_there_were_folds_has_none(tmp_path: Path) -> None:
    write_record(tmp_path / "source", "one", made_ecg(rate=100), 100)
    listing = wfdb_folder.list_recordings(tmp_path / "source", "made")
    manifest = prepare(listing, tmp_path, SETTINGS).folder / schema.MANIFEST_FILE
    text = manifest.read_text()
    assert '"folds": 0, "fold_seed": 0, ' in text
    manifest.write_text(text.replace('"folds": 0, "fold_seed": 0, ', ""))
    assert prepare(listing, tmp_path, SETTINGS).was_there
    with pytest.raises(schema.OtherSettings, match="folds is 0, asked for 2"):
        prepare(in_folds(listing, 2), tmp_path, SETTINGS)


def test_files_are_asked_what_a_table_leaves_empty(tmp_path: Path) -> None:
    """A table of labels alone tells nobody's patient: patients stay whole, examples have what both say."""
    for number in range(12):
        comments = [f"patient_id: p{number % 6}", "Age: 60", "Sex: Male", "Dx: 1"]
        write_record(tmp_path, f"r{number:02}", made_ecg(rate=100), 100, comments=comments)
    rows = [{"file": f"r{number:02}.hea", "age": "", "labels": f"L{number}"} for number in range(11)]
    write_table(tmp_path / "recordings.csv", [rows[0] | {"age": "70"}, *rows[1:]])
    divided = in_folds(folder.list_recordings(tmp_path, "made"), 4, source=tmp_path)
    splits = fold_of(divided)
    assert all(splits[f"r{number:02}"] == splits[f"r{number + 6:02}"] for number in range(6))
    first, *_, last = sorted(divided.recordings, key=lambda one: one.recording_id)
    for one, age, labels in ((first, 70.0, ["L0"]), (last, 60.0, ["1"])):
        (example,) = process(one, divided.read, "made", SETTINGS).examples
        told = {key: example[key] for key in ("age", "sex", "labels")}
        assert told == {"age": age, "sex": "M", "labels": labels}
    undivided = folder.list_recordings(tmp_path, "made")
    (example,) = process(undivided.recordings[1], undivided.read, "made", SETTINGS).examples
    assert (example["patient_id"], example["age"], example["labels"]) == ("p1", 60.0, ["L1"])
