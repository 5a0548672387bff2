"""What cannot be written is said before anything is read, with the flag to change."""

import errno
import os
import tempfile
from pathlib import Path

import pytest
from made_launches import launched

from coreecg_jax.records.databases import simulated
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.prepare import prepare
from coreecg_jax.records.schema import Preprocessing
from launch.writable import in_its_folder, require_writable, unwritable

# Nothing of what these name is there: it would be missed, were it looked for first.
LAUNCHES = [
    ("embed", "/proc/x.parquet", ["--bundle=absent", "absent"]),
    ("quality", "/proc/x.html", ["--data=absent"]),
    ("prepare", "/proc/x", ["--database=folder", "--source=absent"]),
    ("export", "/proc/x", ["--checkpoint=absent", "--formats="]),
    ("fill", "/proc/x.png", ["--bundle=absent", "absent"]),
    ("inspect", "/proc/x.png", ["absent.hea"]),
    ("report", "/proc/x.html", ["--workdir=absent"]),
    ("curves", "/proc/x.png", ["--workdir=absent"]),
    ("distributions", "/proc/x.png", ["--data_root=absent", "--data=absent"]),
    ("conditions", "/proc/x", []),
    ("audit", "/proc/x.json", ["--data_root=absent", "--data=absent"]),
    ("evaluate", "/proc/x.json", ["--data_root=absent", "--checkpoint=absent"]),
]
PICTURES = [
    ("inspect", "--out=x.pdf", ["absent.hea"]),
    ("fill", "--out=x.jpg", ["absent"]),
    ("curves", "--out=x", ["--workdir=absent"]),
    ("curves", "--importance=x.tif", ["--workdir=absent", "--out=x.png"]),
    ("curves", "--example=x.svg", ["--workdir=absent", "--out=x.png"]),
    ("distributions", "--out=png", ["--data_root=absent", "--data=absent"]),
]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux has a folder that takes no files")
@pytest.mark.parametrize(("verb", "out", "flags"), LAUNCHES, ids=[verb for verb, *_ in LAUNCHES])
def test_a_launcher_says_so_first(verb: str, out: str, flags: list[str]) -> None:
    result = launched(f"launch.{verb}", f"--out={out}", *flags)
    why = f"{out} cannot be made, /proc takes no files"
    expected = f"error: --out={out} cannot be written ({why}): choose another --out"
    assert (result.returncode, result.stderr, result.stdout) == (2, f"{expected}\n", "")


@pytest.mark.parametrize(("verb", "out", "flags"), PICTURES)
def test_a_picture_is_named_as_one(verb: str, out: str, flags: list[str]) -> None:
    result = launched(f"launch.{verb}", out, *flags)
    flag, _, name = out.partition("=")
    assert result.stderr == f"error: {flag}: expected a file named .png, got {name}\n"


def test_a_page_is_named_as_one() -> None:
    result = launched("launch.report", "--workdir=absent", "--out=report.pdf")
    assert result.stderr == "error: --out: expected a file named .html, got report.pdf\n"


@pytest.mark.parametrize(
    ("path", "is_file", "why"),
    [
        ("file/x", False, ".*file: not a directory"),
        ("file/below/x.html", True, ".*file: not a directory"),
        ("file", False, "a file is there"),
        ("folder", True, "a folder is there"),
    ],
)
def test_what_stands_in_the_way_is_named(tmp_path: Path, path: str, is_file: bool, why: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=rf"^--out=.*{path} cannot be written \({why}\): choose another --out$"):
        require_writable("--out", tmp_path / path, is_file=is_file)


def test_a_read_only_file_system_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(**where: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(where["dir"]))

    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    assert unwritable(tmp_path / "a" / "b") == f"{tmp_path}: read-only file system"


def test_what_can_be_written_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "old.html").write_text("old")
    require_writable("--out", tmp_path / "old.html", is_file=True)
    require_writable("--out", tmp_path / "new" / "x.html", is_file=True)
    require_writable("--out", tmp_path / "new" / "x")
    require_writable("--out", tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["old.html"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux has a folder that takes no files")
@pytest.mark.parametrize(
    ("verb", "flags"),
    [
        ("demo", []),
        ("sweep", ["--table=ablation", "--config.base.data.root=absent"]),
        ("pretrain", ["--config=configs/tiny.py", "--config.data.root=absent"]),
    ],
)
def test_a_run_that_cannot_be_written_names_its_flag(verb: str, flags: list[str]) -> None:
    result = launched(f"launch.{verb}", "--workdir=/proc/x", *flags)
    why = "/proc/x cannot be made, /proc takes no files"
    assert result.stderr == f"error: --workdir=/proc/x cannot be written ({why}): choose another --workdir\n"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux has a folder that takes no files")
def test_a_folder_is_made_when_it_is_written(tmp_path: Path) -> None:
    """Else the picture that was to be in it would be lost after all that was measured for it."""
    done = launched("launch.inspect", f"--out={tmp_path / 'new' / 'x.png'}", "absent.hea")
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert in_its_folder(tmp_path / "new" / "x.png") == tmp_path / "new" / "x.png"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_the_first_that_cannot_be_made_is_named() -> None:
    assert unwritable("/proc/x/a.parquet") == "/proc/x cannot be made, /proc takes no files"
    assert unwritable("/proc/x/y/z") == "/proc/x cannot be made, /proc takes no files"
    assert unwritable("/proc") == "/proc takes no files"


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    assert unwritable(tmp_path / "link" / "a.parquet") == f"{tmp_path / 'link'}: no such file or directory"


def test_a_data_set_that_is_there_may_be_read_only(tmp_path: Path) -> None:
    settings = Settings(Preprocessing(sampling_rate=100.0))
    prepare(simulated.list_recordings(5), tmp_path / "data", settings)
    (tmp_path / "data").chmod(0o555)
    if os.access(tmp_path / "data", os.W_OK):
        pytest.skip("root may write where nobody may")
    flags = ["--database=simulated", f"--out={tmp_path / 'data'}", "--sampling_rate=100"]
    there, other = (launched("launch.prepare", *flags, f"--recordings={number}") for number in (5, 6))
    named = launched("launch.prepare", *flags, "--recordings=5", "--name=more")
    (tmp_path / "data").chmod(0o755)
    assert there.stdout.startswith("was there already: "), there.stderr
    assert "was prepared with other settings" in other.stderr
    assert named.stderr.endswith("data: permission denied): choose another --out\n")


@pytest.mark.parametrize("address", ["gs://bucket/runs/x", "s3://bucket/x.json", "hf://organisation/name"])
def test_an_address_is_no_folder_below_this_one(address):
    with pytest.raises(ValueError, match=rf"--workdir: expected a path of a file system, got {address}"):
        require_writable("--workdir", address)
