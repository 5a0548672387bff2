"""The label sets that lie with the data: written with them, and told when they are others."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from made_recordings import made_ecg, write_record

from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.label_order import require_label_set
from coreecg_jax.downstream.protocol import Seal, develop
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.records import schema, stored_label_sets
from coreecg_jax.records.checksums import read_sums
from coreecg_jax.records.databases.catalogue import DATABASES
from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.databases.simulated import LABEL_SETS
from coreecg_jax.records.label_sets import LabelSet, load_label_set
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.prepare import prepare
from coreecg_jax.records.stored_label_sets import LABEL_SETS_FILE, as_text, differences
from coreecg_jax.records.wfdb_files import wfdb_reader

SETTINGS = Settings(schema.Preprocessing(sampling_rate=100.0))
SET = "ptbxl_superclass"
TASK = Task("superclass", SET, train="made:train", test="made:test")


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    about = About("p1", labels=("NORM",), likelihoods=(100.0,))
    rows = []
    for split in ("train", "test"):
        write_record(tmp_path / "source", split, made_ecg(rate=100), 100)
        rows.append(Listed(split, f"{split}.hea", split, about))
    return Listing("made", wfdb_reader(tmp_path / "source"), tuple(rows), label_sets=(SET, "ptbxl_rhythm"))


@pytest.fixture
def folder(listing: Listing, tmp_path: Path) -> Path:
    return prepare(listing, tmp_path / "data", SETTINGS).folder


def rewrite(folder: Path, **changes: Any) -> None:
    """As if the data had been prepared with another version of the label set."""
    path = folder / LABEL_SETS_FILE
    stored = json.loads(path.read_text())
    stored[SET] |= changes
    path.write_text(json.dumps(stored))


def test_the_file_has_version_order_and_digest_and_is_summed(folder: Path) -> None:
    stored = json.loads((folder / LABEL_SETS_FILE).read_text())
    assert list(stored) == [SET, "ptbxl_rhythm"]
    assert stored[SET]["classes"] == ["NORM", "MI", "STTC", "CD", "HYP"]
    assert stored[SET]["version"] == "1.0.1"
    assert re.fullmatch(r"[0-9a-f]{16}", stored[SET]["digest"])
    assert stored[SET]["digest"] != stored["ptbxl_rhythm"]["digest"]
    assert LABEL_SETS_FILE in read_sums(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "0.9"}, "version was 0.9, is 1.0.1"),
        (
            {"classes": ["MI", "NORM", "STTC", "CD", "HYP"]},
            "the order of classes changed: it was MI, NORM, STTC, CD, HYP; it is NORM, MI, STTC, CD, HYP",
        ),
        ({"classes": ["NORM", "MI", "STTC", "CD", "OTHER"]}, "classes HYP, OTHER changed: it was NORM, MI,"),
        ({"digest": "0" * 16}, "codes of its classes changed (digest 0000000000000000, now "),
    ],
)
def test_another_label_set_is_refused_by_evaluation_and_told_by_prepare(
    folder: Path, listing: Listing, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    require_label_set(tmp_path / "data", TASK)
    seal = Seal(tmp_path / "openings.jsonl", {})
    rewrite(folder, **changes)
    with pytest.raises(ValueError, match=rf"label set {SET}: expected that of .*{re.escape(words)}"):
        develop(TASK, tmp_path / "data", lambda preprocessing: {}, Subset(), seal)
    with pytest.raises(schema.OtherSettings, match=rf"label set {SET}: {re.escape(words)}"):
        prepare(listing, tmp_path / "data", SETTINGS)
    other = dataclasses.replace(TASK, label_set="ptbxl_rhythm")
    require_label_set(tmp_path / "data", other)  # the one that did not change
    prepare(listing, tmp_path / "data", SETTINGS, overwrite=True)
    require_label_set(tmp_path / "data", TASK)


def test_data_without_the_file_or_of_other_databases_are_accepted(
    folder: Path, listing: Listing, tmp_path: Path
) -> None:
    require_label_set(tmp_path / "data", dataclasses.replace(TASK, label_set="shared_findings"))
    rewrite(folder, version="0.9")
    require_label_set(tmp_path / "data", dataclasses.replace(TASK, label_set="codes"))
    (folder / LABEL_SETS_FILE).unlink()
    require_label_set(tmp_path / "data", TASK)
    assert prepare(listing, tmp_path / "data", SETTINGS).was_there


@pytest.mark.parametrize(
    "text", ["", "[]", '{"ptbxl_superclass": {"version": "1"}}', '{"ptbxl_superclass": 3}']
)
def test_a_damaged_file_is_told(folder: Path, tmp_path: Path, text: str) -> None:
    (folder / LABEL_SETS_FILE).write_text(text)
    with pytest.raises(ValueError, match=rf"{LABEL_SETS_FILE}: expected label sets by name"):
        require_label_set(tmp_path / "data", TASK)


def test_the_digest_is_of_order_and_codes_and_not_of_counts() -> None:
    known = load_label_set(SET)
    changed = {
        "classes": known.classes[::-1],
        "code_to_class": {**known.code_to_class, "NEW": ("MI",)},
        "complete": True,
    }
    digests = {dataclasses.replace(known, **{name: value}).digest() for name, value in changed.items()}
    assert len(digests | {known.digest()}) == 4
    assert dataclasses.replace(known, records={}, source="").digest() == known.digest()


def test_every_database_hands_its_label_sets_on(tmp_path: Path, real_ecg: Path) -> None:
    for name in ("ptbxl", "chapman_ningbo", "cpsc2018", "cpsc2018_extra", "ptbdb", "ludb"):
        assert DATABASES[name].list_recordings(real_ecg / name).label_sets == DATABASES[name].label_sets
    for names in (LABEL_SETS, *(one.label_sets for one in DATABASES.values())):
        for name, stored in json.loads(as_text(names)).items():
            known: LabelSet = load_label_set(name)
            assert (stored["version"], tuple(stored["classes"])) == (known.version, known.classes)
            (tmp_path / stored_label_sets.LABEL_SETS_FILE).write_text(as_text(names))
            assert differences(tmp_path, known) == []
