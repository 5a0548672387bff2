"""Databases as their publishers lay them out.

Real files: PTB-XL, Chapman and Ningbo, CPSC2018, CPSC-Extra, PTB (the challenge's edition) and LUDB, where
they are at hand. Files written here in the published layout: MIMIC-IV-ECG, CODE-15%, SPH, Georgia, PTB
(PhysioNet's own edition), INCART, and CPSC2018 of the contest.
"""

import csv
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from made_recordings import LEADS, change, made_ecg, write_record

from coreecg_jax.records.databases import code15, sph
from coreecg_jax.records.databases.catalogue import DATABASES
from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.formats import contest_mat
from coreecg_jax.records.label_sets import load_label_set
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.refusals import RecordingRefused

MIMIC_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")


def listed(name: str, source: Path) -> Listing:
    return DATABASES[name].list_recordings(source)


def read_all(listing: Listing) -> list[dict]:
    """The first example of each recording."""
    outcomes = [process(one, listing.read, listing.name, Settings()) for one in listing.recordings]
    assert [outcome.line for outcome in outcomes if outcome.line["status"] != "read"] == []
    return [outcome.examples[0] for outcome in outcomes]


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


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


def test_mimic_needs_both_tables_and_paths_below(tmp_path: Path) -> None:
    folder = mimic_folder(tmp_path, made_ecg())
    table = folder / "record_list.csv"
    table.write_text(table.read_text().replace("files/p1000", "../files/p1000"))
    with pytest.raises(ValueError, match=r"record_list\.csv: expected path such as"):
        listed("mimic_iv_ecg", folder)
    (folder / "machine_measurements.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"machine_measurements\.csv"):
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


def test_code15_rows_that_are_not_there_or_empty_are_refused(tmp_path: Path) -> None:
    code15_folder(tmp_path, {1: np.zeros((12, 4096)), 2: made_ecg(rate=400)})
    assert code15.read(tmp_path, "exams_part0.hdf5#0").ecg_LT.shape == (12, 0)
    with pytest.raises(RecordingRefused, match=r"expected 'tracings' with 3 axes, .*, row 3"):
        code15.read(tmp_path, "exams_part0.hdf5#3")


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


def test_cpsc2018_takes_labels_of_its_table_where_the_header_has_none(tmp_path: Path) -> None:
    for record, dx in (("A0001", ""), ("A0002", "59118001"), ("A0003", "")):
        write_record(tmp_path, record, comments=["Age: 74", "Sex: Male", f"Dx: {dx}"])
    rows = [
        {"Recording": "A0001", "First_label": "5", "Second_label": "2", "Third_label": ""},
        {"Recording": "A0002", "First_label": "8", "Second_label": "", "Third_label": ""},
    ]
    write_table(tmp_path / "REFERENCE.csv", rows)
    examples = read_all(listed("cpsc2018", tmp_path))
    assert [e["labels"] for e in examples] == [["59118001", "164889003"], ["59118001"], []]
    assert (examples[0]["age"], examples[0]["sex"], examples[0]["patient_id"]) == (
        74.0,
        "M",
        "recording:A0001",
    )
    write_table(tmp_path / "REFERENCE.csv", [rows[0] | {"First_label": "10"}])
    with pytest.raises(ValueError, match="A0001: expected labels 1 to 9, got 10"):
        listed("cpsc2018", tmp_path)


def write_contest(path: Path, ecg: np.ndarray, compressed: bool = True, **fields: object) -> None:
    """As MATLAB would: a struct of one element, text in a char array."""
    path.parent.mkdir(exist_ok=True)
    struct = {"sex": "Female", "age": 61.0, "data": ecg} | fields
    scipy.io.savemat(path, {"ECG": struct}, do_compression=compressed)


@pytest.mark.parametrize("compressed", [True, False])
def test_cpsc2018_of_the_contest_itself(tmp_path: Path, compressed: bool) -> None:
    ecg = made_ecg(seconds=12)
    write_contest(tmp_path / "TrainingSet1" / "A0001.mat", ecg, compressed)
    write_contest(tmp_path / "TrainingSet2" / "A2001.mat", ecg * 0.5, compressed, age=np.nan)
    rows = [{"Recording": "A0001", "First_label": "5", "Second_label": "2", "Third_label": ""}]
    write_table(tmp_path / "REFERENCE.csv", rows)
    listing = listed("cpsc2018", tmp_path)
    assert listing.missing_count == 6_875
    first, second = read_all(listing)
    assert (first["recording_id"], first["labels"]) == ("A0001", ["59118001", "164889003"])
    assert (first["age"], first["sex"], first["patient_id"]) == (61.0, "F", "recording:A0001")
    assert (second["labels"], np.isnan(second["age"])) == ([], True)
    raw = listing.read(listing.recordings[0].file)
    np.testing.assert_array_equal(raw.ecg_LT, ecg)
    assert raw.sampling_rate == 500.0
    counts = np.rint(ecg * 10).astype(np.int8)  # MATLAB stores whole numbers in as few bytes as will do
    write_contest(tmp_path / "TrainingSet1" / "A0001.mat", counts, compressed)
    np.testing.assert_array_equal(listing.read(listing.recordings[0].file).ecg_LT, counts)
    (tmp_path / "REFERENCE.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected REFERENCE\.csv"):
        listed("cpsc2018", tmp_path)


def test_contest_files_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "A0001.mat"

    def refusal() -> str:
        with pytest.raises(RecordingRefused) as caught:
            contest_mat.read_contest_mat(path)
        return caught.value.sentence

    write_contest(path, made_ecg()[:11])
    assert "expected ECG.data of 12 leads x samples, got shape (11, 5000)" in refusal()
    scipy.io.savemat(path, {"val": made_ecg()})
    assert "no struct ECG of sex, age and data (none in the file)" in refusal()
    scipy.io.savemat(path, {"ECG": {"sex": "Male", "data": made_ecg()}})
    assert "'age'" in refusal()
    write_contest(path, made_ecg() + 1j)
    assert "no struct ECG" in refusal()
    write_contest(path, made_ecg(), compressed=False)
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut short" in refusal()
    write_contest(path, np.zeros((12, 100_000)))  # compresses to little
    monkeypatch.setattr(contest_mat, "MAX_BYTES", 1_000_000)
    assert "when decompressed" in refusal()
    path.write_bytes(b"MATLAB 7.3 file, HDF5 in truth".ljust(200))
    assert "expected a MATLAB 5 file" in refusal()
    assert "No such file" in (path.unlink() or refusal())


@pytest.mark.parametrize(
    ("name", "found", "missing"),
    [
        ("ptbxl", 502, 21_335),
        ("chapman_ningbo", 43, 45_109),
        ("cpsc2018", 16, 6_861),
        ("cpsc2018_extra", 19, 3_434),
        ("ptbdb", 7, 509),
        ("ludb", 100, 100),
    ],
)
def test_real_copies_are_listed_with_what_is_missing(
    real_ecg: Path, name: str, found: int, missing: int
) -> None:
    listing = listed(name, real_ecg / name)
    assert (listing.name, len(listing.recordings), listing.missing_count) == (name, found, missing)
    first = listing.read(listing.recordings[0].file)
    assert first.present_L.all()


def test_chapman_and_ningbo_are_splits(real_ecg: Path) -> None:
    listing = listed("chapman_ningbo", real_ecg / "chapman_ningbo")
    splits = {one.recording_id: one.split for one in listing.recordings}
    assert (splits["JS09740"], splits["JS11438"]) == ("chapman", "ningbo")
    assert list(splits.values()).count("chapman") == 5


def test_a_folder_without_the_database_says_so(tmp_path: Path) -> None:
    for name in DATABASES:
        with pytest.raises(FileNotFoundError, match=r"expected .*--source"):
            listed(name, tmp_path)
        with pytest.raises(FileNotFoundError, match=r"expected .*--source"):
            listed(name, tmp_path / "absent")


def test_the_table_of_the_docs_says_what_the_code_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for one in DATABASES.values():
        said = (
            f"{one.title}, {one.release}",
            f"{one.records:,}",
            one.sampling_rate,
            one.labels,
            one.patients,
        )
        assert f"| `{one.name}` | {' | '.join(said)} | {one.folds} | {one.licence} |" in page
        assert all(load_label_set(name).classes for name in one.label_set.split(", ") if name)
