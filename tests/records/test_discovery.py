"""What data sets a folder holds."""

from pathlib import Path

import numpy as np
import pytest
from made_recordings import LEADS, made_ecg, write_record

from coreecg_jax.records.databases.discovery import discover


def names(folder: Path) -> list[str]:
    return [listing.name for listing in discover(folder)]


def record_in(folder: Path) -> None:
    folder.mkdir(parents=True)
    write_record(folder, ecg=made_ecg())


def test_a_folder_of_recordings_is_one_data_set(tmp_path: Path) -> None:
    record_in(tmp_path / "2024 Ward-3")
    (listing,) = discover(tmp_path / "2024 Ward-3")
    assert listing.name == "ecg_2024_ward_3"
    assert len(listing.recordings) == 1
    assert listing.read(listing.recordings[0].file).ecg_LT.shape[0] == 12


def test_a_folder_of_folders_is_a_data_set_each(tmp_path: Path) -> None:
    for name in ("b", "A/deep"):
        record_in(tmp_path / name)
    (tmp_path / "empty").mkdir()
    assert names(tmp_path) == ["a", "b"]
    for number in range(20):
        record_in(tmp_path / f"p{number}")
    assert len(names(tmp_path)) == 1  # 22 pieces of one


def test_files_of_any_kind_and_their_tables_are_found(tmp_path: Path) -> None:
    described = f"sampling_rate: 500\nunit: mV\nleads: [{', '.join(LEADS)}]\n"
    (tmp_path / "arrays" / "deep").mkdir(parents=True)
    np.save(tmp_path / "arrays" / "deep" / "a.npy", made_ecg())
    (tmp_path / "arrays" / "ecg.yaml").write_text(described)
    (tmp_path / "arrays" / "recordings.csv").write_text("file,patient_id\ndeep/a.npy,p7\n")
    record_in(tmp_path / "ward")
    (tmp_path / "numbers").mkdir()
    np.save(tmp_path / "numbers" / "a.npy", made_ecg())  # nothing describes it
    arrays, ward = discover(tmp_path)
    assert (arrays.name, ward.name) == ("arrays", "ward")
    (one,) = arrays.recordings
    assert one.about is not None
    assert (one.about.patient_id, arrays.read(one.file).ecg_LT.shape) == ("p7", (12, 5000))
    (tmp_path / "ecg.yaml").write_text(described)  # of all below: one data set
    (whole,) = discover(tmp_path)
    assert [one.file for one in whole.recordings] == ["arrays/deep/a.npy", "numbers/a.npy", "ward/rec.hea"]


def test_the_real_folders(real_ecg: Path) -> None:
    found = names(real_ecg)
    assert found == ["chapman_ningbo", "code15", "cpsc2018", "cpsc2018_extra", "ludb", "ptbdb", "ptbxl"]
    assert names(real_ecg / "ptbxl") == ["ptbxl"]


def test_nothing_to_find_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="found none: check the path"):
        discover(tmp_path)
    with pytest.raises(FileNotFoundError, match="is none: check the path"):
        discover(tmp_path / "absent")
    for name in ("ward 3", "ward-3"):
        record_in(tmp_path / name)
    with pytest.raises(ValueError, match=r"give one name \(ward_3\): rename one"):
        discover(tmp_path)
