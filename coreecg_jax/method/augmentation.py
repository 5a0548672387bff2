"""What is done to a crop before FDA: amplitude, noise, wander, gaps and leads that are absent."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from coreecg_jax.method.normalisation import SMALLEST_SCALE, Normalised

WANDER_HZ = (0.05, 0.5)  # breathing and movement of the electrodes
_BELOW = {"cutout": 1.0, "lead_dropout": 1.0}


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """The augmentations that are usual for ECG; what is random is drawn anew for each recording and view.

    By default nothing is done; `USUAL` has the strengths of the configs, none of which was tuned. Lead
    relations do not survive: each lead has its own amplitude and wander. Powerline hum is left out: stored
    signals have been filtered.

    Attributes:
      amplitude: standard deviation of a log-normal factor, one a lead; the factor of the whole recording is
        `objective.scale_jitter`, as in every method.
      noise: mV, the most standard deviation of white Gaussian noise; uniform from 0 up to it.
      wander: mV, the most amplitude of one sinusoid of `WANDER_HZ`; uniform from 0, and by lead from minus
        to plus that.
      cutout: the longest stretch set to 0 in all leads, a share of the crop; uniform from 0.
      lead_dropout: probability of each lead to be treated as not available; never all that there are.
    """

    amplitude: float = 0.0
    noise: float = 0.0
    wander: float = 0.0
    cutout: float = 0.0
    lead_dropout: float = 0.0

    def __post_init__(self) -> None:
        for name, strength in dataclasses.asdict(self).items():
            if not 0 <= strength < _BELOW.get(name, math.inf):
                most = f" and less than {_BELOW[name]:g}" if name in _BELOW else ""
                raise ValueError(f"augment.{name}: expected 0 or more{most}, got {strength}")

    @property
    def changes(self) -> bool:
        """Whether anything is done."""
        return any(dataclasses.astuple(self))

    def of_crop(self, key: jax.Array, crop: Normalised, *, sampling_rate: float) -> Normalised:
        """The crop augmented in mV, then on its own scale again."""
        scale_B11 = jnp.maximum(crop.scale_B, SMALLEST_SCALE)[:, None, None]
        augmented = self(key, crop.ecg_BLT * scale_B11, crop.available_BL, sampling_rate=sampling_rate)
        return on_own_scale(*augmented)

    def __call__(
        self, key: jax.Array, ecg_BLT: jax.Array, available_BL: jax.Array, *, sampling_rate: float
    ) -> tuple[jax.Array, jax.Array]:
        """Augmented float32[B, L, T] in mV, 0 in leads that are not available, and which leads still are."""
        scale_key, noise_key, wander_key, cutout_key, lead_key = jax.random.split(key, 5)
        factor_BL = jnp.exp(self.amplitude * jax.random.normal(scale_key, available_BL.shape))
        ecg_BLT = ecg_BLT * factor_BL[:, :, None]
        ecg_BLT += self._noise(noise_key, ecg_BLT.shape)
        ecg_BLT += self._wander(wander_key, ecg_BLT.shape, sampling_rate)
        ecg_BLT = jnp.where(self._cut(cutout_key, ecg_BLT.shape)[:, None], 0.0, ecg_BLT)
        available_BL = self.leads_left(lead_key, available_BL)
        return jnp.where(available_BL[:, :, None], ecg_BLT, 0.0), available_BL

    def _noise(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        strength_key, noise_key = jax.random.split(key)
        strength_B11 = jax.random.uniform(strength_key, (shape[0], 1, 1), maxval=self.noise)
        return strength_B11 * jax.random.normal(noise_key, shape)

    def _wander(self, key: jax.Array, shape: tuple[int, ...], sampling_rate: float) -> jax.Array:
        hertz_key, phase_key, strength_key, lead_key = jax.random.split(key, 4)
        each = (shape[0], 1, 1)
        hertz = jax.random.uniform(hertz_key, each, minval=WANDER_HZ[0], maxval=WANDER_HZ[1])
        phase = jax.random.uniform(phase_key, each, maxval=2 * jnp.pi)
        strength = jax.random.uniform(strength_key, each, maxval=self.wander)
        by_lead = jax.random.uniform(lead_key, (*shape[:2], 1), minval=-1.0, maxval=1.0)
        seconds_T = jnp.arange(shape[2]) / sampling_rate
        return strength * by_lead * jnp.sin(2 * jnp.pi * hertz * seconds_T[None, None] + phase)

    def _cut(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """bool[B, T], one stretch each."""
        length_key, start_key = jax.random.split(key)
        samples = shape[2]
        length_B1 = jax.random.uniform(length_key, (shape[0], 1), maxval=self.cutout * samples)
        start_B1 = jax.random.uniform(start_key, (shape[0], 1)) * (samples - length_B1)
        time_1T = jnp.arange(samples)[None]
        return (time_1T >= start_B1) & (time_1T < start_B1 + length_B1)

    def leads_left(self, key: jax.Array, available_BL: jax.Array) -> jax.Array:
        """Those that are not dropped; bool[B, L]."""
        left_BL = available_BL & ~jax.random.bernoulli(key, self.lead_dropout, available_BL.shape)
        return jnp.where(left_BL.any(1, keepdims=True), left_BL, available_BL)


USUAL = Augmentation(amplitude=0.2, noise=0.05, wander=0.2, cutout=0.3, lead_dropout=0.2)


def on_own_scale(ecg_BLT: jax.Array, available_BL: jax.Array) -> Normalised:
    """As `normalise`, without deriving limb leads: a lead that was dropped stays so, and enters no scale."""
    centred_BLT = (ecg_BLT - ecg_BLT.mean(-1, keepdims=True)) * available_BL[:, :, None]
    values_B = jnp.maximum(available_BL.sum(-1), 1) * ecg_BLT.shape[-1]
    scale_B = jnp.sqrt((centred_BLT**2).sum((1, 2)) / values_B)
    divisor_B = jnp.maximum(scale_B, SMALLEST_SCALE)
    return Normalised(centred_BLT / divisor_B[:, None, None], available_BL, scale_B)
