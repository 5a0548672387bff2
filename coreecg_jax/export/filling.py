"""Missing leads and hidden spans, filled in by the decoder and marked as generated.

The decoder says a patch's shape, (x - mean) / sqrt(variance + floor): its mean and its size are found here.
Of a patch predicted with variance q, variance + floor = floor / (1 - q), as q = variance / (variance +
floor). Means are those that let neighbouring patches meet, by least squares, drawn weakly to zero, the mean
of a filtered lead.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.export.description import Description, Recovery
from coreecg_jax.export.recordings import derivable, leads_named, same_leads
from coreecg_jax.method.network import CoReECG, patchify
from coreecg_jax.method.normalisation import as_read, derive_limb_leads, normalise
from coreecg_jax.records.leads import LEADS

LARGEST_SHARE = 0.99  # of q: a patch is taken to be at most sqrt(0.99 / 0.01 * floor) recording scales large
MEAN_WEIGHT = 0.05  # of the pull of a patch's mean to zero, beside 1 for meeting a neighbour


class Reconstruction(NamedTuple):
    """All twelve leads of one crop of each recording."""

    ecg_BLT: np.ndarray  # float32 mV, conditioned; NaN after the end of a recording
    generated_BLT: np.ndarray  # bool: the decoder's, not measured
    derived_BL: np.ndarray  # bool: computed from two other limb leads; generated where those were hidden
    sampling_rate: float  # Hz
    # Of what is generated, root mean square on held-out recordings with the same leads and hidden spans as
    # long, float64 mV; NaN where nothing is known. `flat_BL`: of a flat line, the lead's standard deviation.
    error_BL: np.ndarray
    flat_BL: np.ndarray


class _Recovered(NamedTuple):
    """What the network is given of crops, and what it says."""

    predicted_BSP: jax.Array  # shapes of all patches
    normalised_BLT: jax.Array  # what is seen, on the recording's scale
    scale_B: jax.Array  # mV
    mean_BL: jax.Array  # mV, that was subtracted
    seen_BLN: jax.Array


@functools.partial(jax.jit, static_argnums=0)
def _recovered(
    network: CoReECG, parameters: Any, ecg_BLT: jax.Array, available_BL: jax.Array, valid_BT: jax.Array
) -> _Recovered:
    """All patches from those that are seen; scale and means are of what is valid alone."""
    complete = derive_limb_leads(ecg_BLT, available_BL)
    normalised = normalise(*complete, valid_BT)
    samples_B1 = jnp.maximum(valid_BT.sum(-1, keepdims=True), 1)
    mean_BL = jnp.where(valid_BT[:, None], complete[0], 0.0).sum(-1) / samples_B1
    batch, leads, samples = ecg_BLT.shape
    whole_BN = valid_BT.reshape(batch, -1, network.patch).all(-1)
    seen_BLN = normalised.available_BL[:, :, None] & whole_BN[:, None]
    read_BLT = as_read(normalised.ecg_BLT, normalised.scale_B, millivolts=network.voltage)
    columns = samples // network.patch
    seen_BS = seen_BLN.reshape(batch, leads * columns)
    kept_BS = jnp.broadcast_to(jnp.arange(leads * columns, dtype=jnp.int32)[None], seen_BS.shape)
    variables: Any = {"params": parameters}
    patches_BSP = patchify(read_BLT, network.patch)
    encoded = network.apply(variables, patches_BSP, kept_BS, seen_BS, method="encode")
    decoded: Any = network.apply(variables, encoded, kept_BS, seen_BS, columns, method="decode")
    return _Recovered(decoded, normalised.ecg_BLT, normalised.scale_B, mean_BL, seen_BLN)


def reconstruct(
    description: Description,
    parameters: dict[str, Any],
    ecg_BLT: np.ndarray,
    available_BL: np.ndarray,
    length_B: np.ndarray,
    hidden: Sequence[tuple[float, float]],
) -> Reconstruction:
    """Fills crops float32[B, 12, T] in mV; `hidden` in seconds of the crop."""
    network, rate = description.network, description.preprocessing.sampling_rate
    open_N = np.ones(ecg_BLT.shape[-1] // network.patch, bool)
    for first, last in _columns(hidden, len(open_N), network.patch / rate):
        open_N[first:last] = False
    inside_BT = np.arange(ecg_BLT.shape[-1])[None] < length_B[:, None]
    valid_BT = inside_BT & np.repeat(open_N, network.patch)[None]
    made = _recovered(network, parameters, ecg_BLT, available_BL, valid_BT)
    seen_BLN = np.asarray(made.seen_BLN)
    if not seen_BLN.any((1, 2)).all():
        raise ValueError("hidden: expected something to be left of each recording, got nothing in one")
    predicted_BSP = np.asarray(made.predicted_BSP, np.float64)
    shape_BLNP = (*seen_BLN.shape, network.patch)
    generated_BLNP = _sized(predicted_BSP.reshape(shape_BLNP), description.training.target_floor)
    known_BLNP = np.asarray(made.normalised_BLT, np.float64).reshape(shape_BLNP)
    filled_BLNP = _joined(known_BLNP, generated_BLNP, seen_BLN)
    filled_BLT = filled_BLNP.reshape(ecg_BLT.shape) * np.asarray(made.scale_B)[:, None, None]
    filled_BLT = filled_BLT + np.asarray(made.mean_BL)[:, :, None]
    open_BLT = np.repeat(seen_BLN, network.patch, axis=-1)
    measured_BLT = open_BLT & available_BL[:, :, None]
    ecg = np.where(measured_BLT, ecg_BLT, filled_BLT)
    derived_BL = np.stack([derivable(row) & ~row for row in available_BL])
    error_QBL = _known_errors(description, available_BL, hidden)
    return Reconstruction(
        np.where(inside_BT[:, None], ecg, np.nan).astype(np.float32),
        ~open_BLT & inside_BT[:, None],
        derived_BL,
        rate,
        *error_QBL,
    )


def known_recovery(
    description: Description, available_L: np.ndarray, hidden: Sequence[tuple[float, float]]
) -> Recovery | None:
    """What was measured with just these leads and as long spans hidden, or None.

    Leads that limb leads determine count as given; where a span lies in the crop is not compared.
    """
    seconds = description.network.patch / description.preprocessing.sampling_rate
    asked = _lengths(hidden, seconds)
    for one in description.recovery:
        if same_leads(leads_named(one.leads), available_L) and _lengths(one.hidden, seconds) == asked:
            return one
    return None


def _known_errors(
    description: Description, available_BL: np.ndarray, hidden: Sequence[tuple[float, float]]
) -> np.ndarray:
    """Error and that of a flat line by recording and lead, float64[2, B, 12]."""
    errors = np.full((2, *available_BL.shape), np.nan)
    for number, available_L in enumerate(available_BL):
        known = known_recovery(description, available_L, hidden)
        if known:
            for row, by_lead in enumerate((known.error, known.flat)):
                errors[row, number] = [by_lead.get(lead, np.nan) for lead in LEADS]
    return errors


def _columns(hidden: Sequence[tuple[float, float]], columns: int, seconds: float) -> list[tuple[int, int]]:
    """Spans of whole columns that hold the spans in seconds."""
    for first, last in hidden:
        if not 0 <= first < last <= columns * seconds + 1e-6:
            raise ValueError(
                f"hidden: expected spans (from, to) in the crop of {columns * seconds:g} s, got {first:g} "
                f"to {last:g} s after its start"
            )
    return _whole_columns(hidden, seconds)


def _whole_columns(hidden: Sequence[Sequence[float]], seconds: float) -> list[tuple[int, int]]:
    return [(int(first / seconds + 1e-6), int(np.ceil(last / seconds - 1e-6))) for first, last in hidden]


def _lengths(hidden: Sequence[Sequence[float]], seconds: float) -> list[int]:
    """Whole columns that each span hides, the shortest first."""
    return sorted(last - first for first, last in _whole_columns(hidden, seconds))


def _sized(predicted_BLNP: np.ndarray, floor: float) -> np.ndarray:
    """Predicted shapes on the recording's scale, each of mean zero."""
    centred_BLNP = predicted_BLNP - predicted_BLNP.mean(-1, keepdims=True)
    share = np.minimum((centred_BLNP**2).mean(-1, keepdims=True), LARGEST_SHARE)
    return centred_BLNP * np.sqrt(floor / (1.0 - share))


def _joined(known_BLNP: np.ndarray, generated_BLNP: np.ndarray, seen_BLN: np.ndarray) -> np.ndarray:
    """Seen patches as they are, the others at the levels at which neighbours meet."""
    x = np.where(seen_BLN[..., None], known_BLNP, generated_BLNP)
    columns = seen_BLN.shape[-1]
    # Each border n asks level[n + 1] - level[n] to be its jump; each row of `differences` is one border.
    differences = np.diff(np.eye(columns), axis=0)
    jump_BLJ = x[:, :, :-1, -1] - x[:, :, 1:, 0]
    normal = differences.T @ differences + MEAN_WEIGHT * np.eye(columns)
    right_BLN = jump_BLJ @ differences
    # A seen patch has level 0: its equation is replaced by just that.
    identity = np.eye(columns)
    free_BLN1 = ~seen_BLN[..., None]
    matrix = np.where(free_BLN1, np.where(~seen_BLN[:, :, None], normal, 0.0), identity)
    level_BLN = np.linalg.solve(matrix, np.where(seen_BLN, 0.0, right_BLN)[..., None])[..., 0]
    return x + level_BLN[..., None]
