"""The launcher: help, a whole run, and mistakes that are told in one sentence."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_launches import launched

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def launch(*flags: str, verb: str = "prepare") -> subprocess.CompletedProcess[str]:
    return launched(f"launch.{verb}", *flags)


def write_record(folder: Path) -> None:
    """One 10 s recording of noise, 16 bits, 1000/mV."""
    folder.mkdir()
    digital = np.random.default_rng(0).normal(0, 300, (5000, 12)).astype("<i2")
    (folder / "r.dat").write_bytes(digital.tobytes())
    lines = ["r 12 500 5000", *(f"r.dat 16 1000/mV 16 0 0 0 0 {lead}" for lead in LEADS)]
    (folder / "r.hea").write_text("\n".join(lines) + "\n")


def test_help_names_every_flag() -> None:
    shown = launch("--help").stdout
    for flag in (
        "database",
        "source",
        "out",
        "name",
        "sampling_rate",
        "max_windows",
        "config",
        "overwrite",
        "beam_runner",
    ):
        assert f"--{flag}" in shown or f"--[no]{flag}" in shown


def test_every_note_on_the_table_of_a_folder_is_told(tmp_path: Path) -> None:
    write_record(tmp_path / "hospital")
    (tmp_path / "hospital" / "recordings.csv").write_text("file,age,sex\nr,67 y,X\n")
    told = launch(
        "--database=folder", f"--source={tmp_path / 'hospital'}", f"--out={tmp_path / 'data'}"
    ).stdout
    age, sex, prepared = told.splitlines()[:3]
    assert age.startswith("note: recordings.csv: age of 1 recording is no number")
    assert sex.startswith("note: recordings.csv: sex of 1 recording is none of")
    assert prepared.startswith("prepared: ")


def test_a_folder_becomes_a_data_set_once(tmp_path: Path) -> None:
    write_record(tmp_path / "hospital")
    flags = ["--database=wfdb_folder", f"--source={tmp_path / 'hospital'}", f"--out={tmp_path / 'data'}"]
    first = launch(*flags)
    assert first.returncode == 0, first.stderr
    folder = tmp_path / "data" / "hospital" / "1.0.0"
    assert first.stdout == (f"prepared: {folder}\nread 1 recordings (1 windows), missing 0, refused 0\n")
    assert (folder / "preprocessing.json").is_file()
    assert "WARNING" not in first.stderr
    second = launch(*flags, "--sampling_rate=100")
    assert second.returncode == 2
    assert "sampling_rate is 250.0, asked for 100.0" in second.stderr
    whole = launch(f"--data_root={tmp_path / 'data'}", verb="verify")
    assert whole.stdout == f"{folder}: all 5 files are as they were written\n"
    (folder / "manifest.jsonl").write_text("changed")
    changed = launch(f"--data_root={tmp_path / 'data'}", "--data=hospital", verb="verify")
    assert (changed.returncode, changed.stdout) == (
        2,
        f"{folder}: 1 of 5 files are not as they were written\n",
    )
    assert f"error: {folder / 'manifest.jsonl'} has SHA-256 " in changed.stderr
    assert changed.stderr.endswith(": copy again, or prepare with --overwrite\n")


def test_a_published_database_is_divided_unless_told_otherwise(tmp_path: Path) -> None:
    write_record(tmp_path / "source")
    for suffix in ("hea", "dat"):
        (tmp_path / "source" / f"r.{suffix}").rename(tmp_path / "source" / f"E00001.{suffix}")
    header = tmp_path / "source" / "E00001.hea"
    header.write_text(header.read_text().replace("r 12", "E00001 12").replace("r.dat", "E00001.dat"))
    flags = ["--database=georgia", f"--source={tmp_path / 'source'}", f"--out={tmp_path / 'data'}"]
    divided = launch(*flags)
    assert divided.returncode == 0, divided.stderr
    assert divided.stdout.startswith("without a recording, so not there as splits: fold")
    (shard,) = tmp_path.rglob("georgia-*")
    assert shard.name.startswith("georgia-fold")
    whole = launch(*flags, "--folds=0")
    assert whole.returncode == 2
    assert "(folds is 10, asked for 0" in whole.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--database=ptbxl", "--source=absent"], "error: expected ptbxl_database.csv in absent"),
        (
            ["--database=wfdb_folder", "--source=tests", "--low_pass=130"],
            "error: low_pass: expected less than",
        ),
        (
            ["--database=simulated", "--workers=2", "--beam_runner=DirectRunner"],
            "with --beam_runner give the runner's option, such as --beam_options=direct_num_workers=2",
        ),
        (
            ["--database=simulated", "--folds=5"],
            "error: --folds: simulated has splits of its own (train, probe, validation, test): leave",
        ),
        (["--database=ptbxl", "--source=.", "stray"], "unexpected argument 'stray'"),
        (["--database=mitdb", "--source=."], "error: --database: expected one of ptbxl, "),
        (
            ["--database=simulated", "--out=gs://bucket/data", "--beam_runner=DataflowRunner"],
            "error: --out: expected a path of a file system, got gs://bucket/data: mount the bucket,",
        ),
        (
            ["--database=ptbxl", "--source=gs://bucket/ptbxl", "--beam_runner=DataflowRunner"],
            "error: --source: expected a path of a file system, got gs://bucket/ptbxl: mount the bucket, or",
        ),
    ],
)
def test_mistakes_are_one_sentence(flags: list[str], message: str) -> None:
    result = launch(*flags)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_what_a_copy_lacks_is_noted(tmp_path: Path) -> None:
    """MIMIC-IV-ECG without the table of its reports."""
    (tmp_path / "mimic").mkdir()
    write_record(tmp_path / "mimic" / "files")
    (tmp_path / "mimic" / "record_list.csv").write_text("subject_id,study_id,path\n7,1,files/r\n")
    done = launch("--database=mimic_iv_ecg", f"--source={tmp_path / 'mimic'}", f"--out={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    note, *_, counts = done.stdout.splitlines()
    assert note.startswith("note: machine_measurements.csv is not in ")
    assert counts == "read 1 recordings (1 windows), missing 0, refused 0"
