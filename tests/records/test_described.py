"""What an `ecg.yaml` may not say."""

from pathlib import Path

import numpy as np
import pytest
from made_formats import (
    refused,
)
from made_recordings import made_ecg


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
