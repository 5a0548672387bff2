"""What the tests of several files ask, without data, encoders or trainings."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Data set -> digest of its manifest, of what lies in any folder."""
    from made_asking import lie  # loads what is evaluated with, which most tests here do without

    return lie(monkeypatch)


@pytest.fixture
def held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lying: dict[str, str]) -> Any:
    """A task of three sources; which were opened; and at which the machine stops."""
    from made_asking import hold_out

    return hold_out(tmp_path, monkeypatch)


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two rows, two seeds, one question; what is trained and asked is written down."""
    from made_sweeps import make_sweep

    return make_sweep(tmp_path, monkeypatch)
