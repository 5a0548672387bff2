"""Recordings made for the tests, whose planted signal tells the PTB-XL superclasses, and a tiny encoder."""

import dataclasses

import numpy as np
from made_parameters import made_parameters

from coreecg_jax.downstream.methods import Encoder
from coreecg_jax.downstream.provenance import digest_of_parameters
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.network import CoReECG
from coreecg_jax.records.schema import Preprocessing, patient_key

PREPROCESSING = Preprocessing(sampling_rate=20.0, window_seconds=2.0)
CODES = ("NORM", "IMI", "NDT", "LAFB", "LVH")  # one of each superclass


def made_recordings(count, *, first=0, seed=0, source="ptbxl", **columns):
    """`count` recordings of one window; the mean of a chest lead tells which code a recording has."""
    rng = np.random.default_rng([seed, first])
    numbers = np.arange(first, first + count)
    code = rng.integers(0, len(CODES), count)
    samples = PREPROCESSING.window_samples
    ecg = rng.normal(0, 200, (count, 12, samples))
    ecg[np.arange(count), 6 + code] += 1000 * np.sin(np.arange(samples))
    made = {
        "ecg": ecg.astype(np.int16),
        "length": np.full(count, samples, np.int32),
        "quality": np.zeros((count, 12), np.int32),
        "recording_id": np.array([f"r{number}" for number in numbers]),
        "window": np.zeros(count, np.int32),
        "patient_id": np.array([f"p{number}" for number in numbers]),
        "patient_key": np.array([patient_key(source, f"p{n}") for n in numbers], np.uint32),
        "source": np.full(count, source),
        "fold": np.ones(count, np.int32),
        "labels": tuple((CODES[c],) for c in code),
        "likelihoods": tuple((100.0,) for _ in code),
        "age": np.full(count, 50, np.float32),
        "sex": np.full(count, "F"),
        "signal_hash": np.array([f"h{number}" for number in numbers]),
        "preprocessing": PREPROCESSING,
    }
    return Recordings(**{**made, **columns})


SIZES = {"width": 8, "depth": 1, "heads": 2, "decoder_width": 4, "decoder_depth": 1, "decoder_heads": 1}
NETWORK = CoReECG(patch=10, kernels=0, registers=1, projection=4, **SIZES)


def made_encoder(seed=0, trained_on="elsewhere", **changes):
    parameters = made_parameters(NETWORK, seed=seed)
    preprocessing = dataclasses.replace(PREPROCESSING, **changes)
    about = 100, seed, 1.0, preprocessing, trained_on, NETWORK
    return Encoder(f"runs/{seed}", *about, parameters, parameters, digest_of_parameters(parameters))
