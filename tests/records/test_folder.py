"""A folder of files of any kind is one data set; what is no recording, or needs a package, is told."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_formats import (
    ECG_YAML,
    MUSE_LEADS,
    ROW_OF,
    hl7_xml,
    lawful_ecg,
    muse_xml,
    refused,
    write_dicom,
    write_edf,
)
from made_recordings import LEADS, write_record

from coreecg_jax.records.databases import code15, folder, sph, wfdb_folder
from coreecg_jax.records.formats import limits
from coreecg_jax.records.formats.contest_mat import read_contest_mat
from coreecg_jax.records.formats.files import SUFFIXES, folder_reader, read_recording
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.wfdb_files import wfdb_reader


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + "dataset: ecg")
    for suffix, package in (
        (".edf", "pyedflib"),
        (".dcm", "pydicom"),
        (".xml", "defusedxml"),
        (".h5", "h5py"),
    ):
        (tmp_path / f"r{suffix}").write_bytes(b"")
        with pytest.raises(limits.MissingPackage, match=rf"{package}: pip install 'coreecg-jax\[formats\]'"):
            read_recording(tmp_path / f"r{suffix}")


def test_other_files_are_no_recordings(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("")
    assert "expected one of .hea, .edf" in refused(tmp_path / "r.txt").sentence
    assert refused(tmp_path / "absent.npy").reason == Reason.UNREADABLE


def test_a_folder_of_all_kinds_is_one_data_set(tmp_path: Path) -> None:
    for package in ("pyedflib", "pydicom", "defusedxml"):
        pytest.importorskip(package)
    source, ecg = tmp_path / "hospital", lawful_ecg()
    write_record(source / "wfdb", "a", ecg)
    write_edf(source / "b.edf", ecg)
    write_dicom(source / "c.dcm", ecg)
    (source / "d.xml").write_text(hl7_xml(ecg))
    (source / "e.xml").write_text(muse_xml(ecg[[ROW_OF[name] for name in MUSE_LEADS]]))
    (source / "arrays").mkdir()
    np.save(source / "arrays" / "d.npy", ecg)
    np.save(source / "no_recording.npy", ecg)
    (source / "arrays" / "ecg.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\n")
    np.save(source / "b.npy", ecg)
    (source / "b.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\n")
    (source / "recordings.csv").write_text(
        "file,patient_id,age,sex,labels\nb.edf,p1,70,male,AFIB; LVH;AFIB\nabsent.edf,p2,,,\n"
    )
    listing = folder.list_recordings(source)
    assert (listing.name, listing.missing) == ("hospital", ("absent.edf",))
    ids = [one.recording_id for one in listing.recordings]
    assert ids == ["arrays/d", "b.edf", "b.npy", "c", "d", "e", "wfdb/a"]
    outcomes = [process(one, listing.read, listing.name, Settings()) for one in listing.recordings]
    assert {outcome.line["status"] for outcome in outcomes} == {"read"}
    windows = [outcome.examples[0]["ecg"].astype(int) for outcome in outcomes]
    for window in windows[1:]:
        assert np.abs(window - windows[0]).max() <= 6  # microvolts: MUSE's steps are 4.88
    told = outcomes[1].examples[0]
    assert (told["patient_id"], told["age"], told["sex"], told["labels"]) == (
        "p1",
        70.0,
        "M",
        ["AFIB", "LVH"],
    )
    assert [outcome.examples[0]["patient_id"] for outcome in outcomes[3:6]] == ["P9", "SBJ_1", "P 17"]


def test_what_is_no_recording_is_counted_by_its_ending(tmp_path: Path) -> None:
    """What belongs to a recording, tells of it or is hidden is not in the way."""
    ecg, names = lawful_ecg(), f"leads: [{', '.join(LEADS)}]\n"
    write_record(tmp_path / "wfdb", "a", ecg)
    for name in ("a.atr", "a.xws", "other.dat"):  # of the header, but for the last, which it may name
        (tmp_path / "wfdb" / name).write_bytes(b"")
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "b.npy", ecg)
    (tmp_path / "arrays" / "b.yaml").write_text(ECG_YAML + names)
    np.save(tmp_path / "arrays" / "lonely.npy", ecg)
    (tmp_path / "recordings.csv").write_text("file\narrays/b.npy\n")
    (tmp_path / ".git").mkdir()
    for name in (".git/object", ".DS_Store", "1.pdf", "2.PDF", "LICENSE", "x.dat", "notes.yaml", "t.csv"):
        (tmp_path / name).write_bytes(b"")
    listing = folder.list_recordings(tmp_path, "mine")
    assert [one.file for one in listing.recordings] == ["arrays/b.npy", "wfdb/a.hea"]
    assert listing.not_looked_at.splitlines() == [
        "files of other kinds, not looked at: .pdf 2, .dat 1, .yaml 1, without ending 1",
        "arrays and tables that no ecg.yaml describes, not looked at: .csv 1, .npy 1",
    ]
    only_wfdb = wfdb_folder.list_recordings(tmp_path, "mine").not_looked_at
    assert only_wfdb == (
        "files of other kinds, not looked at: .csv 2, .npy 2, .pdf 2, .yaml 2, .dat 1, without ending 1"
    )


def test_of_very_many_endings_the_rest_is_counted_together(tmp_path: Path) -> None:
    for number in range(23):
        (tmp_path / f"r.{number:03}").write_bytes(b"")
    said = "files of other kinds, not looked at: .000 1, .* .019 1, of 3 more endings 3"
    with pytest.raises(FileNotFoundError, match=rf"found none: check --source \({said}\)$"):
        folder.list_recordings(tmp_path, "mine")


def test_a_folder_of_wfdb_alone_is_listed_as_ever(tmp_path: Path) -> None:
    for name in ("b/2", "b/10", "a"):
        write_record((tmp_path / name).parent, Path(name).name)
    listing = folder.list_recordings(tmp_path, "mine")
    assert [one.recording_id for one in listing.recordings] == ["a", "b/10", "b/2"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="found none: check --source"):
        folder.list_recordings(tmp_path / "empty", "mine")
    (tmp_path / "recordings.csv").write_text("file\na.hea\na.hea\n")
    with pytest.raises(ValueError, match=r"a\.hea stands there twice"):
        folder.list_recordings(tmp_path, "mine")


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".mat"])
def test_a_pipe_is_refused_not_waited_for(tmp_path: Path, suffix: str) -> None:
    for package in ("pyedflib", "pydicom", "defusedxml", "h5py"):
        pytest.importorskip(package)
    pipe = tmp_path / f"p{suffix}"
    os.mkfifo(pipe)
    (tmp_path / "ecg.yaml").write_text("sampling_rate: 500\nunit: mV\nleads: [I, II]\ndataset: ecg\n")
    read = read_contest_mat if suffix == ".mat" else read_recording
    with pytest.raises(RecordingRefused, match="expected a plain file"):
        read(pipe)


def test_pipes_where_tables_and_signals_should_be_are_refused(tmp_path: Path) -> None:
    header = write_record(tmp_path)
    (tmp_path / "rec.dat").unlink()
    os.mkfifo(tmp_path / "rec.dat")
    os.mkfifo(tmp_path / "metadata.csv")
    os.mkfifo(tmp_path / "exams_part0.hdf5")
    with pytest.raises(RecordingRefused, match=r"rec\.dat is not there"):
        read_recording(header)
    with pytest.raises(FileNotFoundError, match=r"expected metadata\.csv"):
        sph.list_recordings(tmp_path)
    pytest.importorskip("h5py")
    with pytest.raises(RecordingRefused, match="expected a plain file"):
        code15.read(tmp_path, "exams_part0.hdf5#0")


def linked(folder: Path, name: str, elsewhere: Path) -> None:
    """Moves a file elsewhere and leaves a link, as git-annex does."""
    elsewhere.mkdir(parents=True, exist_ok=True)
    (folder / name).rename(elsewhere / name)
    (folder / name).symlink_to((elsewhere / name).absolute())


@pytest.mark.parametrize("reader", [folder_reader, wfdb_reader])
def test_a_signal_that_is_a_link_out_of_the_source_is_refused(
    tmp_path: Path, reader: Callable[[Path], Callable[[str], Recording]]
) -> None:
    source = tmp_path / "source"
    header = write_record(source / "ward")
    linked(source / "ward", "rec.dat", source / "objects")  # within the source: an archive with its objects
    assert reader(source)("ward/rec.hea").present_L.all()
    for refused_by in (lambda: reader(source / "ward")("rec.hea"), lambda: read_recording(header)):
        with pytest.raises(
            RecordingRefused, match=r"the signal file rec\.dat itself below .*, it is a link"
        ) as told:
            refused_by()
        assert told.value.reason == Reason.OUTSIDE_FOLDER
    (source / "ward" / "sound").symlink_to(source / "objects")  # a folder that is a link leads out as well
    (source / "objects" / "rec.hea").write_text(header.read_text())
    with pytest.raises(RecordingRefused, match="it is a link"):
        reader(source / "ward")("sound/rec.hea")


def test_the_source_and_files_that_are_named_may_be_links(tmp_path: Path) -> None:
    write_record(tmp_path / "real")
    (tmp_path / "source").symlink_to(tmp_path / "real")
    assert folder_reader(tmp_path / "source")("rec.hea").present_L.all()
    assert read_recording(tmp_path / "source" / "rec.hea").present_L.all()
    linked(tmp_path / "real", "rec.hea", tmp_path / "headers")  # the header alone is elsewhere
    assert read_recording(tmp_path / "real" / "rec.hea").present_L.all()
