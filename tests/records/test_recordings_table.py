"""What `recordings.csv` of a folder says is read whole, or it is told what is not."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from made_formats import ECG_YAML
from made_recordings import write_record

from coreecg_jax.records.databases import folder
from coreecg_jax.records.databases.discovery import discover
from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.spelling import written_for


def table_of(source: Path, text: str) -> Listing:
    (source / "recordings.csv").write_text(text)
    return folder.list_recordings(source, "mine")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "file,PatientID,label\nb/r0.hea,p,AF\n",
            r"got 'PatientID' \(did you mean patient_id\?\), 'label' \(did you mean labels\?\)",
        ),
        ("file,labels,labels\nb/r0.hea,A,B\n", "each once .* got 'labels', 'labels'"),
        (
            "File;Sex\nb/r0.hea;F\n",
            "csv: expected commas between columns, got semicolons: write it with commas",
        ),
        ("file;patient_id\na;p\n", "csv: expected commas between columns, got semicolons"),
        ("file\tsex\na\tF\n", "csv: expected commas between columns, got tabs: write it with commas"),
        ("file,height\nb/r0.hea,180\n", "got 'height': rename these or take them out"),
        (
            "file,labels\nb/r0.hea,AF\na.hea,AF,LBBB\n",
            "line 3: expected 2 fields, got more: .* quotes",
        ),
        ("file\nr0\nr1\n", "such as 'a.hea'; none of its 2 rows does, the first says 'r0'"),
        ("file\na\na.hea\n", r"a\.hea stands there twice"),
    ],
)
def test_a_table_that_would_be_half_read_is_refused(tmp_path: Path, text: str, said: str) -> None:
    for name in ("a", "b/r0"):
        write_record((tmp_path / name).parent, Path(name).name)
    with pytest.raises(ValueError, match=said):
        table_of(tmp_path, text)


def test_files_are_named_without_suffix_and_as_windows_does(tmp_path: Path) -> None:
    for name in ("a", "b/r0", "b/r1"):
        write_record((tmp_path / name).parent, Path(name).name)
    listing = table_of(tmp_path, 'file,patient_id,labels\na,p1,"x,y"\nb\\r0.hea,p2,\nb\\r1,p3,\n')
    patients = [one.about.patient_id for one in listing.recordings if one.about]
    assert (patients, listing.missing, listing.note) == (["p1", "p2", "p3"], (), "")
    listing = table_of(tmp_path, "file\na\nr0\n")
    assert listing.missing == ("r0",)
    assert "1 of 2 rows name no file that is there (the first: 'r0'), and 2 files" in listing.note


def test_ages_and_sexes_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    for name in "abcdef":
        write_record(tmp_path, name)
    rows = "a,67.5,Female\nb,67 y,F\nc,nan,X\nd,>89,unknown\ne,,\nf,40,woman\nabsent,old,?\n"
    listing = table_of(tmp_path, f"file,age,sex\n{rows}")
    assert listing.note.splitlines() == [
        "recordings.csv: age of 1 recording is no number of years such as 67.5 ('67 y', line 3): left empty",
        "recordings.csv: sex of 2 recordings is none of F, female, M, male "
        "(the first: 'X', line 4): left empty",
    ]
    ages = [one.about.age for one in listing.recordings if one.about]
    np.testing.assert_array_equal(ages, [67.5, np.nan, np.nan, 90, np.nan, 40])
    assert [one.about.sex for one in listing.recordings if one.about] == ["F", "F", "", "", "", ""]


def test_what_programs_write_for_nothing_is_no_patient_and_no_label(tmp_path: Path) -> None:
    for name in "abcde":
        write_record(tmp_path, name)
    rows = "a,nan,AF\nb,NaN,nan\nc,Unknown,none;N/A\nd,,\ne,p1,unknown\nabsent,na,na\n"
    listing = table_of(tmp_path, f"file,patient_id,labels\n{rows}")
    about = [one.about for one in listing.recordings if one.about]
    assert [one.patient_id for one in about] == [None, None, None, None, "p1"]
    assert [one.labels for one in about] == [("AF",), (), ("none",), (), ("unknown",)]
    assert listing.note.splitlines() == [
        "recordings.csv: patient_id of 3 recordings is no patient's (the first: 'nan', line 2): left empty",
        "recordings.csv: labels of 2 recordings is no label (the first: 'nan', line 3): left empty",
    ]


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("['AF']", True),
        ("AF,none", True),
        ("LBBB, AF", True),
        ("AF,pacing", True),
        ("rhythm, sinus", False),
        ("AF (new)", False),
    ],
)
def test_labels_that_seem_to_be_several_are_told_and_kept(tmp_path: Path, label: str, told: bool) -> None:
    for name in "abc":
        write_record(tmp_path, name)
    listing = table_of(tmp_path, f'file,labels\na,AF\nb,none\nc,"{label}"\n')
    assert [one.about.labels for one in listing.recordings if one.about] == [("AF",), ("none",), (label,)]
    assert (
        f"labels of 1 recording seem to be several in one (the first: {label!r} of c.hea" in listing.note
    ) is told
    assert bool(listing.note) is told


def test_each_note_of_a_table_is_a_line(tmp_path: Path) -> None:
    for name in "ab":
        write_record(tmp_path, name)
    listing = table_of(tmp_path, "file,age\na,old\nr0,1\n")
    astray, unread = listing.note.splitlines()
    assert "1 of 2 rows name no file" in astray
    assert "age of 1 recording" in unread


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("Recordings.csv", "file,patient_id"),
        ("recording.csv", "\ufeffFile;labels"),
        ("records.CSV", '"file"'),
        ("recordings (1).csv", "patient_id\tfile"),
    ],
)
@pytest.mark.parametrize("described", [False, True])  # then it would be taken for a recording
def test_a_table_of_a_near_name_is_refused(tmp_path: Path, name: str, header: str, described: bool) -> None:
    write_record(tmp_path, "a")
    if described:
        (tmp_path / "ecg.yaml").write_text(ECG_YAML)
    (tmp_path / name).write_text(f"{header}\na,p1\n")
    with pytest.raises(
        ValueError, match=rf"^'{re.escape(name)}' .* did you mean recordings\.csv\? Rename it"
    ):
        folder.list_recordings(tmp_path, "mine")
    assert len(table_of(tmp_path, "file\na\n").recordings) == 1 + described  # beside the table it is no slip


def test_a_table_of_a_near_name_above_subfolders_is_refused(tmp_path: Path) -> None:
    """Without it they would be data sets of their own."""
    for name in ("ward_1", "ward_2"):
        write_record(tmp_path / name, "a")
    assert len(discover(tmp_path)) == 2
    (tmp_path / "Recordings.csv").write_text("file,patient_id\nward_1/a,p1\n")
    with pytest.raises(ValueError, match=r"did you mean recordings\.csv\?"):
        discover(tmp_path)


def test_other_tables_and_recordings_are_not_taken_for_the_table(tmp_path: Path) -> None:
    """By header line, name and place; what is no plain file is not opened."""
    (tmp_path / "ecg.yaml").write_text(ECG_YAML)
    (tmp_path / "below").mkdir()
    for name, header in (
        ("record.csv", "I,II"),
        ("records.csv", "0.1,0.2"),
        ("recordings.csv.csv", "file_name,sex"),
        ("ages.csv", "file,age"),
        ("below/Recordings.csv", "file,age"),
    ):
        (tmp_path / name).write_text(f"{header}\n0.1,0.2\n")
    (tmp_path / "recording.csv").mkdir()
    os.mkfifo(tmp_path / "Recordings.csv")
    assert len(folder.list_recordings(tmp_path, "mine").recordings) == 6


def test_of_numbered_names_the_one_without_a_number_is_looked_at() -> None:
    numbered = [f"record_{number}.csv" for number in range(100)]
    for names in (["record.csv", *numbered], [*numbered, "record.csv"]):
        assert written_for("recordings.csv", names, most=20) == ["record.csv"]
    assert written_for("recordings.csv", ["notes.csv", "Recordings.csv"], most=20)[0] == "Recordings.csv"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("file,labels\na,überleitet\n".encode("latin-1"), ", line 2: .* got the byte 0xfc"),
        ("file,läbels\na,AF\n".encode("latin-1"), ", line 1: .* got the byte 0xe4"),
        (f"file,labels\na,{'A' * 20000}\nb,ü\n".encode("latin-1"), ", line 3: .* got the byte 0xfc"),
        ("file,labels\na,AF\n".encode("utf-16"), ", line 1: .* got the byte 0xff"),
        (b"file,labels\na,\xc3", ", line 2: .* got the byte 0xc3"),
    ],
)
def test_a_table_that_is_no_utf8_is_refused_with_the_line(tmp_path: Path, table: bytes, said: str) -> None:
    write_record(tmp_path, "a")
    (tmp_path / "recordings.csv").write_bytes(table)
    with pytest.raises(ValueError, match=f"^recordings.csv{said}: save the table as UTF-8$"):
        folder.list_recordings(tmp_path, "mine")
