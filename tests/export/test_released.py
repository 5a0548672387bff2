"""The encoder that comes with the package is whole, and does what it did when it was exported."""

import numpy as np
import pytest

import coreecg_jax
from coreecg_jax.export import folder
from coreecg_jax.export.loading import RELEASED
from coreecg_jax.export.vectors import TOLERANCE, read_vectors


@pytest.fixture(scope="module")
def bundle():
    return coreecg_jax.load()


def test_it_is_whole_and_says_where_it_is_from(bundle) -> None:
    assert set(folder.require_intact(RELEASED)) >= {folder.CONFIG, folder.TENSORS, folder.VECTORS}
    training = bundle.description.training
    assert "ptbxl:fold1-8" in training.data  # folds 9 and 10 were never seen
    assert set(training.manifests) == {name.partition(":")[0] for name in training.data.split(", ")}
    assert bundle.description.accuracy


def test_it_gives_its_test_vectors(bundle) -> None:
    vectors = read_vectors(RELEASED / folder.VECTORS)
    names = bundle.description.preprocessing.leads
    there = vectors.available[0]
    rate = bundle.description.preprocessing.sampling_rate
    leads = [name for name, is_there in zip(names, there) if is_there]
    embedding = bundle.embed(vectors.ecg[0][there], fs=rate, leads=leads, conditioned=True)
    np.testing.assert_allclose(embedding[0], vectors.embedding[0], atol=TOLERANCE)
