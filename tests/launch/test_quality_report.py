"""launch.quality: from a prepared folder to a page and a picture."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_launches import launched
from PIL import Image

from coreecg_jax.records.databases import folder
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.schema import MANIFEST_FILE, Preprocessing
from coreecg_jax.records.shards import VERSION
from launch.quality_reporting import write_quality_page

ROOT = Path(__file__).parents[2]
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def quality(*arguments: object) -> subprocess.CompletedProcess[str]:
    return launched("launch.quality", *map(str, arguments))


def write_record(source: Path, name: str, digital_TL: np.ndarray) -> None:
    (source / f"{name}.dat").write_bytes(digital_TL.astype("<i2").tobytes())
    lines = [f"{name} 12 500 5000", *(f"{name}.dat 16 1000/mV 16 0 0 0 0 {lead}" for lead in LEADS)]
    (source / f"{name}.hea").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A noisy recording, one with a dead lead, one ten times too large, one with a lead in another unit.

    The large one has an invalid sample.

    The data set lies in `out`.
    """
    folder_of = tmp_path_factory.mktemp("ward")
    noise_TL = np.random.default_rng(0).normal(0, 300, (5000, 12))
    write_record(folder_of, "noisy", noise_TL)
    large_TL = 20 * noise_TL
    large_TL[250, 3] = -32768
    write_record(folder_of, "large", large_TL)
    write_record(folder_of, "volts", noise_TL)
    header = (folder_of / "volts.hea").read_text()
    (folder_of / "volts.hea").write_text(header.replace("/mV 16 0 0 0 0 V2", "/V 16 0 0 0 0 V2"))
    noise_TL[:, 8] = 7
    write_record(folder_of, "dead", noise_TL)
    listing, settings = (
        folder.list_recordings(folder_of, "ward"),
        Settings(Preprocessing(sampling_rate=100.0)),
    )
    data = folder_of / "out" / "ward" / VERSION
    data.mkdir(parents=True)
    lines = [process(one, listing.read, "ward", settings).line for one in listing.recordings]
    counts = dict.fromkeys(("missing", "with_masked_leads", "repeated_signals", "dropped_seconds"), 0)
    counts |= {"read": 2, "refused": 2, "windows": 2}
    summary = {**counts, "settings": {**settings.policy.recorded(), "recordings_listed": 4}}
    text = "\n".join(json.dumps(one) for one in (*lines, {"summary": summary}))
    (data / MANIFEST_FILE).write_text(text + "\n")  # all that is read of a data set
    return folder_of


def test_a_prepared_folder_has_its_page(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "q.html"
    done = quality(f"--data_root={source / 'out'}", "--data=ward", f"--out={out}", f"--source={source}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"quality: {out}\npicture: {tmp_path / 'q.png'}\n"
    html = out.read_text(encoding="utf-8")
    assert "2 of 4 recordings were kept, 2 set aside. 4 of the 4 that could be measured" in html
    assert "dead: expected twelve good leads; flat for 3 s or more: V3" in html
    assert "large, seconds 0 to 10 of 10, divided by 10" in html
    assert "Invalid: aVR 1 sample (0.5 s)." in html
    assert html.count("Twelve leads of") == 4
    with Image.open(tmp_path / "q.png") as picture:
        assert picture.width > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q.html", "q.png"]


@pytest.mark.slow
def test_without_its_recordings_nothing_is_drawn(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "q.html"
    write_quality_page(out, source / "out", "ward")
    assert "Nothing is drawn without --source" in out.read_text(encoding="utf-8")
    write_quality_page(out, source / "out", "ward", source=tmp_path)
    assert out.read_text(encoding="utf-8").count("Not drawn: ") == 4


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"data": "wart"},
            "--data=wart: expected a data set in .*, there are ward: .*, or change --data_root",
        ),
        ({"source": Path("absent")}, "--source: expected the folder of the recordings, absent is none"),
        ({"source": ROOT, "database": "x"}, "--database: expected one of ptbxl, .*, folder, got 'x'"),
        ({"out": Path("q.pdf")}, r"--out: expected a file named \.html, got q\.pdf"),
    ],
)
def test_mistakes_are_told(source: Path, tmp_path: Path, asked: dict, message: str) -> None:
    flags = {"out": tmp_path / "q.html", "data_root": source / "out", "data": "ward"} | asked
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        write_quality_page(**flags)
    assert list(tmp_path.iterdir()) == []
