"""launch.inspect draws a recording and names what is wrong with it."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_launches import launched
from PIL import Image

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def inspect(*arguments: object) -> subprocess.CompletedProcess[str]:
    return launched("launch.inspect", *map(str, arguments))


def test_a_recording_is_drawn_with_its_faults(tmp_path: Path) -> None:
    digital = np.random.default_rng(0).normal(0, 300, (5000, 12)).astype("<i2")
    digital[:, 8] = 7  # V3 is dead
    digital[100:200, 11] = -32768
    (tmp_path / "r.dat").write_bytes(digital.tobytes())
    lines = ["r 12 500 5000", *(f"r.dat 16 1000/mV 16 0 0 0 0 {lead}" for lead in LEADS)]
    (tmp_path / "r.hea").write_text("\n".join(lines) + "\n")
    out = tmp_path / "r.png"
    done = inspect(tmp_path / "r.hea", f"--out={out}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("V3 flat; V6 nan; noise in I, II, III, aVR, aVL, aVF, V1, V2, V4, V5; ")
    assert "; invalid: V6 100 samples (0.2 to 0.398 s)\n" in done.stdout
    with Image.open(out) as image:
        assert image.width > 1000
        assert len(np.unique(np.asarray(image.convert("L")))) > 10  # paper, ink and words
    late = inspect(tmp_path / "r.hea", f"--out={out}", "--start=9.5")
    assert late.returncode == 2
    assert late.stderr == "error: --start: expected at most 9, a second before the end, got 9.5\n"


def write(folder: Path, digital: np.ndarray, leads: tuple[str, ...]) -> None:
    (folder / "r.dat").write_bytes(digital.astype("<i2").tobytes())
    lines = [f"r {len(leads)} 500 5000", *(f"r.dat 16 1/mV 16 0 0 0 0 {lead}" for lead in leads)]
    (folder / "r.hea").write_text("\n".join(lines) + "\n")


def test_another_unit_is_drawn_divided_and_other_names_are_told(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).normal(0, 300, (5000, 3))  # µV that the header takes for mV
    write(tmp_path, counts, ("I", "II", "Resp"))
    done = inspect(tmp_path / "r", f"--out={tmp_path / 'r.png'}")
    assert done.returncode == 0, done.stderr
    assert "noise in I, II; unit in I, II; not drawn: Resp\n" in done.stdout
    write(tmp_path, counts, ("C1", "C2", "C3"))
    done = inspect(tmp_path / "r.hea")
    assert done.returncode == 2
    assert done.stderr == f"error: expected one of {', '.join(LEADS)}, got C1, C2, C3\n"


def test_one_lead_of_another_unit_is_drawn_to_its_own_scale(tmp_path: Path) -> None:
    write(tmp_path, np.random.default_rng(0).normal(0, 0.3, (5000, 12)) * 1000, LEADS)
    header = (
        (tmp_path / "r.hea")
        .read_text()
        .replace("1/mV", "1000/mV")
        .replace("mV 16 0 0 0 0 V2", "V 16 0 0 0 0 V2")
    )
    (tmp_path / "r.hea").write_text(header)
    done = inspect(tmp_path / "r.hea", f"--out={tmp_path / 'r.png'}")
    assert done.returncode == 0, done.stderr
    assert "unit in V2\n" in done.stdout
    with Image.open(tmp_path / "r.png") as image:
        assert image.height < 0.6 * image.width  # as of any recording: the paper has not grown


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "r.hea").write_text("nonsense\n")
    done = inspect(tmp_path / "r.hea")
    assert done.returncode == 2
    assert done.stderr.startswith("error: unreadable: r.hea: expected 'name signals rate samples'")


def publish(source: Path, database: str) -> None:
    """One recording as the publisher lays it out, and the table that lists it."""
    ecg_LT = np.random.default_rng(0).normal(0, 0.3, (12, 4096))
    if database == "cpsc2018":
        import scipy.io

        scipy.io.savemat(source / "A0001.mat", {"ECG": {"sex": "Male", "age": 61.0, "data": ecg_LT}})
        (source / "REFERENCE.csv").write_text("Recording,First_label,Second_label,Third_label\nA0001,5,,\n")
        return
    h5py = pytest.importorskip("h5py")
    if database == "sph":
        (source / "records").mkdir()
        with h5py.File(source / "records/A00001.h5", "w") as file:
            file["ecg"] = ecg_LT
        (source / "metadata.csv").write_text("ECG_ID,AHA_Code,Patient_ID,Age,Sex\nA00001,1,S1,61,M\n")
        return
    with h5py.File(source / "exams_part0.hdf5", "w") as file:
        file["exam_id"] = np.array([7])
        file["tracings"] = ecg_LT.T[None]
    flags = "1dAVb,RBBB,LBBB,SB,ST,AF,normal_ecg"
    row = "7,61,True,1,exams_part0.hdf5,0,0,0,0,0,0,1"
    (source / "exams.csv").write_text(f"exam_id,age,is_male,patient_id,trace_file,{flags}\n{row}\n")


@pytest.mark.parametrize(
    ("database", "recording", "out"),
    [
        ("code15", "exams_part0.hdf5#0", "7.png"),
        ("cpsc2018", "A0001.mat", "A0001.png"),
        ("sph", "A00001", "A00001.png"),
    ],
)
def test_what_only_a_database_can_read(tmp_path: Path, database: str, recording: str, out: str) -> None:
    publish(tmp_path, database)
    flags = (f"--database={database}", f"--source={tmp_path}")
    done = inspect(recording, f"--out={tmp_path / out}", *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("noise in all leads")
    with Image.open(tmp_path / out) as image:
        assert image.width > 1000


def test_of_a_database_one_of_its_recordings_is_asked_for(tmp_path: Path) -> None:
    publish(tmp_path, "cpsc2018")
    done = inspect("A0002", "--database=cpsc2018", f"--source={tmp_path}")
    assert done.returncode == 2
    assert done.stderr == (
        "error: expected one of 1 recordings of --database=cpsc2018 by id or file, such as 'A0001' or "
        "'A0001.mat', got 'A0002'\n"
    )
