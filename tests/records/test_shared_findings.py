"""Findings of both vocabularies: each is said in both, and counted as the challenge counts."""

import collections
from pathlib import Path

import numpy as np

from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.label_sets import label_matrix, load_label_set
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
