"""Tasks on made recordings, and methods that answer them."""

import dataclasses

import numpy as np
from made_cohorts import PREPROCESSING

from coreecg_jax.downstream.fits import linear
from coreecg_jax.downstream.methods import PRETRAINED, RIVAL, Run
from coreecg_jax.downstream.tasks import Task

TASK = Task("made", "ptbxl_superclass", "train", test="test")
VALIDATED = Task("made", "ptbxl_superclass", "train", "validation", "test")
NESTED = Task("made", "ptbxl_superclass", "train")


def lead_powers(recordings):
    return recordings.ecg.std(axis=-1)


def noise(recordings):
    return np.random.default_rng(len(recordings)).normal(size=(len(recordings), 6))


def two_methods(preprocessing):
    assert preprocessing == PREPROCESSING
    rivals = Run("a", linear([noise])), Run("b", linear([lead_powers]))
    return {PRETRAINED: (Run("run", linear([lead_powers])),), RIVAL: rivals}


def joined(one, other):
    columns = {}
    for field in dataclasses.fields(one):
        values = getattr(one, field.name), getattr(other, field.name)
        if isinstance(values[0], np.ndarray):
            columns[field.name] = np.concatenate(values)
        elif isinstance(values[0], tuple):
            columns[field.name] = values[0] + values[1]
    return dataclasses.replace(one, **columns)
