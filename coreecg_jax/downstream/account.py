"""What can be said of one pretraining run without labels: all that its report shows, as plain data."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from coreecg_jax.downstream.examples import Example, example_of
from coreecg_jax.downstream.mask_leakage import MaskLeakage, mask_leakage
from coreecg_jax.downstream.reconstruction import ExplainedVariance
from coreecg_jax.downstream.recovery import BATCH_SIZE, compare, jitted_forward
from coreecg_jax.downstream.spectrum import mean_power
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.objective import Objective

# Enough for stable means, few enough for seconds.
MOST_RECORDINGS = 200
WHOLE_TOKENS = ("dual", "time", "lead", "rank_aware")  # mask modes of whole columns and leads


class Similarities(NamedTuple):
    """Cosine similarities of projections, float64 arrays."""

    positive: np.ndarray  # two views of one recording
    negative: np.ndarray  # views of recordings of different patients


class Account(NamedTuple):
    """Of one run, on validation recordings."""

    example: Example
    explained: (
        dict[str, ExplainedVariance] | None
    )  # None where the mask hides single tokens, or leads are missing
    leakage: tuple[MaskLeakage, ...] | None  # None where no recording has all leads
    frequency_hz: np.ndarray
    power: np.ndarray  # mean over the recordings, at `frequency_hz`
    similarities: Similarities | None  # None where all recordings are of one patient
    validation_windows: int  # that were used


def account_of(
    name: str,
    objective: Objective,
    parameters: dict[str, Any],
    train: Recordings,
    validation: Recordings,
    *,
    frequency_hz: np.ndarray,
) -> Account:
    """The account of a run; of larger data sets, the first `MOST_RECORDINGS` windows that are long enough.

    Args:
      name: of the run, its row among the references.
      objective, parameters: of the run.
      train: recordings from which the linear regression is fitted.
      validation: recordings to be looked at.
      frequency_hz: where the spectrum is wanted.
    """
    train, validation = (_long_enough(objective, some) for some in (train, validation))
    explained = None
    if objective.lambda_r and objective.stdm.mode in WHOLE_TOKENS and train.available.all(1).any():
        explained = compare({name: (objective, parameters)}, train, validation)
    complete = bool(train.available.all(1).any() and validation.available.all(1).any())
    leaks = functools.partial(mask_leakage, samples=objective.crop_samples, columns=objective.columns)
    one_patient = len(np.unique(validation.patient_key)) == 1
    return Account(
        example=example_of(objective, parameters, validation, 0, batch_size=BATCH_SIZE),
        explained=explained,
        leakage=tuple(leaks(train, validation)) if complete else None,
        frequency_hz=frequency_hz,
        power=mean_power(validation, frequency_hz),
        similarities=None if one_patient else similarities(objective, parameters, validation),
        validation_windows=len(validation),
    )


def similarities(
    objective: Objective, parameters: dict[str, Any], recordings: Recordings, *, batch_size: int = BATCH_SIZE
) -> Similarities:
    """Of each recording's two views, and of views of different patients within a batch.

    The same crops, views and masks in every call.

    Raises:
      ValueError: when all recordings are of one patient.
    """
    forward = jitted_forward(objective)
    positive: list[np.ndarray] = []
    negative: list[np.ndarray] = []
    for number, first in enumerate(range(0, len(recordings), batch_size)):
        rows = np.arange(first, first + batch_size)
        real = rows < len(recordings)  # the last batch is filled with copies, so that all have one shape
        batch = recordings.batch(np.minimum(rows, len(recordings) - 1))
        key = jax.random.fold_in(jax.random.key(0), number)
        output = forward(parameters, key, batch.ecg, batch.length, batch.available).output
        z1_BE, z2_BE = (z[real] for z in np.split(np.asarray(output.projection_BE, np.float64), 2))
        patient_B = batch.patient[real]
        similarity_BB = z1_BE @ z2_BE.T
        positive.append(np.diagonal(similarity_BB))
        negative.append(similarity_BB[patient_B[:, None] != patient_B[None, :]])
    return Similarities(np.concatenate(positive), _joined(negative))


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    joined = np.concatenate(parts)
    if not len(joined):
        raise ValueError("similarities: expected recordings of at least two patients, got one")
    return joined


def _long_enough(objective: Objective, recordings: Recordings) -> Recordings:
    """The first windows that hold a crop."""
    rows = np.flatnonzero(recordings.length >= objective.crop_samples)
    return recordings.take(rows[:MOST_RECORDINGS])
