"""Databases as their publishers lay them out.

Written here in the published layout: MIMIC-IV-ECG, CODE-15%, SPH, Georgia, PTB (PhysioNet's own edition) and
INCART. `test_contest_recordings` has CPSC2018, `test_database_catalogue` the real files that are at hand.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_databases import listed, read_all, write_table
from made_recordings import LEADS, change, made_ecg, write_record

from coreecg_jax.records.databases import code15, sph
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.refusals import RecordingRefused

MIMIC_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")


def mimic_folder(folder: Path, ecg: np.ndarray) -> Path:
    """Two records of one patient in the table, of which one is there."""
    record = "files/p1000/p10000032/s40689238/40689238"
    write_record(
        (folder / record).parent,
        "40689238",
        ecg,
        names=MIMIC_LEADS,
        gains=200,
        comments=["<subject_id>: 10000032"],
    )
    one = {
        "subject_id": "10000032",
        "study_id": "40689238",
        "ecg_time": "2180-07-23 08:44:00",
        "path": record,
    }
    other = one | {"study_id": "44458630", "path": "files/p1000/p10000032/s44458630/44458630"}
    write_table(folder / "record_list.csv", [one, other])
    reports = {f"report_{number}": "" for number in range(18)}
    reports |= {"report_0": "Sinus rhythm", "report_2": "Borderline ECG"}  # an empty one between
    write_table(
        folder / "machine_measurements.csv", [{"subject_id": "10000032", "study_id": "40689238"} | reports]
    )
    return folder


def test_mimic_has_patients_and_statements_and_leads_by_name(tmp_path: Path) -> None:
    ecg = made_ecg()
    listing = listed("mimic_iv_ecg", mimic_folder(tmp_path, ecg))
    assert (listing.name, listing.missing) == ("mimic_iv_ecg", ("44458630",))
    (example,) = read_all(listing)
    assert (example["recording_id"], example["patient_id"]) == ("40689238", "10000032")
    assert example["labels"] == ["Sinus rhythm", "Borderline ECG"]
    raw = listing.read(listing.recordings[0].file)
    for name, row in zip(MIMIC_LEADS, ecg):  # aVF before aVL in the file
        np.testing.assert_allclose(raw.ecg_LT[LEADS.index(name)], row, atol=2.6e-3)


def test_mimic_without_its_reports_has_no_labels_and_a_note(tmp_path: Path) -> None:
    folder = mimic_folder(tmp_path, made_ecg())
    assert listed("mimic_iv_ecg", folder).note == ""
    (folder / "machine_measurements.csv").unlink()
    listing = listed("mimic_iv_ecg", folder)
    assert listing.note == f"machine_measurements.csv is not in {folder}: the recordings have no labels"
    (example,) = read_all(listing)
    assert (example["patient_id"], example["labels"], example["likelihoods"]) == ("10000032", [], [])


def test_mimic_needs_its_list_and_paths_below(tmp_path: Path) -> None:
    folder = mimic_folder(tmp_path, made_ecg())
    table = folder / "record_list.csv"
    table.write_text(table.read_text().replace("files/p1000", "../files/p1000"))
    with pytest.raises(ValueError, match=r"record_list\.csv: expected path such as"):
        listed("mimic_iv_ecg", folder)
    table.unlink()
    with pytest.raises(FileNotFoundError, match=r"record_list\.csv"):
        listed("mimic_iv_ecg", folder)


def code15_folder(folder: Path, ecgs: dict[int, np.ndarray]) -> Path:
    """Part 0 with these exams, centred in 4096 samples of zeros, and a last row that is no exam."""
    h5py = pytest.importorskip("h5py")
    tracings = np.zeros((len(ecgs) + 1, 4096, 12), np.float32)
    for row, ecg in enumerate(ecgs.values()):
        before = (4096 - ecg.shape[1]) // 2
        tracings[row, before : before + ecg.shape[1]] = ecg.T
    with h5py.File(folder / "exams_part0.hdf5", "w") as file:
        file["exam_id"] = np.array([*ecgs, 0])
        file["tracings"] = tracings
    exams = [(exam, "exams_part0.hdf5") for exam in ecgs] + [
        (99, "exams_part7.hdf5"),
        (98, "exams_part0.hdf5"),
    ]
    flags = dict.fromkeys(("1dAVb", "RBBB", "LBBB", "SB", "ST", "AF"), "False") | {"normal_ecg": "True"}
    about = {"age": "61", "is_male": "False", "nn_predicted_age": "60.1", "patient_id": "7"}
    rows = [{"exam_id": str(exam), "trace_file": part} | about | flags for exam, part in exams]
    rows[0] |= {"1dAVb": "True", "AF": "True", "normal_ecg": "False", "is_male": "True"}
    write_table(folder / "exams.csv", rows)
    return folder


def test_code15_zeros_around_a_recording_are_cut_not_squeezed(tmp_path: Path) -> None:
    seven, ten = made_ecg(seconds=2934 / 400, rate=400), made_ecg(seconds=10.24, rate=400, seed=1)
    seven[:, 100] = 0.0  # zeros within are signal
    seven[3, :50] = 0.0  # one lead alone is not padding
    listing = listed("code15", code15_folder(tmp_path, {1238362: seven, 1594286: ten}))
    assert listing.missing == ("99", "98")
    raws = [listing.read(one.file) for one in listing.recordings]
    assert [raw.ecg_LT.shape for raw in raws] == [(12, 2934), (12, 4096)]
    assert {raw.sampling_rate for raw in raws} == {400.0}
    np.testing.assert_allclose(raws[0].ecg_LT, seven, rtol=1e-6)
    examples = read_all(listing)
    assert [example["labels"] for example in examples] == [["1dAVb", "AF"], ["normal_ecg"]]
    assert [(e["patient_id"], e["sex"], e["age"]) for e in examples] == [("7", "M", 61.0), ("7", "F", 61.0)]
    assert [example["length"] for example in examples] == [1834, 2500]


def test_code15_of_a_broken_part_every_exam_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    code15_folder(tmp_path, {1: made_ecg(rate=400), 2: made_ecg(rate=400)})
    part = (tmp_path / "exams_part0.hdf5").read_bytes()
    (tmp_path / "exams_part7.hdf5").write_bytes(part[: len(part) // 2])
    listing = listed("code15", tmp_path)
    assert [one.file for one in listing.recordings] == [
        "exams_part0.hdf5#0",
        "exams_part0.hdf5#1",
        "exams_part7.hdf5#unknown",
    ]
    assert listing.missing == ("98",)
    lines = [process(one, listing.read, "code15", Settings()).line for one in listing.recordings]
    assert [(line["recording_id"], line["status"]) for line in lines] == [
        ("1", "read"),
        ("2", "read"),
        ("99", "refused"),
    ]
    assert lines[2]["reason"] == "unreadable"
    assert "exams_part7.hdf5: OSError" in lines[2]["sentence"]
    (tmp_path / "exams_part7.hdf5").write_bytes(part)  # whole again, but its rows were not known
    with pytest.raises(RecordingRefused, match="could not be read when the exams were listed"):
        listing.read("exams_part7.hdf5#unknown")


def test_code15_rows_that_are_not_there_or_empty_are_refused(tmp_path: Path) -> None:
    code15_folder(tmp_path, {1: np.zeros((12, 4096)), 2: made_ecg(rate=400)})
    assert code15.read(tmp_path, "exams_part0.hdf5#0").ecg_LT.shape == (12, 0)
    with pytest.raises(RecordingRefused, match=r"expected 'tracings' with 3 axes, .*, row 3"):
        code15.read(tmp_path, "exams_part0.hdf5#3")


def test_code15_as_the_challenge_of_2025_converts_it_is_the_same(tmp_path: Path) -> None:
    ecgs = {1238362: made_ecg(seconds=2934 / 400, rate=400), 1594286: made_ecg(rate=400, seed=1)}
    published = listed("code15", code15_folder(tmp_path, ecgs))
    records, zeros = tmp_path / "records", np.zeros((12, 50))
    write_record(records / "part0", "1238362", np.hstack([zeros, ecgs[1238362], zeros]), 400)
    write_record(records, "code_15_1594286", ecgs[1594286], 400, comments=["Age: 7", "Sex: Male"])
    write_record(records, "1", rate=400)  # an exam that the table does not name
    with pytest.raises(FileNotFoundError, match=r"expected exams\.csv .* WFDB records .*--database=folder"):
        listed("code15", records)
    (tmp_path / "exams.csv").rename(records / "exams.csv")
    converted = listed("code15", records)
    assert converted.contents() == published.contents()
    assert (converted.digest(), converted.missing) == (published.digest(), published.missing)
    assert [one.file for one in converted.recordings] == ["part0/1238362.hea", "code_15_1594286.hea"]
    for one, other, ecg in zip(converted.recordings, published.recordings, ecgs.values()):
        raw = converted.read(one.file)
        assert (raw.ecg_LT.shape, raw.sampling_rate) == (ecg.shape, 400.0)
        np.testing.assert_allclose(raw.ecg_LT, published.read(other.file).ecg_LT, atol=5.1e-4)
    write_record(records, "1238362", rate=400)
    with pytest.raises(ValueError, match=r"1238362 is in 1238362\.hea and part0/1238362\.hea"):
        listed("code15", records)


def test_real_records_of_code15_with_their_table(tmp_path: Path, real_ecg: Path) -> None:
    for path in (real_ecg / "code15").glob("code_15_*"):
        shutil.copy(path, tmp_path)
    shutil.copy(real_ecg / "code15" / "meta.csv", tmp_path / "exams.csv")  # has the columns of exams.csv
    listing = listed("code15", tmp_path)
    assert len(listing.recordings) == 8
    examples = {example["recording_id"]: example for example in read_all(listing)}
    known = examples["438277"]
    assert (known["patient_id"], known["labels"], known["age"], known["sex"]) == (
        "185323",
        ["1dAVb"],
        46.0,
        "M",
    )
    assert {example["length"] for example in examples.values()} == {1834, 2500}


def test_sph_statements_and_modifiers_are_labels(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "records").mkdir()
    with h5py.File(tmp_path / "records" / "A00001.h5", "w") as file:
        file["ecg"] = made_ecg().astype(np.float16)
    row = {"ECG_ID": "A00001", "AHA_Code": "60+310;147", "Patient_ID": "S00001", "Age": "55", "Sex": "M"}
    row |= {"N": "5000", "Date": "2020-03-04"}
    write_table(tmp_path / "metadata.csv", [row, row | {"ECG_ID": "A00002"}])
    listing = listed("sph", tmp_path)
    assert listing.missing == ("A00002",)
    (example,) = read_all(listing)
    assert example["labels"] == ["60", "310", "147"]
    assert (example["patient_id"], example["age"], example["sex"]) == ("S00001", 55.0, "M")
    with h5py.File(tmp_path / "records" / "A00001.h5", "w") as file:
        file["ecg"] = made_ecg().T
    with pytest.raises(RecordingRefused, match="12 leads x samples"):
        sph.read(tmp_path, "records/A00001.h5")


def test_ptb_says_by_its_folders_who_the_patient_is(tmp_path: Path) -> None:
    names = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
    comments = [
        "age: 81",
        "sex: female",
        "Diagnose:",
        "Reason for admission: Myocardial infarction",
        "Smoker: no",
    ]
    for record in ("patient001/s0010_re", "patient001/s0014lre", "patient104/s0306lre"):
        write_record(
            tmp_path / Path(record).parent,
            Path(record).name,
            made_ecg(rate=1000),
            gains=2000,
            names=names,
            comments=comments,
            rate=1000,
        )
    change(tmp_path / "patient104" / "s0306lre.hea", "Myocardial infarction", "n/a")
    listing = listed("ptbdb", tmp_path)
    assert listing.missing_count == 546
    examples = read_all(listing)
    assert [e["patient_id"] for e in examples] == ["patient001", "patient001", "patient104"]
    assert [e["labels"] for e in examples] == [["Myocardial infarction"]] * 2 + [[]]
    assert (examples[0]["age"], examples[0]["sex"]) == (81.0, "F")


def test_incart_comments(tmp_path: Path) -> None:
    ecg = made_ecg(seconds=20, rate=257)
    said = ["<age>: 65 <sex>: F <diagnoses> Coronary artery disease, arterial hypertension", "patient 1"]
    write_record(tmp_path, "I01", ecg, 257, gains=306, comments=[*said, "PVCs, noise"])
    write_record(
        tmp_path, "I08", ecg, 257, gains=612, comments=["<age>: 51 <sex>: F ", "patient 4", "bradycardia,  "]
    )
    listing = listed("incart", tmp_path)
    assert listing.missing_count == 73
    examples = read_all(listing)
    assert [(e["patient_id"], e["age"], e["sex"]) for e in examples] == [("1", 65.0, "F"), ("4", 51.0, "F")]
    assert [e["labels"] for e in examples] == [["PVCs", "noise"], ["bradycardia"]]


def test_incart_of_the_challenge_has_codes_and_no_patient(tmp_path: Path) -> None:
    write_record(
        tmp_path, "I0001", made_ecg(20, 257), 257, comments=["Age: 65", "Sex: Female", "Dx: 164884008"]
    )
    listing = listed("incart", tmp_path)
    (example,) = read_all(listing)
    assert (example["patient_id"], example["labels"]) == ("recording:I0001", ["164884008"])
    assert listing.missing_count == 73


def test_georgia_is_found_in_the_groups_of_the_challenge(tmp_path: Path) -> None:
    for group, record in (("g1", "E00001"), ("g2", "E01000")):
        write_record(
            tmp_path / group, record, suffix="mat", comments=["Age: NaN", "Sex: Female", "Dx: 426783006"]
        )
    write_record(tmp_path / "g1", "Q0001")  # another database's
    listing = listed("georgia", tmp_path)
    assert [one.recording_id for one in listing.recordings] == ["E00001", "E01000"]
    assert listing.missing_count == 10_342
    assert [example["labels"] for example in read_all(listing)] == [["426783006"]] * 2
    write_record(tmp_path / "again", "E00001")
    with pytest.raises(ValueError, match=r"E00001 is in again/E00001\.hea and g1/E00001\.hea"):
        listed("georgia", tmp_path)
