"""What the electrodes pick up besides the ventricles: drift, muscle, mains, and fibrillating atria.

Everything is made at electrodes, so that leads derived from them keep their relations. A person who lies
still has little of it, another has much: sizes are drawn log-normal.
"""

import functools

import numpy as np
import scipy.fft

from coreecg_jax.records.simulator.electrodes import ELECTRODES
from coreecg_jax.records.simulator.rhythm import Respiration

_E = len(ELECTRODES)
# Median sizes, mV.
_DRIFT = 0.030
_BREATH_DRIFT = 0.016
_MUSCLE = 0.0055
_MAINS = 0.0015
_MUSCLE_AT = np.array([1.1, 1.1, 1.0, 1.0, 1.5, 1.6, 1.5, 1.25, 1.0])[
    :, None
]  # the pectoral lies below V2 to V4
_DRIFT_CORNER = 0.35  # Hz, above which drift falls as 1 / f^2 in power
_MUSCLE_BAND = (25.0, 75.0)  # Hz, between which the power of muscle noise is greatest

# How strongly electrodes see the right atrium and the rest of the atria while they fibrillate.
_RIGHT_ATRIUM = np.array([-0.12, -0.05, 0.25, 1.00, 0.55, 0.22, 0.10, 0.05, 0.05])
_OTHER_ATRIUM = np.array([-0.30, -0.05, 0.40, 0.25, 0.15, 0.10, 0.15, 0.15, 0.15])


def electrode_noise(rng: np.random.Generator, breath: Respiration, rate: float, seconds: float) -> np.ndarray:
    """float64[E, T] in mV: drift, breathing, muscle noise and mains at every electrode."""
    samples = round(seconds * rate)
    times_T = np.arange(samples) / rate
    contact_E1 = np.exp(rng.normal(0.0, 0.35, (_E, 1)))
    drift = _DRIFT * np.exp(rng.normal(0.0, 0.6)) * contact_E1
    muscle = _MUSCLE * np.exp(rng.normal(0.0, 0.55)) * contact_E1 * _MUSCLE_AT
    noise_ET = _coloured(rng, drift, muscle, samples, rate)
    noise_ET += _BREATH_DRIFT * np.exp(rng.normal(0.0, 0.5)) * rng.standard_normal((_E, 1)) * breath(times_T)
    mains_hertz = 50.0 if rng.random() < 0.6 else 60.0
    mains_E = _MAINS * np.exp(rng.normal(0.0, 0.9)) * contact_E1[:, 0] * rng.standard_normal(_E)
    phase_T = 2.0 * np.pi * mains_hertz * times_T + rng.uniform(0.0, 2.0 * np.pi)
    return noise_ET + mains_E[:, None] * np.sin(phase_T)


def fibrillatory_waves(rng: np.random.Generator, rate: float, seconds: float) -> np.ndarray:
    """float64[E, T] in mV: two atrial sources of 4 to 9 Hz, uneven like saw teeth, strongest in V1.

    Frequency wanders and size waxes and wanes (Stridh and Sörnmo 2001, doi:10.1109/10.900266).
    """
    times_T = np.arange(round(seconds * rate)) / rate
    size = 0.062 * np.exp(rng.normal(0.0, 0.4))
    frequency = float(np.clip(rng.normal(6.2, 0.9), 4.6, 8.4))
    right_T = _saw(rng, times_T, frequency)
    other_T = _saw(rng, times_T, float(np.clip(frequency + rng.normal(0.0, 0.4), 4.4, 8.6)))
    see_E = 1.0 + rng.normal(0.0, 0.15, _E)
    return size * see_E[:, None] * (np.outer(_RIGHT_ATRIUM, right_T) + np.outer(_OTHER_ATRIUM, other_T))


def _saw(rng: np.random.Generator, times_T: np.ndarray, frequency: float) -> np.ndarray:
    """float64[T] of size about 1: a wave with its second harmonic, frequency within 2 Hz of the given."""
    slow_hertz = rng.uniform(0.1, 0.5, 2)
    slow_phase = rng.uniform(0.0, 2.0 * np.pi, 3)
    deviation = rng.uniform(0.15, 0.4)  # Hz
    swing_T = np.sin(2.0 * np.pi * slow_hertz[0] * times_T + slow_phase[0])
    phase_T = 2.0 * np.pi * frequency * times_T + deviation / slow_hertz[0] * swing_T + slow_phase[2]
    fast_hertz, fast_phase = rng.uniform(0.8, 2.2), rng.uniform(0.0, 2.0 * np.pi)
    phase_T += 0.6 * np.sin(
        2.0 * np.pi * fast_hertz * times_T + fast_phase
    )  # else it would look like flutter
    envelope_T = 1.0 + 0.4 * np.sin(2.0 * np.pi * slow_hertz[1] * times_T + slow_phase[1])
    return envelope_T * (np.sin(phase_T) + 0.3 * np.sin(2.0 * phase_T + 0.6))


def _coloured(
    rng: np.random.Generator, drift_E1: np.ndarray, muscle_E1: np.ndarray, samples: int, rate: float
) -> np.ndarray:
    """float64[E, T]: Gaussian noise with the two spectra, of the given root mean squares."""
    size = scipy.fft.next_fast_len(samples + round(2.0 * rate), real=True)  # longer: no end meets its start
    drift_F, muscle_F = _spectra(size, rate)
    count = size // 2 + 1
    white = rng.standard_normal((2, _E, count), dtype=np.float32)
    spectrum_EF = (white[0] + 1j * white[1]) * np.sqrt(
        (drift_E1 * drift_F) ** 2 + (muscle_E1 * muscle_F) ** 2
    )
    return scipy.fft.irfft(spectrum_EF, size, axis=1)[:, :samples].astype(np.float64)


@functools.lru_cache(maxsize=8)
def _spectra(size: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Two float64[F]: amplitudes that give drift and muscle noise a root mean square of 1."""
    hertz_F = np.fft.rfftfreq(size, 1.0 / rate)
    drift_F = 1.0 / (1.0 + (hertz_F / _DRIFT_CORNER) ** 2)
    drift_F[0] = 0.0  # an offset of an electrode is no drift, and amplifiers take it off
    low, high = _MUSCLE_BAND
    muscle_F = 1.0 / np.sqrt((1.0 + (low / np.maximum(hertz_F, 1.0)) ** 2) * (1.0 + (hertz_F / high) ** 4))
    muscle_F[0] = 0.0
    # irfft of a spectrum S with independent parts of variance 1: variance 4 sum(S^2) / size^2.
    return tuple(a_F * size / np.sqrt(4.0 * np.sum(a_F**2)) for a_F in (drift_F, muscle_F))
