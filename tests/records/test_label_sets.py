"""Label sets: exact codes, fixed order, published counts."""

import ast
import collections
import csv
import importlib.resources
from pathlib import Path

import numpy as np
import pytest

from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.label_sets import LabelSet, codes_as_classes, label_matrix, load_label_set
from coreecg_jax.records.wfdb_headers import read_header

# SNOMED CT code -> records of PTB-XL (release 1.0.1) that the PhysioNet challenge 2021 gives it by its own
# mapping of SCP codes: dx_mapping_scored.csv, dx_mapping_unscored.csv of physionetchallenges/evaluation-2021.
# The classes in which we differ from it are not here: docs/data.md says why.
_CHALLENGE_COUNTS = {
    "164889003": 1514,
    "164890007": 73,
    "713427006": 542,
    "164909002": 536,
    "270492004": 797,
    "195042002": 14,
    "27885002": 16,
    "164947007": 340,
    "713426002": 1118,
    "251120003": 77,
    "445118002": 1626,
    "445211001": 177,
    "698252002": 789,
    "74390002": 80,
    "284470004": 398,
    "10370003": 296,
    "111975006": 118,
    "164917005": 548,
    "427393009": 772,
    "426177001": 637,
    "427084000": 826,
    "164934002": 2345,
    "59931005": 294,
    "251146004": 182,
    "89792004": 126,
    "67741000119109": 427,
    "446358003": 99,
}


@pytest.fixture(scope="module")
def ptbxl_table(real_ecg: Path) -> list[tuple[int, dict[str, float]]]:
    """Fold, and SCP codes with likelihoods, of each record of the whole PTB-XL table."""
    with (real_ecg / "ptbxl" / "ptbxl_database.csv").open(newline="") as file:
        return [(int(row["strat_fold"]), ast.literal_eval(row["scp_codes"])) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def ptbxl_codes(ptbxl_table: list[tuple[int, dict[str, float]]]) -> list[list[str]]:
    """The SCP codes of each record."""
    return [list(codes) for _, codes in ptbxl_table]


def test_superclasses_agree_with_the_published_statements(real_ecg: Path) -> None:
    superclass = load_label_set("ptbxl_superclass")
    assert superclass.classes == ("NORM", "MI", "STTC", "CD", "HYP")
    with (real_ecg / "ptbxl" / "scp_statements.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["diagnostic"] == "1.0"]
    assert dict(superclass.code_to_class) == {row[""]: (row["diagnostic_class"],) for row in rows}
    assert len(rows) == 44


@pytest.mark.parametrize(
    ("name", "codes", "classes"),
    [  # Strodthoff et al. 2020, table I; CPSC2018 has nine classes
        ("ptbxl_all", 71, 71),
        ("ptbxl_diagnostic", 44, 44),
        ("ptbxl_subclass", 44, 23),
        ("ptbxl_superclass", 44, 5),
        ("ptbxl_form", 19, 19),
        ("ptbxl_rhythm", 12, 12),
        ("cpsc2018", 9, 9),
        ("cinc2021", 30, 26),  # Reyna et al. 2021: 26 classes, four of two codes
        ("code15", 6, 6),
        ("sph", 117, 117),  # Mason et al. 2007, table 1: every primary statement
    ],
)
def test_sizes_of_published_sets(name: str, codes: int, classes: int) -> None:
    label_set = load_label_set(name)
    assert len(label_set.code_to_class) == codes
    assert len(label_set.classes) == len(set(label_set.classes)) == classes
    assert {c for names in label_set.code_to_class.values() for c in names} == set(label_set.classes)


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


def test_the_challenge_scores_26_classes_of_30_codes() -> None:
    cinc = load_label_set("cinc2021")
    assert cinc.classes[:3] == ("AF", "AFL", "BBB")
    codes_of = collections.Counter(cinc.code_to_class.values())
    assert {names for names, codes in codes_of.items() if codes == 2} == {
        (name,) for name in ("RBBB", "LBBB", "PAC", "PVC")
    }
    # Totals of dx_mapping_scored.csv over the seven sources, by code.
    counts = [cinc.records[code] for code in ("426783006", "713427006", "59118001")]
    assert counts == [28971, 1779, 3051]
    for name, codes, most in (("chapman", 54, 3889), ("ningbo", 80, 12670), ("georgia", 67, 2306)):
        one = load_label_set(name)
        assert (len(one.classes), len(one.code_to_class), max(one.records.values())) == (codes, codes, most)


def test_ludb_rhythms_count_as_in_its_table(real_ecg: Path) -> None:
    rhythm = load_label_set("ludb_rhythm")
    with (real_ecg / "ludb" / "ludb.csv").open(newline="") as file:
        cells = [row["Rhythms"] for row in csv.DictReader(file)]
    found = collections.Counter(line.strip() for cell in cells for line in cell.split("\n") if line.strip())
    assert {code.removeprefix("Rhythm: "): count for code, count in rhythm.records.items()} == dict(found)
    headers = sorted((real_ecg / "ludb").rglob("*.hea"))
    matrix = label_matrix(rhythm, [parse_comments(read_header(header).comments).labels for header in headers])
    assert matrix.any(axis=1).all()
    assert dict(zip(rhythm.classes, matrix.sum(axis=0).tolist()))["atrial fibrillation"] == 8


def test_in_a_complete_set_a_recording_without_any_class_is_a_negative() -> None:
    assert load_label_set("code15").complete
    assert not load_label_set("ptbxl_form").complete
    assert label_matrix(load_label_set("code15"), [["normal_ecg"], ["AF"]]).sum(axis=1).tolist() == [0, 1]


def test_a_statement_of_sph_is_its_class_whatever_modifies_it() -> None:
    sph = load_label_set("sph")
    matrix = label_matrix(sph, [["60", "310", "147"], ["1"], ["310", "346"]])
    found = [[one for one, there in zip(sph.classes, row) if there] for row in matrix]
    assert found == [["ventricular premature complex(es)", "T-wave abnormality"], ["normal ECG"], []]


def test_shared_findings_are_said_in_both_vocabularies() -> None:
    shared = load_label_set("shared_findings")
    vocabularies = collections.defaultdict(set)
    for code, names in shared.code_to_class.items():
        for name in names:
            vocabularies[name].add("SNOMED CT" if len(code) >= 8 and code.isdigit() else "SCP")
    assert set(vocabularies) == set(shared.classes)
    assert all(said == {"SNOMED CT", "SCP"} for said in vocabularies.values())
    scp = {code for code in shared.code_to_class if not code.isdigit()}
    assert scp <= set(load_label_set("ptbxl_all").classes)


def test_the_challenge_s_equivalent_codes_share_a_class() -> None:
    shared = load_label_set("shared_findings").code_to_class
    # Notes of dx_mapping_scored.csv in github.com/physionetchallenges/evaluation-2021.
    for one, other in (
        ("713427006", "59118001"),
        ("733534002", "164909002"),
        ("284470004", "63593006"),
        ("427172004", "17338001"),
    ):
        assert shared[one] == shared[other]


def test_shared_findings_count_as_the_challenge_counts_ptbxl(ptbxl_codes: list[list[str]]) -> None:
    shared = load_label_set("shared_findings")
    counts = dict(zip(shared.classes, label_matrix(shared, ptbxl_codes).sum(axis=0).tolist()))
    snomed = [code for code in shared.code_to_class if code.isdigit()]
    for code, count in _CHALLENGE_COUNTS.items():
        assert code in snomed
        (name,) = shared.code_to_class[code]
        assert counts[name] == count, name


def test_every_shared_finding_matches_exactly() -> None:
    shared = load_label_set("shared_findings")
    cpsc = load_label_set("cpsc2018")
    for label_set in (shared, cpsc):
        codes = list(label_set.code_to_class)
        matrix = label_matrix(label_set, [[code] for code in codes])
        assert (matrix.sum(axis=1) == 1).all()
        # No code is found within another, as 'AF' would be in 'AFIB' and 'PAC' in 'PACE'.
        pieces = [[code[:-1], code + "1", f" {code}", f"{code},{codes[0]}"] for code in codes]
        other = [[piece for piece in row if piece not in codes] for row in pieces]
        assert not label_matrix(label_set, other).any()
    assert label_matrix(shared, [["PACE"]])[0, shared.classes.index("premature atrial complex")] == 0
    assert label_matrix(shared, [["PACE"]])[0, shared.classes.index("pacing")] == 1


def test_af_is_not_found_in_afib() -> None:
    short = LabelSet("short", ("AF", "AFIB"), {"AF": ("AF",), "AFIB": ("AFIB",)}, "", "")
    assert label_matrix(short, [["AFIB"], ["AF"], ["AFLT"]]).tolist() == [
        [False, True],
        [True, False],
        [False, False],
    ]


def test_a_code_of_several_rows_has_all_their_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpsc2018.csv").write_text("code,class,meaning\nx,a,\ny,b,\nx,c,\n")
    monkeypatch.setattr(importlib.resources, "files", lambda package: tmp_path)
    several = load_label_set("cpsc2018")
    assert several.classes == ("a", "c", "b")
    assert label_matrix(several, [["x"], ["y"]]).tolist() == [[True, True, False], [False, False, True]]


def test_headers_of_the_challenge_have_shared_findings(real_ecg: Path) -> None:
    shared = load_label_set("shared_findings")
    seen = {}
    for folder in ("chapman_ningbo", "cpsc2018", "cpsc2018_extra"):
        headers = sorted((real_ecg / folder).rglob("*.hea"))
        labels = [parse_comments(read_header(header).comments).labels for header in headers]
        matrix = label_matrix(shared, labels)
        seen[folder] = dict(zip(shared.classes, matrix.sum(axis=0).tolist()))
        # What is counted is what stands there: the header's text, split by hand.
        texts = [header.read_text().partition("Dx:")[2].partition("\n")[0].split(",") for header in headers]
        rhythm = [any(code.strip() in ("713427006", "59118001") for code in text) for text in texts]
        np.testing.assert_array_equal(matrix[:, shared.classes.index("right bundle branch block")], rhythm)
    assert seen["chapman_ningbo"]["sinus bradycardia"] >= 10
    assert seen["cpsc2018"]["right bundle branch block"] >= 2
    assert seen["cpsc2018_extra"]["myocardial infarction"] >= 5


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
    with pytest.raises(ValueError, match=r"expected one of ptbxl_all, .*_conditions, got 'x'"):
        load_label_set("x")


def test_codes_of_a_data_set_are_classes_where_they_are_neither_rare_nor_everywhere() -> None:
    codes = [["b", "a", "a"], ["b", "a"], ["b"], ["b", "rare"], ["b", "c"], ["b", "c"]]
    known = codes_as_classes(codes, 2)
    assert known.classes == ("a", "c")
    np.testing.assert_array_equal(label_matrix(known, codes)[:, 0], [1, 1, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="at least 3 of 6 recordings have"):
        codes_as_classes(codes, 3)
