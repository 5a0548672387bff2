"""The losses, and what is reported beside them: L_rec on hidden patches, L_con across views."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from coreecg_jax.method.masking import HiddenKinds, Mask, hidden_kinds
from coreecg_jax.method.views import View
from coreecg_jax.records.leads import LEADS

Metrics = dict[str, jax.Array]


class Targets(NamedTuple):
    """What is to be recovered: each clean patch less its mean, over sqrt(variance + floor)."""

    patches_BSP: jax.Array
    scale_BS: jax.Array  # back to the recording's scale


def make_targets(patches_BSP: jax.Array, floor: float) -> Targets:
    """Targets from clean patches on the recording's scale (variance 1)."""
    centred = patches_BSP - patches_BSP.mean(-1, keepdims=True)
    scale_BS = jnp.sqrt((centred**2).mean(-1) + floor)
    return Targets(centred / scale_BS[:, :, None], scale_BS)


def reconstruction_loss(
    prediction_BSP: jax.Array, targets: Targets, mask: Mask, available_BL: jax.Array
) -> tuple[jax.Array, Metrics]:
    """Mean squared error on hidden tokens, and explained variance on the recording's scale.

    Tokens of leads that are not available are not counted. Nothing hidden gives 0.
    """
    error_BS = ((prediction_BSP - targets.patches_BSP) ** 2).mean(-1)
    hidden_BLN = ~mask.visible_BLN & available_BL[:, :, None]
    hidden_BS = hidden_BLN.reshape(error_BS.shape)
    loss = (error_BS * hidden_BS).sum() / jnp.maximum(hidden_BS.sum(), 1)
    scale2_BS = targets.scale_BS**2 * hidden_BS
    residual_BLN = (error_BS * scale2_BS).reshape(hidden_BLN.shape)
    total_BLN = ((targets.patches_BSP**2).mean(-1) * scale2_BS).reshape(hidden_BLN.shape)
    kind_XBLN = jnp.stack(hidden_kinds(mask.visible_BLN))
    of_kind_X = _explained(residual_BLN[None] * kind_XBLN, total_BLN[None] * kind_XBLN, axis=(1, 2, 3))
    of_lead_L = _explained(residual_BLN, total_BLN, axis=(0, 2))
    return loss, {
        "explained_variance": _explained(residual_BLN, total_BLN, axis=None),
        **{f"explained_variance_{kind}": value for kind, value in zip(HiddenKinds._fields, of_kind_X)},
        **{f"explained_variance_{lead}": value for lead, value in zip(LEADS, of_lead_L)},
    }


def info_nce(
    z1_BE: jax.Array, z2_BE: jax.Array, patient_B: jax.Array, temperature: float
) -> tuple[jax.Array, Metrics]:
    """InfoNCE across views, mean of both directions, over the global batch (van den Oord et al. 2018).

    Other recordings of the same patient are no candidates at all.
    """
    similarity_BB = jnp.matmul(z1_BE, z2_BE.T, precision=jax.lax.Precision.HIGHEST)
    own = jnp.eye(len(z1_BE), dtype=bool)
    excluded = (patient_B[:, None] == patient_B[None, :]) & ~own
    logits_BB = jnp.where(excluded, -jnp.inf, similarity_BB / temperature)
    loss = (
        -(
            jnp.diagonal(jax.nn.log_softmax(logits_BB, axis=1)).mean()
            + jnp.diagonal(jax.nn.log_softmax(logits_BB, axis=0)).mean()
        )
        / 2
    )
    negative = ~own & ~excluded
    metrics = {
        "similarity_positive": jnp.diagonal(similarity_BB).mean(),
        "similarity_negative": (similarity_BB * negative).sum() / jnp.maximum(negative.sum(), 1),
        "contrastive_accuracy": (logits_BB.argmax(1) == jnp.arange(len(z1_BE))).mean(),
    }
    return loss, metrics


def fda_metrics(view: View, ecg_BLT: jax.Array) -> Metrics:
    """Entropy of the gates in bits, and the view's correlation with the recording."""
    g_BM = jnp.clip(view.protected_BM, 1e-6, 1 - 1e-6)
    entropy = -(g_BM * jnp.log2(g_BM) + (1 - g_BM) * jnp.log2(1 - g_BM)).mean()
    product_B = (view.ecg_BLT * ecg_BLT).sum((1, 2))
    energy_B = jnp.sqrt((view.ecg_BLT**2).sum((1, 2)) * (ecg_BLT**2).sum((1, 2)))
    return {
        "fda_protected": view.protected_BM.mean(),
        "fda_entropy": entropy,
        "fda_correlation": (product_B / jnp.maximum(energy_B, 1e-12)).mean(),
    }


def _explained(residual: jax.Array, total: jax.Array, axis: tuple[int, ...] | None) -> jax.Array:
    """1 - residual / total, each summed over the axes; NaN where nothing is hidden in this way."""
    return 1 - residual.sum(axis) / total.sum(axis)
