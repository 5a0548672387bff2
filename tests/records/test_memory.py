"""A worker stays below 1.5 GB, whatever the file: measured at a twentieth of the limit of samples."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_recordings import write_record

from coreecg_jax.records.formats import limits
from coreecg_jax.records.formats.arrays import read_csv, read_npy
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.records.wfdb_files import read_wfdb

HERE = Path(__file__).parent
SHARE = 1 / 20
MOST = 1500 - 150  # MB; the packages and what a worker holds besides take the rest
LARGEST = round(limits.MAX_VALUES * SHARE) // 12  # samples of each of twelve leads, or of one


def test_the_largest_recordings_take_less_than_a_worker_may() -> None:
    most, upsampled = MOST * SHARE, LARGEST * 80 // 250
    unresampled, slow, one, slower, longer = peaks(
        f"12x{LARGEST}@250",  # nothing becomes smaller on the way
        f"12x{upsampled}@80",  # at 250 Hz as large as may be
        f"1x{LARGEST}@500",
        f"12x{upsampled + 1}@80",
        f"1x{10 * LARGEST}@500",
    )
    assert (unresampled["status"], slow["status"], one["reason"]) == ("read", "read", "missing_lead")
    assert max(found["mb"] for found in (unresampled, slow, one)) < most
    assert slower["sentence"].startswith(f"at 250 Hz: expected at most {LARGEST} samples in each of 12")
    assert longer["sentence"] == (
        f"r.hea: expected at most {LARGEST} samples in each of 1 signals, got {10 * LARGEST}: "
        "cut the recording first"
    )
    assert longer["mb"] < 5  # refused before memory is asked for


def peaks(*cases: str) -> list[dict[str, Any]]:
    """What became of each recording, and its peak."""
    command = [sys.executable, "made_peak.py", str(SHARE), *cases]
    environment = os.environ | {"PYTHONPATH": f"{HERE.parents[1]}"}
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_few_signals_count_as_twelve_in_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_VALUES", 12 * 1000)
    said = "sampling_rate: 500\nunit: mV\nleads: [I]\n"
    (tmp_path / "ecg.yaml").write_text(said)
    for samples in (1000, 1001):
        one_1T = np.sin(np.arange(samples) / 9)[None]
        np.save(tmp_path / "rows.npy", one_1T)
        np.save(tmp_path / "columns.npy", one_1T.T)
        np.savetxt(tmp_path / "r.csv", one_1T.T)
        header = write_record(tmp_path, ecg=one_1T, names=["I"])
        uncounted = write_record(tmp_path, "uncounted", ecg=one_1T[:, : samples // 2], names=["I"])
        lines = uncounted.read_text().replace(f" 500 {samples // 2}", " 500", 1)
        uncounted.write_text(lines if samples == 1000 else lines.replace("uncounted.dat", "rec.dat"))
        for read, path in (
            (read_npy, tmp_path / "rows.npy"),
            (read_npy, tmp_path / "columns.npy"),
            (read_csv, tmp_path / "r.csv"),
            (read_wfdb, header),
            (read_wfdb, uncounted),
        ):
            if samples == 1000:
                assert read(path).present_L.tolist() == [True] + [False] * 11
            else:
                with pytest.raises(RecordingRefused, match="expected at most 1000 samples in each of 1 sig"):
                    read(path)
