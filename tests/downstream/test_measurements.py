"""Rate, width and amplitude of beats that were made with known ones."""

import dataclasses

import numpy as np
import pytest
from made_cohorts import made_recordings

from coreecg_jax.downstream.measurements import HEART_RATE, QRS_WIDTH, measured
from coreecg_jax.records.schema import Preprocessing

RATE = 250.0


def beating(rates, widths):
    """10 s each: beats of a whole sine wave, as wide as said (ms), 1.5 mV from peak to peak in lead II."""
    ecg = np.zeros((len(rates), 12, 2500))
    for row, (rate, width) in enumerate(zip(rates, widths)):
        samples = round(width / 1000 * RATE)
        wave = 750 * np.sin(2 * np.pi * np.arange(samples + 1) / samples)
        for start in np.arange(0.4, 9.6, 60 / rate):
            first = round(start * RATE)
            ecg[row, :, first : first + samples + 1] += np.linspace(0.5, 1.6, 12)[:, None] * wave
        ecg[row, 1] *= 1 / np.linspace(0.5, 1.6, 12)[1]
    made = made_recordings(len(rates))
    samples = np.full(len(rates), 2500, np.int32)
    return dataclasses.replace(
        made, ecg=ecg.astype(np.int16), length=samples, preprocessing=Preprocessing(sampling_rate=RATE)
    )


def test_rate_width_and_amplitude_are_those_that_were_made():
    found = measured(beating([50, 75, 120], [80, 120, 100]))
    np.testing.assert_allclose(found[HEART_RATE], [50, 75, 120], rtol=0.02)
    np.testing.assert_allclose(found[QRS_WIDTH], [80, 120, 100], atol=20)
    np.testing.assert_allclose(found["QRS amplitude II (mV)"], 1.5, rtol=0.05)


def test_what_cannot_be_measured_is_not_a_number():
    recordings = beating([60, 60], [100, 100])
    quality = recordings.quality.copy()
    quality[0, 6] = 1
    ecg = recordings.ecg.copy()
    ecg[1] = 0
    found = measured(dataclasses.replace(recordings, quality=quality, ecg=ecg))
    assert found[HEART_RATE][0] == pytest.approx(60, rel=0.02)
    assert np.isnan(found["QRS amplitude V1 (mV)"][0])
    assert all(np.isnan(values[1]) for values in found.values())
