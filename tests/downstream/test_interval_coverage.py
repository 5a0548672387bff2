"""How often the 95 % interval holds the true AUROC, on scores whose AUROC is known in closed form.

Scores are binormal: N(0, 1) of negatives and N(SHIFT, 1) of positives, AUROC = Phi(SHIFT / sqrt(2)). Data
sets stand side by side as classes; a batch of them shares its resamples.
"""

import numpy as np
import pytest
from scipy.stats import norm

from coreecg_jax.downstream.bootstrap import bootstrap_aurocs, patient_resamples

SHIFT = 1.5


def _coverage(draw, truth, patients, *, data_sets, batch=50, resamples=1000):
    """The share of data sets whose interval holds the truth; `draw(rng, batch)` gives scores and labels."""
    held = []
    for seed in range(data_sets // batch):
        scores, labels = draw(np.random.default_rng([seed, 1]), batch)
        counts = patient_resamples(patients, resamples=resamples, seed=seed)
        intervals = bootstrap_aurocs(scores, labels, counts).intervals()
        held += [interval.low <= truth <= interval.high for interval in intervals]
    return np.mean(held)


def _independent(recordings, positives, **options):
    """Coverage with recordings of as many patients."""
    labels = np.arange(recordings) < positives

    def draw(rng, batch):
        labels_nC = np.broadcast_to(labels[:, None], (recordings, batch))
        return rng.normal(size=(recordings, batch)) + SHIFT * labels_nC, labels_nC

    return _coverage(draw, norm.cdf(SHIFT / np.sqrt(2)), np.arange(recordings), **options)


def _clustered(patients, *, by_patient, **options):
    """Coverage with three recordings a patient: one label, and half of the variance shared."""
    patient_of = np.repeat(np.arange(patients), 3)
    labels = patient_of < patients // 5

    def draw(rng, batch):
        shared, own = rng.normal(size=(patients, batch))[patient_of], rng.normal(size=(3 * patients, batch))
        labels_nC = np.broadcast_to(labels[:, None], own.shape)
        return np.sqrt(0.5) * (shared + own) + SHIFT * labels_nC, labels_nC

    drawn = patient_of if by_patient else np.arange(3 * patients)
    return _coverage(draw, norm.cdf(SHIFT / np.sqrt(2)), drawn, **options)


def test_intervals_of_few_data_sets_cover_about_as_they_say():
    # With 40 positives 92.6 % of 4,000; here the standard error is 0.7 %.
    assert 0.89 <= _independent(400, 40, data_sets=1500, resamples=200) <= 0.96


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say():
    # 2,000 data sets: the standard error of the coverage is 0.5 %.
    assert 0.93 <= _independent(2000, 200, data_sets=2000) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("recordings", [100, 2000])
def test_intervals_of_ten_positives_cover_less(recordings):
    assert 0.85 <= _independent(recordings, 10, data_sets=2000) <= 0.92  # 89.2 and 87.6 %, docs/evaluation.md


@pytest.mark.slow
def test_recordings_of_one_patient_need_a_bootstrap_of_patients():
    by_patient, by_recording = (_clustered(300, by_patient=each, data_sets=1000) for each in (True, False))
    assert 0.925 <= by_patient <= 0.975
    assert by_recording < 0.88
