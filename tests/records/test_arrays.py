"""CSV and NPY with what is said of them."""

from pathlib import Path

import numpy as np
import pytest
from made_formats import (
    ECG_YAML,
    ROW_OF,
    refused,
)
from made_recordings import LEADS, made_ecg

from coreecg_jax.records.formats import limits
from coreecg_jax.records.formats.files import read_recording
from coreecg_jax.records.refusals import Reason


@pytest.mark.parametrize("kind", ["rows", "columns", "float16", "fortran"])
def test_npy_of_either_orientation(tmp_path: Path, kind: str) -> None:
    ecg = made_ecg()
    changed = {
        "rows": ecg,
        "columns": ecg.T,
        "float16": ecg.astype(np.float16),
        "fortran": np.asfortranarray(ecg),
    }
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "sub" / "r.npy", changed[kind])
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\n")
    raw = read_recording(tmp_path / "sub" / "r.npy", tmp_path)
    np.testing.assert_allclose(raw.ecg_LT, ecg, atol=2e-3)
    assert (
        refused(tmp_path / "sub" / "r.npy").reason == Reason.UNREADABLE
    )  # alone, only its own folder counts


def test_counts_with_a_scale(tmp_path: Path) -> None:
    ecg = made_ecg()
    np.save(tmp_path / "r.npy", np.rint(ecg[:2] / 0.00488).astype(np.int16))
    (tmp_path / "r.yaml").write_text("sampling_rate: 500\nmillivolts_per_unit: 0.00488\nleads: [V2, I]\n")
    (tmp_path / "ecg.yaml").write_text("nonsense: true\n")  # the file's own goes before
    raw = read_recording(tmp_path / "r.npy")
    np.testing.assert_allclose(raw.ecg_LT[[ROW_OF["V2"], ROW_OF["I"]]], ecg[:2], atol=2.5e-3)
    assert raw.present_L.sum() == 2


def test_npy_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.npy"
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\n")
    for array in (
        np.zeros((12, 12)),
        np.zeros((5, 600)),
        np.zeros(12),
        np.zeros((12, 9), complex),
        np.zeros((12, 0)),
    ):
        np.save(path, array)
        refused(path)
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    assert "objects" in refused(path).sentence
    np.save(path, np.zeros((12, 5000)))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"5000), }", b"9999999999999), }"))
    refused(path)
    path.write_bytes(raw[:-8])
    refused(path)
    path.write_bytes(raw)
    monkeypatch.setattr(limits, "MAX_VALUES", 1000)
    assert "cut the recording" in refused(path).sentence


@pytest.mark.parametrize(
    ("line", "got"),
    [("I;II\n0,1;0,2\n", "semicolons"), ("0.1;0.2\n", "semicolons"), ("I\tII\n1\t2\n", "tabs")],
)
def test_csv_of_another_separator_is_told(tmp_path: Path, line: str, got: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(line)
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + "leads: [I, II]\n")
    assert refused(path).sentence.startswith(f"r.csv: expected commas between columns, got {got} ")


def test_csv_with_and_without_a_header_line(tmp_path: Path) -> None:
    ecg, path = made_ecg(seconds=2), tmp_path / "r.csv"
    lines = "\n".join(",".join(f"{value:.4f}" for value in row) for row in ecg.T)
    (tmp_path / "ecg.yaml").write_text(ECG_YAML)
    path.write_text(",".join(LEADS) + "\n" + lines)
    np.testing.assert_allclose(read_recording(path).ecg_LT, ecg, atol=5.1e-5)
    path.write_text('"time",' + ",".join(LEADS) + "\n" + "\n".join(f"0,{line}" for line in lines.split("\n")))
    assert read_recording(path).ignored_signals == ("time",)
    path.write_text(lines)
    assert "columns" in refused(path).sentence
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\n")
    np.testing.assert_allclose(read_recording(path).ecg_LT, ecg, atol=5.1e-5)
    path.write_text(",".join(reversed(LEADS)) + "\n" + lines)
    assert "leave one of them out" in refused(path).sentence
    for text in ("", "I,II\n", lines + "\n1,2", lines.replace(",", ";"), "\xff"):
        path.write_text(text, encoding="latin-1")
        refused(path)


NAN = "nan marks a sample that is missing"
CELLS = [
    ("I,II,V1\n1,2,3\n4,,6\n", f"row 3, column 2 (II): expected a number, got an empty cell; {NAN}"),
    ("1,2,3\n\n4,5, \n", f"row 3, column 3 (V1): expected a number, got an empty cell; {NAN}"),
    ("I,II,V1\n1,2,3\n4,5,6,\n", f"row 3, column 4: expected a number, got an empty cell; {NAN}"),
    ("I,II,V1\n1,2,3\n4,n/a,6\n", f"row 3, column 2 (II): expected a number, got 'n/a'; {NAN}"),
    ("1,,3\n4,5,6\n", f"row 1, column 2 (II): expected a number, got an empty cell; {NAN}"),
    ("I,II,V1\n1,2,3\n4,5\n", "row 3: expected 3 cells as in the rows before, got 2"),
]


@pytest.mark.parametrize(("text", "said"), CELLS)
def test_a_cell_that_is_no_number_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + "leads: [I, II, V1]\n")
    (tmp_path / "r.csv").write_text(text)
    assert refused(tmp_path / "r.csv").sentence == f"r.csv: {said}"


def test_names_of_the_header_line_name_the_cell(tmp_path: Path) -> None:
    (tmp_path / "ecg.yaml").write_text(ECG_YAML)
    (tmp_path / "r.csv").write_text("time,aVR\n0,1\n1,\n")
    assert refused(tmp_path / "r.csv").sentence.startswith(
        "r.csv: row 3, column 2 (aVR): expected a number, "
    )


def test_nan_marks_a_sample_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "ecg.yaml").write_text(ECG_YAML)
    (tmp_path / "r.csv").write_text("I,II\n1,2\n3,nan\n")
    raw = read_recording(tmp_path / "r.csv")
    np.testing.assert_array_equal(raw.ecg_LT[:2], [[1.0, 3.0], [2.0, np.nan]])


def test_a_row_without_end_is_not_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "ecg.yaml").write_text(ECG_YAML)
    (tmp_path / "r.csv").write_text("I,II\n" + "1," * (1 << 16))
    assert refused(tmp_path / "r.csv").sentence.startswith("r.csv: ValueError: ")


def test_what_is_no_text_is_refused_without_a_cell(tmp_path: Path) -> None:
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + "leads: [I, II]\n")
    (tmp_path / "r.csv").write_bytes(b"1,2\n3,\xff\n")
    sentence = refused(tmp_path / "r.csv").sentence
    assert sentence.startswith("r.csv: row 2, column 2 (II): expected a number, got ")
