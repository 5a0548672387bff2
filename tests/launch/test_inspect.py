"""launch.inspect draws a recording and names what is wrong with it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def inspect(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "launch.inspect", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_recording_is_drawn_with_its_faults(tmp_path: Path) -> None:
    digital = np.random.default_rng(0).normal(0, 300, (5000, 12)).astype("<i2")
    digital[:, 8] = 7  # V3 is dead
    (tmp_path / "r.dat").write_bytes(digital.tobytes())
    lines = ["r 12 500 5000", *(f"r.dat 16 1000/mV 16 0 0 0 0 {lead}" for lead in LEADS)]
    (tmp_path / "r.hea").write_text("\n".join(lines) + "\n")
    out = tmp_path / "r.png"
    done = inspect(tmp_path / "r.hea", f"--out={out}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("V3 flat; noise in I, II, III, aVR, aVL, aVF, V1, V2, V4")
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
