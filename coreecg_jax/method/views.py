"""FDA, frequency dynamic augmentation: a view of a recording with its unimportant frequencies rescaled.

The importance of a frequency band is a learned logit plus how much energy this recording has there.
Important bands pass, the others are scaled at random; one real gain serves all leads of a recording,
so lead relations hold and no phase is moved. The formulas and why the bands are broad: docs/method.md.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.method.division import each_its_own

MODES = ("learned", "energy", "uniform", "per_bin", "off")
BAND_SPACING = 3.0  # Hz
HIGHEST_BAND = 48.0  # Hz; gain 1 from one spacing above it
INFORMED_BELOW = 40.0  # Hz; above, the stored signal is filtered away and its energy says nothing
_ENERGY_FLOOR = 1e-6  # of the recording's energy: keeps the logarithm of an empty band finite
# Of a view; its square is still a float32, so the gradient at a recording without signal is 0, not NaN.
_SMALLEST_ENERGY = 1e-12


class View(NamedTuple):
    """What FDA returns."""

    ecg_BLT: jax.Array  # float32, with the energy of the input
    protected_BM: jax.Array  # float32 in [0, 1]: 1 passes the band untouched
    gain_BF: jax.Array  # float32, real, before the energy was restored


@dataclasses.dataclass(frozen=True)
class FDA:
    """Settings of frequency dynamic augmentation.

    Attributes:
      mode: 'learned'; 'energy' (importance is the recording's energy alone); 'uniform' (every band
        half protected); 'per_bin' (a gain for each bin of the FFT: an ablation, it smears beats
        over the time mask); 'off' (the view is the recording).
      tau: temperature of the relaxed Bernoulli gate.
      sigma: standard deviation of the random log gain of an unprotected band.
      adversarial: reverse the gradient of the importance, towards views that are hard.
    """

    mode: str = "learned"
    tau: float = 0.3
    sigma: float = 0.8
    adversarial: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"view.mode: expected one of {', '.join(MODES)}, got {self.mode!r}")
        if self.tau <= 0 or self.sigma < 0:
            raise ValueError(f"view: expected tau > 0 and sigma >= 0, got tau={self.tau}, sigma={self.sigma}")

    def init(self, samples: int, sampling_rate: float) -> dict[str, jax.Array]:
        """Parameters: `s` float32[M], a logit a band, from 0; `a`, the weight of the energy, from 0.5."""
        bands = len(self.centres(samples, sampling_rate))  # not the bands themselves: they may be large
        return {"s": jnp.zeros(bands, jnp.float32), "a": jnp.asarray(0.5, jnp.float32)}

    def bands(self, samples: int, sampling_rate: float) -> np.ndarray:
        """Weights float32[M, F] of each band (or bin) at each rfft frequency."""
        frequencies_F = np.fft.rfftfreq(samples, 1 / sampling_rate)
        if self.mode == "per_bin":
            return np.eye(len(frequencies_F), dtype=np.float32)
        distance_MF = np.abs(frequencies_F[None, :] - _centres()[:, None])
        return np.maximum(0, 1 - distance_MF / BAND_SPACING).astype(np.float32)

    def centres(self, samples: int, sampling_rate: float) -> np.ndarray:
        """The frequency float64[M] in Hz for which each logit stands."""
        return np.fft.rfftfreq(samples, 1 / sampling_rate) if self.mode == "per_bin" else _centres()

    def __call__(
        self,
        parameters: dict[str, jax.Array],
        key: jax.Array,
        ecg_BLT: jax.Array,
        available_BL: jax.Array,
        *,
        sampling_rate: float,
    ) -> View:
        """The view of each recording; `ecg_BLT` float32 with zero mean a lead, gates drawn a recording."""
        samples = ecg_BLT.shape[-1]
        bands_MF = self.bands(samples, sampling_rate)
        if self.mode == "off":
            shape_B = ecg_BLT.shape[:1]
            ones = (jnp.ones((*shape_B, size), jnp.float32) for size in bands_MF.shape)
            return View(ecg_BLT, *ones)
        spectrum_BLF = each_its_own(jnp.fft.rfft)(ecg_BLT.astype(jnp.float32))  # rfft knows no bfloat16
        power_BF = (jnp.abs(spectrum_BLF) ** 2 * available_BL[:, :, None]).sum(1)
        informed_M = self.centres(samples, sampling_rate) <= INFORMED_BELOW
        gate_key, gain_key = jax.random.split(key)
        logit_BM = self._logit(parameters, band_energy(power_BF, bands_MF, informed_M))
        protected_BM = self._gate(gate_key, logit_BM)
        z_BM = jax.random.normal(gain_key, protected_BM.shape)
        gain_BF = jnp.exp(self.sigma * ((1 - protected_BM) * z_BM) @ bands_MF)
        back = each_its_own(functools.partial(jnp.fft.irfft, n=samples))
        view_BLT = back(spectrum_BLF * gain_BF[:, None, :])
        return View(_with_energy_of(view_BLT, ecg_BLT), protected_BM, gain_BF)

    def curve(self, view: View, samples: int, sampling_rate: float) -> dict[int, jax.Array]:
        """The importance curve: mean protection around each band's centre, the centre in whole Hz."""
        centre_C, frequency_M = _centres(), self.centres(samples, sampling_rate)
        near_CM = np.abs(frequency_M[None, :] - centre_C[:, None]) <= BAND_SPACING / 2
        protected_CM = jnp.broadcast_to(view.protected_BM.mean(0), near_CM.shape)
        return dict(zip(centre_C.round().astype(int).tolist(), protected_CM.mean(1, where=near_CM)))

    def _logit(self, parameters: dict[str, jax.Array], energy_BM: jax.Array) -> jax.Array:
        """Importance standardised over bands: a budget, of which about half is protected whatever s."""
        if self.mode == "energy":
            return _standardise(energy_BM)
        s_M, a = parameters["s"], parameters["a"]
        if self.adversarial:
            s_M, a = _reverse_gradient(s_M), _reverse_gradient(a)
        return _standardise(s_M[None, :] + a * energy_BM)

    def _gate(self, key: jax.Array, logit_BM: jax.Array) -> jax.Array:
        if self.mode == "uniform":
            return jnp.full_like(logit_BM, 0.5)
        noise_BM = jax.random.logistic(key, logit_BM.shape)
        return jax.nn.sigmoid((logit_BM + noise_BM) / self.tau)


def band_energy(power_BF: jax.Array, bands_MF: np.ndarray, informed_M: np.ndarray) -> jax.Array:
    """Log energy of each band, standardised over the informed bands; 0 (neutral) in the others."""
    total_B1 = power_BF.sum(-1, keepdims=True)
    log_BM = jnp.log(power_BF @ bands_MF.T + _ENERGY_FLOOR * total_B1 + jnp.finfo(jnp.float32).tiny)
    weight_1M = jnp.asarray(informed_M, jnp.float32)[None, :]
    mean_B1 = (log_BM * weight_1M).sum(-1, keepdims=True) / weight_1M.sum()
    variance_B1 = ((log_BM - mean_B1) ** 2 * weight_1M).sum(-1, keepdims=True) / weight_1M.sum()
    return (log_BM - mean_B1) * jax.lax.rsqrt(variance_B1 + 1e-6) * weight_1M


def _centres() -> np.ndarray:
    return np.arange(0.0, HIGHEST_BAND + BAND_SPACING / 2, BAND_SPACING)


def _standardise(x_BM: jax.Array) -> jax.Array:
    centred_BM = x_BM - x_BM.mean(-1, keepdims=True)
    # The floor keeps the gradient finite where all bands are equally important.
    return centred_BM * jax.lax.rsqrt((centred_BM**2).mean(-1, keepdims=True) + 1e-6)


def _with_energy_of(view_BLT: jax.Array, ecg_BLT: jax.Array) -> jax.Array:
    ratio_B = (ecg_BLT**2).sum((1, 2)) / jnp.maximum((view_BLT**2).sum((1, 2)), _SMALLEST_ENERGY)
    return view_BLT * jnp.sqrt(jnp.maximum(ratio_B, _SMALLEST_ENERGY))[:, None, None]


def _reverse_gradient(x: jax.Array) -> jax.Array:
    return jax.lax.stop_gradient(2 * x) - x
