"""Views of normalised recordings."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from made_signals import all_available, made_ecg

from coreecg_jax.method.normalisation import normalise

RATE = 100.0


@functools.partial(jax.jit, static_argnums=0, static_argnames="rate")
def view_of(fda, parameters, key, ecg, available, rate=RATE):
    return fda(parameters, key, ecg, available, sampling_rate=rate)


def normal_ecg(recordings=3, samples=300, seed=0):
    ecg = made_ecg(recordings, samples, seed=seed)
    return np.array(jax.jit(normalise)(ecg, all_available(ecg)).ecg_BLT)


def parameters_of(fda, ecg, rate=RATE):
    return fda.init(ecg.shape[-1], rate)


def learned(seed=5, a=0.7):
    """Parameters as they may stand after training."""
    return {"s": jnp.asarray(np.random.default_rng(seed).normal(0, 2, 17), jnp.float32), "a": jnp.float32(a)}
