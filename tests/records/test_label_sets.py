"""Label sets: exact codes, fixed order, published counts."""

import ast
import csv
from pathlib import Path

import numpy as np
import pytest

from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.label_sets import codes_as_classes, label_matrix, load_label_set
from coreecg_jax.records.wfdb_headers import read_header


def test_superclasses_agree_with_the_published_statements(real_ecg: Path) -> None:
    superclass = load_label_set("ptbxl_superclass")
    assert superclass.classes == ("NORM", "MI", "STTC", "CD", "HYP")
    with (real_ecg / "ptbxl" / "scp_statements.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["diagnostic"] == "1.0"]
    assert dict(superclass.code_to_class) == {row[""]: (row["diagnostic_class"],) for row in rows}
    assert len(rows) == 44


def test_superclass_counts_of_the_whole_table(real_ecg: Path) -> None:
    with (real_ecg / "ptbxl" / "ptbxl_database.csv").open(newline="") as file:
        codes = [ast.literal_eval(row["scp_codes"]) for row in csv.DictReader(file)]
    matrix = label_matrix(load_label_set("ptbxl_superclass"), [list(code) for code in codes])
    # Table 5 of the PTB-XL paper, of release 1.0.1: 21,837 records.
    assert matrix.shape == (21837, 5)
    assert matrix.sum(axis=0).tolist() == [9528, 5486, 5250, 4907, 2655]
    assert int((~matrix.any(axis=1)).sum()) == 407


def test_codes_match_exactly() -> None:
    superclass = load_label_set("ptbxl_superclass")
    matrix = label_matrix(
        superclass, [["NORM", "SR"], [], ["IMI", "LAFB", "AMI"], ["norm", "NORM "], ["NST_"]]
    )
    expected = [[1, 0, 0, 0, 0], [0] * 5, [0, 1, 0, 1, 0], [0] * 5, [0, 0, 1, 0, 0]]
    np.testing.assert_array_equal(matrix, np.array(expected, bool))


def test_likelihoods() -> None:
    superclass = load_label_set("ptbxl_superclass")
    labels, likelihoods = [["NORM", "IMI", "LVH"]], [[80.0, 0.0, float("nan")]]
    assert label_matrix(superclass, labels, likelihoods).tolist() == [[True, True, False, False, True]]
    counted = label_matrix(superclass, labels, likelihoods, min_likelihood=50.0)
    assert counted.tolist() == [[True, False, False, False, True]]
    with pytest.raises(ValueError, match="expected likelihoods, got none"):
        label_matrix(superclass, labels, min_likelihood=50.0)
    with pytest.raises(ValueError, match="expected 3 likelihoods, got 1"):
        label_matrix(superclass, labels, [[80.0]])


def test_every_ludb_finding_has_a_class(real_ecg: Path) -> None:
    ludb = load_label_set("ludb_findings")
    headers = sorted((real_ecg / "ludb").rglob("*.hea"))
    labels = [parse_comments(read_header(header).comments).labels for header in headers]
    assert {code for codes in labels for code in codes} <= set(ludb.code_to_class)
    counts = dict(zip(ludb.classes, label_matrix(ludb, labels).sum(axis=0).tolist()))
    assert (counts["sinus rhythm"], counts["atrial fibrillation"], counts["pacing"]) == (73, 8, 4)
    assert counts["left ventricular hypertrophy"] == 56
    # The table covers all 200 recordings, in lower case.
    known = {code.lower().removeprefix("rhythm: ") for code in ludb.code_to_class}
    with (real_ecg / "ludb" / "ludb.csv").open(newline="") as file:
        cells = [cell for row in list(csv.reader(file))[1:] for cell in row[3:]]
    findings = {line.strip().rstrip(".").lower() for cell in cells for line in cell.split("\n")} - {""}
    assert findings <= known


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected one of ptbxl_superclass, .*_conditions, got 'x'"):
        load_label_set("x")


def test_codes_of_a_data_set_are_classes_where_they_are_neither_rare_nor_everywhere() -> None:
    codes = [["b", "a", "a"], ["b", "a"], ["b"], ["b", "rare"], ["b", "c"], ["b", "c"]]
    known = codes_as_classes(codes, 2)
    assert known.classes == ("a", "c")
    np.testing.assert_array_equal(label_matrix(known, codes)[:, 0], [1, 1, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="at least 3 of 6 recordings have"):
        codes_as_classes(codes, 3)
