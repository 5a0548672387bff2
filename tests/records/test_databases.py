"""What the layouts list, and what header comments say."""

import csv
import math
from pathlib import Path

import pytest
from made_recordings import write_record

from coreecg_jax.records.databases import ptbxl, wfdb_folder
from coreecg_jax.records.databases.header_comments import parse_age, parse_comments
from coreecg_jax.records.wfdb_headers import read_header

ROW = {
    "ecg_id": "1",
    "patient_id": "15709.0",
    "age": "56.0",
    "sex": "1",
    "scp_codes": "{'NORM': 100.0, 'SR': 0.0}",
    "strat_fold": "3",
    "filename_hr": "records500/00000/00001_hr",
}


def ptbxl_folder(folder: Path, rows: list[dict[str, str]], present: tuple[str, ...] = ("00001_hr",)) -> Path:
    """A folder in PTB-XL's layout."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in present:
        write_record(folder / "records500" / "00000", name)
    with (folder / ptbxl.TABLE).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROW))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_ptbxl_lists_what_is_there_and_what_is_missing(tmp_path: Path) -> None:
    rows = [
        ROW | {"ecg_id": "10", "filename_hr": "records500/00000/00010_hr", "sex": "0", "age": "300"},
        ROW | {"ecg_id": "2", "filename_hr": "records500/00000/00002_hr"},
        ROW,
    ]
    listing = ptbxl.list_recordings(ptbxl_folder(tmp_path, rows, ("00001_hr", "00010_hr")))
    assert [recording.recording_id for recording in listing.recordings] == ["1", "10"]
    assert listing.missing == ("2",)
    first, last = (recording.about for recording in listing.recordings)
    assert first is not None
    assert last is not None
    assert (first.patient_id, first.fold, first.age, first.sex) == ("15709", 3, 56.0, "F")
    assert (first.labels, first.likelihoods) == (("NORM", "SR"), (100.0, 0.0))
    assert (last.sex, last.age) == ("M", 90.0)
    assert {recording.split for recording in listing.recordings} == {"fold3"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("scp_codes", "__import__('os').getcwd()", "ecg_id 1"),
        ("scp_codes", "['NORM']", "ecg_id 1: expected scp_codes such as"),
        ("scp_codes", "{'NORM': None}", "ecg_id 1: expected scp_codes such as"),
        ("scp_codes", "{'NORM': 10", "ecg_id 1: expected scp_codes such as"),
        ("scp_codes", "{'NORM': 1000.0}", "likelihoods from 0 to 100"),
        ("scp_codes", "{[1]: 2}", "ecg_id 1: expected scp_codes such as"),
        ("scp_codes", "(" * 9000, "ecg_id 1: expected scp_codes such as"),
        ("scp_codes", "-" * 100_000 + "1", "ecg_id 1: expected scp_codes such as"),
        ("patient_id", "1e400", "ecg_id 1: expected numbers as patient_id, age and strat_fold"),
        ("ecg_id", "one", "expected a whole number as ecg_id, got 'one'"),
        ("filename_hr", "r" * 5000, "expected filename_hr such as"),
        ("strat_fold", "11", "expected strat_fold 1 to 10, got 11"),
        ("filename_hr", "../other/00001_hr", "expected filename_hr such as"),
        ("filename_hr", "/etc/hostname", "expected filename_hr such as"),
    ],
)
def test_a_ptbxl_table_that_cannot_be_read_is_refused(
    tmp_path: Path, field: str, value: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ptbxl.list_recordings(ptbxl_folder(tmp_path, [ROW | {field: value}]))


def test_a_ptbxl_table_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    folder = ptbxl_folder(tmp_path, [ROW, ROW | {"ecg_id": "2"}])
    table = folder / ptbxl.TABLE
    text = table.read_text()
    table.write_text(text[: text.rindex(",3,")])  # the last row ends before its fold
    with pytest.raises(ValueError, match=r"ptbxl_database\.csv, row 3: expected a field in every column"):
        ptbxl.list_recordings(folder)


def test_ptbxl_says_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected ptbxl_database\.csv"):
        ptbxl.list_recordings(tmp_path)
    with pytest.raises(FileNotFoundError, match="records500"):
        ptbxl.list_recordings(ptbxl_folder(tmp_path, [ROW], present=()))
    (tmp_path / ptbxl.TABLE).write_text("ecg_id,age\n1,2\n")
    with pytest.raises(ValueError, match="lacking: patient_id, sex"):
        ptbxl.list_recordings(tmp_path)


def test_the_real_ptbxl_copy_is_listed(real_ecg: Path) -> None:
    listing = ptbxl.list_recordings(real_ecg / "ptbxl")
    assert len(listing.recordings) == 502
    assert len(listing.recordings) + len(listing.missing) == 21837
    assert [r.split for r in listing.recordings][::501] == ["fold1", "fold10"]


def test_a_folder_is_listed_by_relative_paths(tmp_path: Path) -> None:
    for name in ("b/2", "b/10", "a"):
        write_record((tmp_path / name).parent, Path(name).name)
    listing = wfdb_folder.list_recordings(tmp_path, "mine")
    assert [recording.recording_id for recording in listing.recordings] == ["a", "b/10", "b/2"]
    assert [recording.file for recording in listing.recordings] == ["a.hea", "b/10.hea", "b/2.hea"]
    assert listing.name == "mine"
    shorter = wfdb_folder.list_recordings(tmp_path / "b", "mine")
    assert shorter.digest() != listing.digest()


def test_a_folder_without_records_or_with_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is none: check --source"):
        wfdb_folder.list_recordings(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"\*\.hea"):
        wfdb_folder.list_recordings(tmp_path)
    write_record(tmp_path)
    for name in ("../up", "A", "1x", "a-b", "a/b"):
        with pytest.raises(ValueError, match="data set name"):
            wfdb_folder.list_recordings(tmp_path, name)


def test_ludb_comments(real_ecg: Path) -> None:
    about = parse_comments(read_header(real_ecg / "ludb" / "data" / "1.hea").comments)
    assert (about.age, about.sex, about.patient_id) == (51.0, "F", None)
    assert about.labels == (
        "Rhythm: Sinus bradycardia",
        "Electric axis of the heart: left axis deviation",
        "Left ventricular hypertrophy",
        "Left ventricular overload",
        "Non-specific repolarization abnormalities: posterior wall",
    )


def test_challenge_comments() -> None:
    about = parse_comments(["Age: NaN", "Sex: Unknown", "Dx: 1,2,1 ,Unknown", "Rx: Unknown"])
    assert math.isnan(about.age)
    assert (about.sex, about.labels) == ("", ("1", "2"))
    assert len(about.likelihoods) == 2


@pytest.mark.parametrize("comment", ["<subject_id>: 42", "Patient ID: 42", "patient: 42"])
def test_a_header_may_name_the_patient(comment: str) -> None:
    assert parse_comments([comment]).patient_id == "42"
    assert parse_comments(["patient: unknown"]).patient_id is None


def test_ages() -> None:
    assert [parse_age(text) for text in ("51", " 7.5", ">89")] == [51.0, 7.5, 90.0]
    assert all(math.isnan(parse_age(text)) for text in ("", "NaN", "old", "-1", "5000"))
