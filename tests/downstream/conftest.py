"""Data sets in memory, and an evaluation of them."""

import dataclasses
import functools

import pytest
from made_cohorts import made_recordings
from made_tasks import joined, two_methods

from coreecg_jax.downstream import cohorts, fits, protocol
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.protocol import Seal, evaluate


@pytest.fixture
def data(monkeypatch):
    """Data sets in memory, specification -> recordings; and the specifications in the order of reading."""
    sets = {
        "train": made_recordings(120),
        "validation": made_recordings(60, first=500),
        "test": made_recordings(80, first=1000),
    }
    read = []

    def read_recordings(root, spec):
        read.append(spec)
        parts = [sets[name] for name in spec.split(", ")]
        return functools.reduce(joined, parts)

    monkeypatch.setattr(cohorts, "read_recordings", read_recordings)
    monkeypatch.setattr(protocol, "read_recordings", read_recordings)
    monkeypatch.setattr(protocol, "require_label_set", lambda root, task: None)  # no folder holds them
    monkeypatch.setattr(fits.fit_probe, "__kwdefaults__", {"strengths": (1.0,), "folds": 5})
    monkeypatch.setattr(fits.fit_validated_probe, "__kwdefaults__", {"strengths": (1.0,)})
    return sets, read


@pytest.fixture
def seal(tmp_path):
    return Seal(tmp_path / "openings.jsonl", {"run": 1})


@pytest.fixture
def ask(data, seal):
    """An evaluation that may look as often as it likes."""
    return functools.partial(
        evaluate,
        root="root",
        make_methods=two_methods,
        subset=Subset(),
        seal=dataclasses.replace(seal, allow_retest=True),
    )
