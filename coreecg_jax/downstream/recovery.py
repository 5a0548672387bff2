"""How well a pretrained network recovers what was hidden, beside the three references."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.downstream.leakage import lead_covariance
from coreecg_jax.downstream.reconstruction import ExplainedVariance, explained_by_kind_and_lead
from coreecg_jax.downstream.references import beat_template_prediction, linear_prediction, mean_prediction
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.augmentation import Augmentation
from coreecg_jax.method.network import patchify
from coreecg_jax.method.normalisation import MILLIVOLTS_PER_STORED_UNIT, crop, normalise
from coreecg_jax.method.objective import Forward, Objective, make_targets

BEAT_TEMPLATE = "beat template"
BATCH_SIZE = 32  # recordings that are looked at together, everywhere: so the network is compiled once


class Recovered(NamedTuple):
    """Crops under a mask, and what the network says of them, on the recording's scale; numpy."""

    target_BLT: np.ndarray
    prediction_BLT: np.ndarray
    column_kept_BN: np.ndarray
    lead_kept_BL: np.ndarray
    available_BL: np.ndarray

    def judge(self, prediction_BLT: np.ndarray, patch: int) -> ExplainedVariance:
        """Explained variance of any prediction of these crops."""
        return explained_by_kind_and_lead(
            self.target_BLT,
            prediction_BLT,
            self.column_kept_BN,
            self.lead_kept_BL,
            patch=patch,
            available_BL=self.available_BL,
        )


@functools.lru_cache(maxsize=8)
def jitted_forward(objective: Objective) -> Callable[..., Forward]:
    """`objective.forward` without augmentation, of which what is recovered says nothing; compiled once a
    process for each shape, as it is wanted in several places."""
    return jax.jit(dataclasses.replace(objective, augmentation=Augmentation()).forward)


def recover(
    objective: Objective, parameters: dict[str, Any], recordings: Recordings, *, batch_size: int = BATCH_SIZE
) -> Iterator[Recovered]:
    """Both views of all recordings in batches, under crops and masks that are the same in every call."""
    forward = jitted_forward(objective)
    for number, first in enumerate(range(0, len(recordings), batch_size)):
        # The last batch is filled with copies of its last recording, so that all have one shape.
        rows = np.minimum(np.arange(first, first + batch_size), len(recordings) - 1)
        real = first + np.arange(batch_size) < len(recordings)
        batch = recordings.batch(rows)
        key = jax.random.fold_in(jax.random.key(0), number)
        result = forward(parameters, key, batch.ecg, batch.length, batch.available)
        yield _on_recording_scale(objective, result, np.concatenate([real, real]))


def compare(
    models: dict[str, tuple[Objective, dict[str, Any]]], train: Recordings, validation: Recordings
) -> dict[str, ExplainedVariance]:
    """Explained variance of each model and of the references on the first model's crops and masks.

    Args:
      models: name -> (objective, parameters).
      train: recordings from which the linear regression is fitted.
      validation: recordings to recover.

    Raises:
      ValueError: when the models differ in crop, patch, rate or mask, or hide single tokens.
    """
    first, (objective, _) = next(iter(models.items()))
    require_same_question({name: model for name, (model, _) in models.items()})
    patch, rate = objective.network.patch, objective.sampling_rate
    covariance_LL = training_covariance(train, objective.crop_samples)
    rows: dict[str, ExplainedVariance] = {}

    def add(name: str, one: ExplainedVariance) -> None:
        rows[name] = rows[name] + one if name in rows else one

    crops: list[Recovered] = []  # of the first model, for the references
    for name, (model, parameters) in models.items():
        for some in recover(model, parameters, validation):
            add(name, some.judge(some.prediction_BLT, patch))
            if name == first:
                crops.append(some)
    for some in crops:
        target, columns, available = some.target_BLT, some.column_kept_BN, some.available_BL
        linear = linear_prediction(
            target,
            columns,
            some.lead_kept_BL,
            covariance_LL=covariance_LL,
            patch=patch,
            available_BL=available,
        )
        template = beat_template_prediction(
            target, columns, patch=patch, sampling_rate=rate, available_BL=available
        )
        add("the mean", some.judge(mean_prediction(target), patch))
        add("linear regression", some.judge(linear, patch))
        add(BEAT_TEMPLATE, some.judge(template, patch))
    return rows


def require_same_question(objectives: dict[str, Objective]) -> None:
    """Raises ValueError when the models are not asked for the same whole columns and leads."""
    asked = {
        name: (o.crop_samples, o.network.patch, o.sampling_rate, o.stdm) for name, o in objectives.items()
    }
    (first, expected), *others = asked.items()
    for name, got in others:
        if got != expected:
            raise ValueError(
                "reconstruction: expected runs of one crop, patch, sampling rate and mask, got "
                f"{first}: {expected}; {name}: {got}"
            )
    if objectives[first].stdm.mode in ("random", "off"):
        mode = objectives[first].stdm.mode
        raise ValueError(f"reconstruction: expected masks of whole columns and leads, got mode {mode!r}")


def training_covariance(recordings: Recordings, samples: int) -> np.ndarray:
    """Covariance float64[12, 12] of the leads over the first crop of each recording, normalised."""
    return lead_covariance(*normalised_crops(recordings, samples))


def normalised_crops(recordings: Recordings, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `samples` samples of each window, normalised, and which leads carry signal."""
    start = jnp.zeros(len(recordings), jnp.int32)
    stored_BLT = crop(jnp.asarray(recordings.ecg), start, samples)
    available = jnp.asarray(recordings.available)
    unit = MILLIVOLTS_PER_STORED_UNIT * recordings.preprocessing.microvolts_per_unit
    ecg_BLT, available_BL, _ = normalise(stored_BLT * unit, available)
    return np.asarray(ecg_BLT), np.asarray(available_BL)


def _on_recording_scale(objective: Objective, forward: Forward, real: np.ndarray) -> Recovered:
    patches_BSP = patchify(forward.clean_BLT, objective.network.patch)
    scale_BS = make_targets(patches_BSP, objective.target_floor).scale_BS
    prediction_BSP = forward.output.prediction_BSP * scale_BS[:, :, None]
    visible_BLN = np.asarray(forward.mask.visible_BLN)
    arrays: Sequence[Any] = (
        forward.clean_BLT,
        prediction_BSP.reshape(forward.clean_BLT.shape),
        visible_BLN.any(1),
        visible_BLN.any(2),
        forward.available_BL,
    )
    return Recovered(*(np.asarray(array)[real] for array in arrays))
