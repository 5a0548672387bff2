"""Label sets: exact codes, fixed order, published sizes and counts."""

import collections
import csv
import hashlib
import importlib.resources
from pathlib import Path

import numpy as np
import pytest

from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.label_sets import LabelSet, codes_as_classes, label_matrix, load_label_set
from coreecg_jax.records.wfdb_headers import read_header


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


def test_counts_of_the_challenge_agree_over_its_tables() -> None:
    # dx_mapping_scored.csv: sinus rhythm, atrial fibrillation, first-degree block, LBBB, RBBB, atrial and
    # ventricular beats, ST depression and elevation of CPSC2018.
    cpsc = load_label_set("cpsc2018").records
    assert list(cpsc.values()) == [918, 1221, 722, 236, 1857, 616, 700, 869, 220]
    sources = [load_label_set(name).records for name in ("chapman", "ningbo", "georgia", "cpsc2018")]
    for code, total in load_label_set("cinc2021").records.items():
        assert sum(records.get(code, 0) for records in sources) <= total, code


# Version, digest of classes and codes, first twelve digits of the file's SHA-256. Data and results name a set
# by its version: other codes or classes, and so another digest, need another one; other words do not.
FILES = {
    "ptbxl_all": ("1.0.1", "f57b1397fc5afc21", "b820b813a7ff"),
    "ptbxl_diagnostic": ("1.0.1", "5539886f10beec3b", "eb8a34c6e411"),
    "ptbxl_subclass": ("1.0.1", "047c8fc67a11d7a5", "672d18ccab54"),
    "ptbxl_superclass": ("1.0.1", "0a9fa2cc2bf68f22", "ee36e6ccbe41"),
    "ptbxl_form": ("1.0.1", "d0a1a1329ef32436", "4bd6e12b841f"),
    "ptbxl_rhythm": ("1.0.1", "d3b83dc6a3795bfc", "4a7607faa9b3"),
    "cpsc2018": ("1.0.3", "0f221d3807ba38fd", "5dd43f5b5a07"),
    "cinc2021": ("1.0.3", "bec15391650cb3df", "7f5f9e8e6e86"),
    "chapman": ("1.0.3", "cdaebf1f7aa5aa0a", "968221ea7a76"),
    "ningbo": ("1.0.3", "03e4ac08643c4ab8", "30673cf201a1"),
    "georgia": ("1.0.3", "6bf740c04fe84dcb", "109e28e520d6"),
    "code15": ("1.0.0", "08ad7cbfb4873fa7", "d7280c115f45"),
    "sph": ("1", "35ae902844242aea", "c2cb2bce7fbc"),
    "ludb_rhythm": ("1.0.1", "293977cfbf8794d1", "7e57e582fdaa"),
    "shared_findings": ("1", "9c1b4fea461b731e", "f4d763c91af8"),
    "ludb_findings": ("1.0.1", "263ce07c09c8f51b", "6ccb3d3343f9"),
    "simulated_conditions": ("1", "d8e2f4c6dbc12ccf", "ab4c5a95ba5b"),
}


def test_codes_and_classes_are_changed_with_their_version_only() -> None:
    folder = importlib.resources.files("coreecg_jax.records.labels")
    names = {file.name.removesuffix(".csv") for file in folder.iterdir() if file.name.endswith(".csv")}
    assert names == set(FILES)
    for name, told in FILES.items():
        known, file = load_label_set(name), folder.joinpath(f"{name}.csv").read_bytes()
        assert (known.version, known.digest(), hashlib.sha256(file).hexdigest()[:12]) == told


def test_every_code_has_a_source() -> None:
    folder = importlib.resources.files("coreecg_jax.records.labels")
    for name in FILES:
        text = folder.joinpath(f"{name}.csv").read_text(encoding="utf-8")
        sources = [row["source"] for row in csv.DictReader(text.splitlines())]
        assert all(sources), name
        assert load_label_set(name).source == "; ".join(dict.fromkeys(sources))
    # Of one file codes may stem from several tables: those that the challenge scores, and others.
    mapping = "dx_mapping_{}.csv of physionetchallenges/evaluation-2021"
    assert load_label_set("georgia").source == f"{mapping.format('scored')}; {mapping.format('unscored')}"
    assert load_label_set("cinc2021").source == mapping.format("scored")


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
    (tmp_path / "cpsc2018.csv").write_text("code,class,source\nx,a,s\ny,b,s\nx,c,t\n")
    monkeypatch.setattr(importlib.resources, "files", lambda package: tmp_path)
    several = load_label_set("cpsc2018")
    assert several.classes == ("a", "c", "b")
    assert several.source == "s; t"
    assert label_matrix(several, [["x"], ["y"]]).tolist() == [[True, True, False], [False, False, True]]


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


def as_in_table(code: str) -> str:
    """A finding as a cell of `ludb.csv` has it, in lower case."""
    return code.lower().removeprefix("rhythm: ")


def test_every_ludb_finding_has_a_class(real_ecg: Path) -> None:
    ludb = load_label_set("ludb_findings")
    headers = sorted((real_ecg / "ludb").rglob("*.hea"))
    labels = [parse_comments(read_header(header).comments).labels for header in headers]
    assert {code for codes in labels for code in codes} <= set(ludb.code_to_class)
    here = dict(zip(ludb.classes, label_matrix(ludb, labels).sum(axis=0).tolist()))
    assert (here["sinus rhythm"], here["atrial fibrillation"], here["pacing"]) == (73, 8, 4)
    assert here["left ventricular hypertrophy"] == 56
    # The table covers all 200 recordings, in lower case.
    known = {as_in_table(code) for code in ludb.code_to_class}
    with (real_ecg / "ludb" / "ludb.csv").open(newline="") as file:
        rows = [row[3:] for row in csv.reader(file)][1:]
    counts = collections.Counter(
        finding
        for cells in rows
        for finding in {line.strip().rstrip(".").lower() for cell in cells for line in cell.split("\n")}
        - {""}
    )
    assert set(counts) <= known
    assert {as_in_table(code): count for code, count in ludb.records.items()} == {
        code: counts[code] for code in known
    }


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected one of ptbxl_all, .*_conditions, got 'x'"):
        load_label_set("x")


def test_codes_of_a_data_set_are_classes_where_they_are_neither_rare_nor_everywhere() -> None:
    codes = [["b", "a", "a"], ["b", "a"], ["b"], ["b", "rare"], ["b", "c"], ["b", "c"]]
    known = codes_as_classes(codes, 2)
    assert known.classes == ("a", "c")
    np.testing.assert_array_equal(label_matrix(known, codes)[:, 0], [1, 1, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="at least 3 of 6 recordings with a code have"):
        codes_as_classes(codes, 3)


def test_a_recording_without_a_code_is_no_negative() -> None:
    said = r"got \{'AF': 2\}; a recording without a code \(2 of 4\) is unknown: give negatives a code"
    with pytest.raises(ValueError, match=said):
        codes_as_classes([["AF"], ["AF"], [], []], 2)
    assert codes_as_classes([["AF"], ["AF"], ["none"], ["none"]], 2).classes == ("AF", "none")
