"""A data set: whole or not there, the same every time, and what went in comes out."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_recordings import LEADS, made_ecg, write_record

from coreecg_jax.records import schema
from coreecg_jax.records.checksums import SUMS
from coreecg_jax.records.databases import wfdb_folder
from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.local_runs import local
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.prepare import Prepared, prepare
from coreecg_jax.records.wfdb_files import wfdb_reader

SETTINGS = Settings(schema.Preprocessing(sampling_rate=100.0))
ABOUT = About("p1", labels=("NORM",), likelihoods=(100.0,), age=50.0, sex="F")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five good recordings (one of 38 s, one twice), three broken ones, and a file that is none."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(3):
        write_record(folder, f"good{number}", made_ecg(seed=number), comments=["Age: 50", "Dx: 1,2"])
    write_record(folder, "long", made_ecg(seconds=38.0))
    write_record(folder, "twin", made_ecg(seed=1))
    write_record(folder / "broken", "short", made_ecg(seconds=3.0))
    write_record(folder / "broken", "few", made_ecg()[:5], names=LEADS[:5])
    (folder / "broken" / "noise.hea").write_bytes(b"\x00\xff")
    (folder / "broken" / "scanned.pdf").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def prepared(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The data set of the source."""
    return prepare(wfdb_folder.list_recordings(source, "made"), tmp_path_factory.mktemp("out"), SETTINGS)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_split(folder: Path, split: str) -> list[dict[str, Any]]:
    import tensorflow_datasets as tfds

    return list(tfds.as_numpy(tfds.builder_from_directory(folder).as_dataset(split=split)))


def test_the_folder_holds_shards_settings_and_manifest(prepared: Prepared) -> None:
    assert prepared.folder.parts[-2:] == ("made", "1.0.0")
    assert set(contents(prepared.folder)) == {
        "made-recordings.tfrecord-00000-of-00001",
        "dataset_info.json",
        "features.json",
        schema.PREPROCESSING_FILE,
        schema.MANIFEST_FILE,
        SUMS,
    }
    text = (prepared.folder / schema.PREPROCESSING_FILE).read_text()
    assert schema.Preprocessing.from_json(text) == SETTINGS.preprocessing
    assert [path.name for path in prepared.folder.parents[1].iterdir()] == ["made"]


def test_one_broken_file_stops_nothing(prepared: Prepared) -> None:
    lines = [json.loads(line) for line in (prepared.folder / schema.MANIFEST_FILE).read_text().splitlines()]
    *recordings, last = lines
    assert last["summary"] == prepared.summary
    statuses = {line["recording_id"]: line.get("reason", line["status"]) for line in recordings}
    assert statuses == {
        "broken/few": "missing_lead",
        "broken/noise": "unreadable",
        "broken/short": "too_short",
        **dict.fromkeys(("good0", "good1", "good2", "long", "twin"), "read"),
    }
    assert [line["file"] for line in recordings] == sorted(line["file"] for line in recordings)
    summary = last["summary"]
    assert (summary["read"], summary["refused"], summary["missing"], summary["windows"]) == (5, 3, 0, 8)
    assert summary["refused_by_reason"] == {"missing_lead": 1, "too_short": 1, "unreadable": 1}
    assert (summary["repeated_signals"], summary["dropped_seconds"]) == (1, 0.0)
    assert summary["windows_by_split"] == {"recordings": 8}


def test_the_first_refused_file_of_each_reason_is_told(source: Path, prepared: Prepared) -> None:
    few, short, noise, where, other, there, counts = prepared.report().splitlines()
    assert few.startswith(
        "refused for missing_lead: 1; the first: broken/few.hea: expected twelve good leads; missing: aVF"
    )
    assert short == "refused for too_short: 1; the first: broken/short.hea: expected at least 7 s, got 3.00 s"
    assert noise.startswith("refused for unreadable: 1; the first: broken/noise.hea: ")
    assert "noise.hea: noise.hea" not in noise
    assert where == f"each refused file and why: {prepared.folder / schema.MANIFEST_FILE}"
    assert other == "files of other kinds, not looked at: .pdf 1"
    assert there == f"prepared: {prepared.folder}"
    assert counts.endswith("refused 3 (missing_lead 1, too_short 1, unreadable 1)")
    again = prepare(wfdb_folder.list_recordings(source, "made"), prepared.folder.parents[1], SETTINGS)
    assert again.report() == (
        prepared.report()
        .replace("prepared: ", "was there already: ")
        .replace(
            str(prepared.folder) + "\n",
            f"{prepared.folder}; no file was looked at again, --overwrite prepares it anew\n",
        )
        .replace("refused for ", "in the earlier run refused for ")
    )


def test_of_many_refused_for_one_reason_the_first_is_told(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_record(source, "good", made_ecg())
    for number in range(3):
        write_record(source, f"short{number}", made_ecg(seconds=3.0 + number))
    done = prepare(wfdb_folder.list_recordings(source, "made"), tmp_path / "out", SETTINGS)
    (line,) = [line for line in done.report().splitlines() if line.startswith("refused for ")]
    assert line.startswith("refused for too_short: 3; the first: short0.hea: expected at least 7 s, got 3.00")
    assert "not looked at" not in done.report()


def test_what_went_in_comes_out(source: Path, prepared: Prepared) -> None:
    listing = wfdb_folder.list_recordings(source, "made")
    outcomes = [process(listed, listing.read, "made", SETTINGS) for listed in listing.recordings]
    expected = {(e["recording_id"], e["window"]): e for outcome in outcomes for e in outcome.examples}
    read = read_split(prepared.folder, "recordings")
    assert len(read) == len(expected) == 8
    for example in read:
        wanted = expected[example["recording_id"].decode(), int(example["window"])]
        assert set(example) == set(schema.FIELDS)
        for name, field in schema.FIELDS.items():
            if field.kind == "text":
                decoded = np.array(example[name]).astype(bytes)
                assert decoded.tolist() == np.char.encode(np.array(wanted[name], dtype=str)).tolist()
            else:
                np.testing.assert_array_equal(
                    example[name], np.float32(wanted[name]) if field.kind == "float" else wanted[name]
                )
        assert example["ecg"].dtype == np.int16


def test_equal_input_gives_equal_bytes(source: Path, prepared: Prepared, tmp_path: Path) -> None:
    listing = wfdb_folder.list_recordings(source, "made")
    assert contents(prepare(listing, tmp_path, SETTINGS, run=local(2)).folder) == contents(prepared.folder)


def test_a_second_run_finds_the_first(source: Path, prepared: Prepared) -> None:
    listing = wfdb_folder.list_recordings(source, "made")
    out = prepared.folder.parents[1]
    before = contents(prepared.folder)
    again = prepare(listing, out, SETTINGS)
    other = prepared.not_looked_at
    assert again == Prepared(prepared.folder, prepared.summary, was_there=True, not_looked_at=other)
    with pytest.raises(ValueError, match=r"max_windows is 6, asked for 2.*--overwrite"):
        prepare(listing, out, Settings(SETTINGS.preprocessing, max_windows=2))
    with pytest.raises(ValueError, match=r"sampling_rate is 100\.0, asked for 250\.0"):
        prepare(listing, out, Settings())
    fewer = Listing("made", wfdb_reader(source), listing.recordings[:4])
    with pytest.raises(ValueError, match="recordings_listed is 8, asked for 4"):
        prepare(fewer, out, SETTINGS)
    assert contents(prepared.folder) == before


def retold(listing: Listing, about: About, split: str = "recordings") -> Listing:
    """The listing, with something else told of one recording."""
    first, *rest = listing.recordings
    return dataclasses.replace(
        listing, recordings=(dataclasses.replace(first, about=about, split=split), *rest)
    )


@pytest.fixture(scope="module")
def told(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Listing, Prepared]:
    """A listing that a table tells something of, and its data set."""
    recordings = (Listed("good0", "good0.hea", "recordings"), Listed("good1", "good1.hea", "recordings"))
    listing = retold(Listing("made", wfdb_reader(source), recordings), ABOUT)
    return listing, prepare(listing, tmp_path_factory.mktemp("told"), SETTINGS)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"patient_id": "p2"}, "patients"),
        ({"labels": ("MI",)}, "labels"),
        ({"likelihoods": (50.0,)}, "labels"),
        ({"fold": 3}, "splits"),
        ({"age": 51.0}, "ages"),
        ({"sex": "M"}, "sexes"),
    ],
)
def test_another_table_is_not_the_same_data_set(
    told: tuple[Listing, Prepared], tmp_path: Path, change: dict[str, Any], kind: str
) -> None:
    listing, prepared = told
    out = prepared.folder.parents[1]
    other = retold(listing, dataclasses.replace(ABOUT, **change))
    sentence = rf"other settings \(contents\.{kind} is \w{{16}}, asked for \w{{16}}\): use --overwrite"
    with pytest.raises(schema.OtherSettings, match=sentence):
        prepare(other, out, SETTINGS)
    assert prepare(retold(listing, ABOUT), out, SETTINGS).was_there
    # A data set of before there was a record of it: nothing to compare with.
    shutil.copytree(prepared.folder, tmp_path / "made" / "1.0.0")
    manifest = tmp_path / "made" / "1.0.0" / schema.MANIFEST_FILE
    text, removed = re.subn(r', "contents\.\w+": "\w+"', "", manifest.read_text())
    assert removed == 5
    manifest.write_text(text)
    assert prepare(other, tmp_path, SETTINGS).was_there


def test_another_table_is_taken_with_overwrite(source: Path, tmp_path: Path) -> None:
    listing = Listing("made", wfdb_reader(source), (Listed("good0", "good0.hea", "recordings", ABOUT),))
    prepare(listing, tmp_path, SETTINGS)
    other = retold(listing, dataclasses.replace(ABOUT, patient_id="p2"))
    folder = prepare(other, tmp_path, SETTINGS, overwrite=True).folder
    assert [example["patient_id"] for example in read_split(folder, "recordings")] == [b"p2"]
    with pytest.raises(schema.OtherSettings, match=r"contents\.patients"):
        prepare(listing, tmp_path, SETTINGS)


def test_overwriting_replaces_the_whole(source: Path, prepared: Prepared, tmp_path: Path) -> None:
    listing = wfdb_folder.list_recordings(source / "broken" / "..", "made")
    first = prepare(listing, tmp_path, Settings(SETTINGS.preprocessing, max_windows=1))
    (first.folder / "stray").touch()
    second = prepare(listing, tmp_path, SETTINGS, overwrite=True)
    assert contents(second.folder) == contents(prepared.folder)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_foreign_folder_is_not_taken_for_a_data_set(source: Path, tmp_path: Path) -> None:
    (tmp_path / "made" / "1.0.0").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"no complete data set \(no preprocessing\.json"):
        prepare(wfdb_folder.list_recordings(source, "made"), tmp_path, SETTINGS)


def test_a_run_that_reads_nothing_leaves_nothing(source: Path, tmp_path: Path) -> None:
    listing = wfdb_folder.list_recordings(source / "broken", "made")
    with pytest.raises(
        ValueError,
        match=r"got 3 refused ones \(missing_lead 1, the first few\.hea: expected twelve good leads",
    ):
        prepare(listing, tmp_path, SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_run_leaves_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("coreecg_jax.records.one_shard.Work.write", fail)
    with pytest.raises(OSError, match="no space left"):
        prepare(wfdb_folder.list_recordings(source, "made"), tmp_path, SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_each_split_has_files_of_its_own(source: Path, tmp_path: Path) -> None:
    recordings = tuple(
        Listed(name, f"{name}.hea", split, About(fold=fold, labels=("NORM",), likelihoods=(100.0,)))
        for name, split, fold in [
            ("good0", "fold1", 1),
            ("good1", "fold1", 1),
            ("broken/short", "fold9", 9),
            ("good2", "fold10", 10),
        ]
    )
    prepared = prepare(Listing("made", wfdb_reader(source), recordings, ("7", "8")), tmp_path, SETTINGS)
    shards = {path.name for path in prepared.folder.glob("*.tfrecord*")}
    assert shards == {f"made-fold{fold}.tfrecord-00000-of-00001" for fold in (1, 10)}
    assert {e["recording_id"] for e in read_split(prepared.folder, "fold10")} == {b"good2"}
    assert prepared.summary["missing"] == 2
    assert prepared.summary["refused"] == 1
    assert prepared.summary["windows_by_split"] == {"fold1": 2, "fold10": 1}


def test_a_shard_without_examples_is_an_empty_file(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coreecg_jax.records.plan.number_of_shards", lambda recordings, samples: 6)
    recordings = tuple(Listed(name, f"{name}.hea", "train") for name in ("good0", "good1"))
    folder = prepare(Listing("made", wfdb_reader(source), recordings), tmp_path, SETTINGS).folder
    sizes = [path.stat().st_size for path in sorted(folder.glob("*.tfrecord*"))]
    assert len(sizes) == 6
    assert sizes.count(0) >= 4
    assert {example["recording_id"] for example in read_split(folder, "train")} == {b"good0", b"good1"}
