"""Damaged files of every format: each is a recording or a refusal, never a crash, a hang or much memory."""

import contextlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_damage import damage
from made_whole import KINDS

from coreecg_jax.records.formats.arrays import read_csv
from coreecg_jax.records.formats.described import read_description
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.records.wfdb_headers import read_header

HERE = Path(__file__).parent
PACKAGES = ("pyedflib", "pydicom", "defusedxml", "h5py")
# Megabytes that a worker may take (tests/records/test_memory.py), the packages included.
PEAK = 1500


def read_damaged(folder: Path, cases: int, seed: int, kinds: tuple[str, ...], seconds: float) -> dict:
    """What became of damaged files; fails with the lines of those that ended otherwise than they may."""
    for package in PACKAGES:
        pytest.importorskip(package)
    command = [sys.executable, "made_damage.py", str(folder), str(cases), str(seed), *kinds]
    environment = os.environ | {"PYTHONPATH": f"{HERE.parents[1]}", "PYTHONFAULTHANDLER": "1"}
    done = subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    *wrong, last = done.stdout.strip().splitlines()
    assert not wrong, "\n".join(wrong)
    return json.loads(last)


def test_damaged_files_are_recordings_or_refusals(tmp_path: Path) -> None:
    found = read_damaged(tmp_path, 30, 0, KINDS[:-1], 120)
    assert found["peak_mb"] < PEAK
    for kind, one in found["kinds"].items():
        assert one["cases"] == 30
        assert 0 < one["refused"] < 30, kind  # some damage does no harm, some does
        assert one["slowest"] < 5, kind


@pytest.mark.slow
def test_thousands_of_damaged_files(tmp_path: Path) -> None:
    """FUZZ cases of each kind, 2,000 unless told; SEED starts others."""
    cases, seed = int(os.environ.get("FUZZ", "2000")), int(os.environ.get("SEED", "1"))
    found = read_damaged(tmp_path, cases, seed, KINDS[:-1], 60 + cases)
    print(json.dumps(found))
    assert found["peak_mb"] < PEAK
    assert max(one["slowest"] for one in found["kinds"].values()) < 5


@pytest.mark.slow
def test_thousands_of_damaged_real_files(
    tmp_path: Path, real_ecg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COREECG_REAL_ECG", str(real_ecg))
    found = read_damaged(tmp_path, int(os.environ.get("FUZZ", "2000")), 2, ("real",), 600)
    print(json.dumps(found))
    assert found["peak_mb"] < PEAK


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(max_codepoint=0x2FF), max_size=300), st.integers(0, 10**6))
def test_any_text_is_a_header_a_table_a_description_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("text")
    header = "r 2 500 1000\nr.dat 16 200/mV 16 0 0 0 0 I\nr.dat 16 200/mV 16 0 0 0 0 II\n"
    said = "sampling_rate: 500\nunit: mV\nleads: [I, II]\n"
    for path, read, whole in (
        (folder / "r.hea", read_header, header),
        (folder / "r.csv", read_csv, "I,II\n0.1,0.2\n"),
        (folder / "r.yaml", read_description, said),
    ):
        for raw in (text.encode("utf-8", "replace"), damage(whole.encode(), random.Random(seed))):
            path.write_bytes(raw)
            with contextlib.suppress(RecordingRefused):
                read(path)
