"""One recording as pretraining sees it: its FDA view, what STDM hides, and what the network makes of it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.downstream.recovery import jitted_forward
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.masking import Mask
from coreecg_jax.method.network import patchify
from coreecg_jax.method.normalisation import MILLIVOLTS_PER_STORED_UNIT, normalise
from coreecg_jax.method.objective import Forward, Objective, make_targets


class Example(NamedTuple):
    """A recording in mV, leads in the order of `LEADS`: as many whole crops as it holds, end to end."""

    recording_LT: np.ndarray  # less the mean of each lead of each crop; NaN where a lead is not available
    view_LT: np.ndarray
    prediction_LT: np.ndarray  # of hidden patches, with their true mean, which is not predicted; else NaN
    hidden_LT: np.ndarray  # bool
    sampling_rate: float  # Hz
    crop_seconds: float
    recording_id: str


def example_of(
    objective: Objective,
    parameters: dict[str, Any],
    recordings: Recordings,
    row: int,
    *,
    seed: int = 0,
    batch_size: int | None = None,
) -> Example:
    """The recording of one row under the views and masks of `seed`; each crop has its own.

    Args:
      objective, parameters: of the run.
      recordings: the recording is one of these.
      row: which.
      seed: of the views and masks, which depend on `batch_size` too.
      batch_size: the crops are filled up to so many, and to the length of the window: where the network is
        applied to so many windows anyway, nothing is compiled for the example alone. None: as they are.

    Raises:
      ValueError: when the recording is shorter than a crop.
    """
    samples = objective.crop_samples
    crops = int(recordings.length[row]) // samples
    if not crops:
        raise ValueError(
            f"example: expected a recording of at least {samples} samples, got {int(recordings.length[row])}"
        )
    tiles_BLT = np.stack(np.split(recordings.ecg[row, :, : crops * samples], crops, axis=1))
    if batch_size is not None:
        rows = np.minimum(np.arange(max(crops, batch_size)), crops - 1)
        tiles_BLT = np.pad(tiles_BLT[rows], ((0, 0), (0, 0), (0, recordings.ecg.shape[-1] - samples)))
    available_BL = np.repeat(recordings.available[row][None], len(tiles_BLT), axis=0)
    length_B = np.full(len(tiles_BLT), samples, np.int32)
    forward = jitted_forward(objective)(parameters, jax.random.key(seed), tiles_BLT, length_B, available_BL)
    unit = MILLIVOLTS_PER_STORED_UNIT * recordings.preprocessing.microvolts_per_unit
    # What is valid of a tile is just one crop: this is the scale by which `forward` divided it.
    tiles_BLT, available_BL = tiles_BLT[:crops, :, :samples], available_BL[:crops]
    normalised = normalise(jnp.asarray(tiles_BLT * np.float32(unit)), jnp.asarray(available_BL))
    scale_B11 = np.asarray(normalised.scale_B)[:, None, None]
    clean_BLT, view_BLT, prediction_BLT, hidden_BLT = _first_views(objective, forward, crops)
    seen_BL1 = np.asarray(forward.available_BL[:crops])[:, :, None]
    clean_BLT = np.where(seen_BL1, clean_BLT * scale_B11, np.nan)
    hidden_BLT = hidden_BLT & seen_BL1
    return Example(
        recording_LT=_joined(clean_BLT),
        view_LT=_joined(np.where(seen_BL1, view_BLT * scale_B11, np.nan)),
        prediction_LT=_joined(np.where(hidden_BLT, prediction_BLT * scale_B11, np.nan)),
        hidden_LT=_joined(hidden_BLT),
        sampling_rate=objective.sampling_rate,
        crop_seconds=samples / objective.sampling_rate,
        recording_id=str(recordings.recording_id[row]),
    )


def _first_views(objective: Objective, forward: Forward, crops: int) -> tuple[np.ndarray, ...]:
    """Clean crops, FDA views, predictions, what is hidden: of the first views, on the recording's scale."""
    clean_BLT = np.asarray(forward.clean_BLT[:crops])
    patch = objective.network.patch
    targets = make_targets(patchify(forward.clean_BLT, patch), objective.target_floor)
    deviation_BSP = forward.output.prediction_BSP * targets.scale_BS[:, :, None]
    mean_BSP = patchify(forward.clean_BLT, patch).mean(-1, keepdims=True)
    prediction_BLT = np.asarray(deviation_BSP + mean_BSP)[:crops].reshape(clean_BLT.shape)
    view_BLT = np.asarray(forward.view.ecg_BLT[:crops])
    return clean_BLT, view_BLT, prediction_BLT, _hidden(forward.mask, crops, patch)


def _hidden(mask: Mask, crops: int, patch: int) -> np.ndarray:
    return np.repeat(~np.asarray(mask.visible_BLN[:crops]), patch, axis=2)


def _joined(tiles_BLT: np.ndarray) -> np.ndarray:
    """[L, B * T]: the crops one after the other."""
    return np.concatenate(list(tiles_BLT), axis=1)
