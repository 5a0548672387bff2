"""CPSC2018 with the table of the contest, and in its own MATLAB files; all written here."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from made_databases import listed, read_all, write_table
from made_recordings import made_ecg, write_record

from coreecg_jax.records.formats import contest_mat
from coreecg_jax.records.refusals import RecordingRefused


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
