import dataclasses

import numpy as np
import pytest
from made_cohorts import made_recordings

from coreecg_jax.downstream.spectrum import mean_power

FREQUENCY = np.array([0.0, 3.0, 6.0, 9.0])


def of_tone(hertz, recordings):
    """All recordings replaced by one tone, each at a voltage of its own."""
    time = np.arange(recordings.ecg.shape[-1]) / recordings.preprocessing.sampling_rate
    voltage = np.linspace(100, 2000, len(recordings))[:, None, None]
    ecg = np.broadcast_to(voltage * np.sin(2 * np.pi * hertz * time), recordings.ecg.shape)
    return dataclasses.replace(recordings, ecg=ecg.astype(np.int16))


def test_a_tone_has_its_energy_at_its_frequency():
    power = mean_power(of_tone(6.0, made_recordings(4)), FREQUENCY)
    np.testing.assert_allclose(power / power.sum(), [0, 0, 1, 0], atol=0.03)


def test_white_noise_has_the_same_power_everywhere():
    noise = np.random.default_rng(0).normal(0, 300, made_recordings(40).ecg.shape).astype(np.int16)
    power = mean_power(dataclasses.replace(made_recordings(40), ecg=noise), FREQUENCY)
    np.testing.assert_allclose(power[1:] / power[1:].mean(), 1, atol=0.1)
    assert power[0] < power[1]  # each lead's mean is taken away


def test_each_recording_counts_alike():
    low, high = of_tone(3.0, made_recordings(4)), of_tone(9.0, made_recordings(4))
    quiet = dataclasses.replace(low, ecg=np.concatenate([low.ecg[:2] // 10, high.ecg[2:]]))
    power = mean_power(quiet, FREQUENCY)
    np.testing.assert_allclose(power / power.sum(), [0, 0.5, 0, 0.5], atol=0.03)


def test_recordings_without_signal_are_told():
    silent = dataclasses.replace(made_recordings(2), ecg=np.zeros_like(made_recordings(2).ecg))
    with pytest.raises(ValueError, match="carries signal"):
        mean_power(silent, FREQUENCY)
