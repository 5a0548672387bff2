"""PTB-XL's label sets against its own tables."""

import collections
import csv
import importlib.resources
from pathlib import Path

import pytest

from coreecg_jax.records.label_sets import label_matrix, load_label_set


def test_superclasses_agree_with_the_published_statements(real_ecg: Path) -> None:
    superclass = load_label_set("ptbxl_superclass")
    assert superclass.classes == ("NORM", "MI", "STTC", "CD", "HYP")
    with (real_ecg / "ptbxl" / "scp_statements.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["diagnostic"] == "1.0"]
    assert dict(superclass.code_to_class) == {row[""]: (row["diagnostic_class"],) for row in rows}
    assert len(rows) == 44


def test_the_sets_of_ptbxl_agree_with_the_published_statements(real_ecg: Path) -> None:
    with (real_ecg / "ptbxl" / "scp_statements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name, flag, column in (
        ("all", None, ""),
        ("diagnostic", "diagnostic", ""),
        ("subclass", "diagnostic", "diagnostic_subclass"),
        ("form", "form", ""),
        ("rhythm", "rhythm", ""),
    ):
        expected = {row[""]: (row[column],) for row in rows if flag is None or row[flag] == "1.0"}
        assert dict(load_label_set(f"ptbxl_{name}").code_to_class) == expected, name
    files = importlib.resources.files("coreecg_jax.records.labels")
    meanings = {row[""]: row["description"] for row in rows}
    for name in ("all", "diagnostic", "subclass", "superclass", "form", "rhythm"):
        text = files.joinpath(f"ptbxl_{name}.csv").read_text(encoding="utf-8")
        assert all(row["meaning"] == meanings[row["code"]] for row in csv.DictReader(text.splitlines()))


def test_superclass_counts_of_the_whole_table(ptbxl_codes: list[list[str]]) -> None:
    matrix = label_matrix(load_label_set("ptbxl_superclass"), ptbxl_codes)
    # Table 5 of the PTB-XL paper, of release 1.0.1: 21,837 records.
    assert matrix.shape == (21837, 5)
    assert matrix.sum(axis=0).tolist() == [9528, 5486, 5250, 4907, 2655]
    assert int((~matrix.any(axis=1)).sum()) == 407


@pytest.mark.parametrize("name", ["all", "diagnostic", "subclass", "superclass", "form", "rhythm"])
def test_the_counts_of_ptbxl_are_those_of_its_table(
    real_ecg: Path, ptbxl_table: list[tuple[int, dict[str, float]]], name: str
) -> None:
    label_set = load_label_set(f"ptbxl_{name}")
    for code, records in label_set.records.items():
        likely = [codes[code] for _, codes in ptbxl_table if code in codes]
        assert len(likely) == records, code
        assert sum(value > 0 for value in likely) == label_set.above_zero[code], code
    # By fold and class, from the statements' own table: what the matrix gives.
    with (real_ecg / "ptbxl" / "scp_statements.csv").open(newline="") as file:
        statements = {row[""]: row for row in csv.DictReader(file)}
    flag = name if name in ("form", "rhythm") else "diagnostic"
    column = {"subclass": "diagnostic_subclass", "superclass": "diagnostic_class"}.get(name)
    matrix = label_matrix(label_set, [list(codes) for _, codes in ptbxl_table])
    expected: dict[int, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for fold, codes in ptbxl_table:
        asked = [code for code in codes if name == "all" or statements[code][flag]]
        expected[fold].update({statements[code][column] if column else code for code in asked})
    for fold in range(1, 11):
        inside = [one == fold for one, _ in ptbxl_table]
        counts = dict(zip(label_set.classes, matrix[inside].sum(axis=0).tolist()))
        assert counts == {one: expected[fold][one] for one in label_set.classes}


def test_what_a_likelihood_above_zero_leaves() -> None:
    # Diagnostic statements nearly all have a likelihood; those of rhythm and form nearly none.
    for name, most in (("superclass", 0.99), ("rhythm", 0.03), ("form", 0.6)):
        label_set = load_label_set(f"ptbxl_{name}")
        share = sum(label_set.above_zero.values()) / sum(label_set.records.values())
        assert share >= most if name == "superclass" else share <= most
