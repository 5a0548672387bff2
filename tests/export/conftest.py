"""One written bundle for all tests of this folder, and one simulated recording."""

import shutil
import warnings

import numpy as np
import pytest
from made_bundle import made_description, made_parameters

from coreecg_jax.export.loading import load
from coreecg_jax.export.writing import write_bundle
from coreecg_jax.records.simulator.simulate import simulate


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory):
    """The folder of a bundle without other formats; not to be changed."""
    folder = tmp_path_factory.mktemp("bundles") / "made"
    write_bundle(folder, made_description(), made_parameters(), formats=())
    return folder


@pytest.fixture
def copied(written, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(written, tmp_path / "copy")


@pytest.fixture(scope="session")
def bundle(written):
    return load(written)


@pytest.fixture(scope="session")
def ecg() -> np.ndarray:
    """float64[12, 5000] mV at 500 Hz."""
    return simulate(0, 1, 0, sampling_rate=500.0, seconds=10.0).ecg_LT


@pytest.fixture(scope="session")
def embedding(bundle, ecg) -> np.ndarray:
    """Of that recording, float32[1, F]."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return bundle.embed(ecg, fs=500)


@pytest.fixture(scope="session")
def made_of_each_pooling(tmp_path_factory: pytest.TempPathFactory):
    """Encoders in PyTorch, one of each pooling; not to be changed."""
    pytorch = pytest.importorskip("coreecg_jax.export.pytorch", reason="pip install 'coreecg-jax[torch]'")
    encoders = []
    for pooling in ("recording", "lead", "rhythm"):
        folder = tmp_path_factory.mktemp("poolings") / pooling
        write_bundle(folder, made_description(pooling=pooling), made_parameters(), formats=())
        encoders.append(pytorch.load(folder))
    return encoders
