"""The scikit-learn transformer: its conventions, and a probe in three lines."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import coreecg_jax
from coreecg_jax.export.transformer import CoReECGEmbedder

# Those of check_estimator that need no table of numbers: recordings are arrays of three dimensions.
CHECKS = (
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
)


@pytest.mark.parametrize("name", CHECKS)
def test_the_conventions_of_scikit_learn_hold(name: str) -> None:
    getattr(estimator_checks, name)("CoReECGEmbedder", CoReECGEmbedder())


def test_check_estimator_has_nothing_more_to_say() -> None:
    """It asks for tables; told that there are none it says so."""
    with pytest.warns(Warning, match="Can't test estimator CoReECGEmbedder"):
        estimator_checks.check_estimator(CoReECGEmbedder())


def test_a_rate_that_was_forgotten_is_not_guessed(bundle, ecg) -> None:
    with pytest.raises(ValueError, match="fs: expected the sampling rate of the recordings in Hz, got none"):
        CoReECGEmbedder(bundle).fit([ecg])
    with pytest.raises(ValueError, match="number of Hz above 0, got 'fast'"):
        CoReECGEmbedder(bundle, fs="fast").fit([ecg])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"leads": ("I", "X")}, "unknown lead 'X': expected one of I"),
        ({"leads": "I"}, r"leads: expected several names, got the text 'I'"),
        ({"bad_leads": "drop"}, "bad_leads: expected one of refuse, mask, got 'drop'"),
    ],
)
def test_what_makes_no_sense_is_told_as_it_is_fitted(bundle, ecg, wrong, said) -> None:
    """A pipeline that fits in one process may transform in another, hours later."""
    with pytest.raises(ValueError, match=said):
        CoReECGEmbedder(bundle, fs=500, **wrong).fit([ecg])


def test_a_probe_is_three_lines(written, ecg) -> None:
    recordings = np.stack([ecg, 1.5 * ecg, ecg[:, ::-1], 0.7 * ecg[:, ::-1]])
    probe = make_pipeline(coreecg_jax.CoReECGEmbedder(written, fs=500), LogisticRegression())
    probe.fit(recordings, [0, 0, 1, 1])
    assert probe.predict(recordings).tolist() == [0, 0, 1, 1]


def test_it_is_the_bundle_and_nothing_is_learned(bundle, written, ecg) -> None:
    embedder = CoReECGEmbedder(bundle, fs=500.0)
    with pytest.raises(NotFittedError):
        embedder.transform([ecg])
    several = [ecg, ecg[:, :4000]]
    out = embedder.fit_transform(several)
    np.testing.assert_array_equal(out, bundle.embed(several, fs=500))
    np.testing.assert_allclose(embedder.transform(several[::-1]), out[::-1], atol=1e-5)
    np.testing.assert_allclose(embedder.transform(several[:1]), out[:1], atol=1e-5)
    assert out.shape == (2, bundle.width)
    assert embedder.get_feature_names_out()[0] == "coreecgembedder0"
    assert len(embedder.get_feature_names_out()) == bundle.width
    fresh = clone(embedder)
    assert fresh.get_params()["fs"] == 500.0
    assert not hasattr(fresh, "bundle_")
    again = pickle.loads(pickle.dumps(CoReECGEmbedder(written, fs=500).fit(several)))
    np.testing.assert_allclose(again.transform(several), out, atol=1e-6)
