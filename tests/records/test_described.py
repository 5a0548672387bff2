"""What an `ecg.yaml` may not say."""

from pathlib import Path

import numpy as np
import pytest
from made_formats import (
    refused,
)
from made_recordings import LEADS, made_ecg

from coreecg_jax.records.formats.files import read_recording
from coreecg_jax.records.refusals import Reason


def test_numbers_are_read_as_python_reads_them(tmp_path: Path) -> None:
    """YAML 1.1 takes 1e-3 for text."""
    named = f"leads: [{', '.join(LEADS)}]\n"
    np.save(tmp_path / "r.npy", np.rint(made_ecg() * 1000))
    (tmp_path / "ecg.yaml").write_text(f"sampling_rate: 5e2\nmillivolts_per_unit: 1e-3\n{named}")
    recording = read_recording(tmp_path / "r.npy")
    assert recording.sampling_rate == 500.0
    np.testing.assert_allclose(recording.ecg_LT, made_ecg(), atol=1e-3)
    for text in ("1e-3 mV", "nan", "inf", "-1e-3"):
        (tmp_path / "ecg.yaml").write_text(f"sampling_rate: 500\nmillivolts_per_unit: {text}\n{named}")
        assert refused(tmp_path / "r.npy").reason == Reason.UNKNOWN_UNIT


def test_leads_that_nobody_names_are_told(tmp_path: Path) -> None:
    (tmp_path / "ecg.yaml").write_text("sampling_rate: 500\nunit: mV\n")
    np.save(tmp_path / "r.npy", made_ecg())
    np.savetxt(tmp_path / "r.csv", made_ecg().T, delimiter=",")
    for suffix in ("npy", "csv"):
        assert "lacks leads: [I, II, …], the names" in refused(tmp_path / f"r.{suffix}").sentence


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        "unit: mV",
        "sampling_rate: true\nunit: mV",
        "sampling_rate: .nan\nunit: mV",
        "sampling_rate: 500",
        "sampling_rate: 500\nunit: mmHg",
        "sampling_rate: 500\nunit: mV\nmillivolts_per_unit: 1",
        "sampling_rate: 500\nmillivolts_per_unit: -1",
        "sampling_rate: 500\nunit: mV\nhz: 500",
        "sampling_rate: 500\nunit: mV\nleads: I",
        "sampling_rate: 500\nunit: mV\nleads: [I, i]",
        "sampling_rate: !!python/object/apply:os.system ['true']\nunit: mV",
        "a: &a [x, x]\nb: &b [*a, *a]\nsampling_rate: *b",
        "[" * 5000,
    ],
)
def test_descriptions_that_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "ecg.yaml").write_text(text)
    np.save(tmp_path / "r.npy", made_ecg())
    refused(tmp_path / "r.npy")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("units: mV", "got 'units' (did you mean unit?)"),
        ("Unit: mV", "got 'Unit' (did you mean unit?)"),
        ("unit: mV\nmillivolt_per_units: 1", "got 'millivolt_per_units' (did you mean millivolts_per_unit?)"),
        (
            "unit: mV\nlead: [I]\nhz: 500",
            "got 'lead' (did you mean leads?), 'hz' (did you mean sampling_rate?)",
        ),
        ("unit: mV\nhospital: ours", "got 'hospital'"),
        ("unit: mV\n12: 5", "got '12'"),
    ],
)
def test_a_key_that_is_not_known_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "ecg.yaml").write_text(f"sampling_rate: 500\n{line}\n")
    np.save(tmp_path / "r.npy", made_ecg())
    expected = "ecg.yaml: expected keys among sampling_rate, unit, millivolts_per_unit, leads, dataset"
    assert refused(tmp_path / "r.npy").sentence == f"{expected}, {said}"


def test_what_lacks_a_rate_says_so(tmp_path: Path) -> None:
    (tmp_path / "ecg.yaml").write_text("unit: mV\n")
    np.save(tmp_path / "r.npy", made_ecg())
    assert refused(tmp_path / "r.npy").sentence.startswith("ecg.yaml: expected sampling_rate: a number of Hz")
