"""The whole method on one page: crops -> views -> masks -> network -> L_rec + lambda_c * L_con."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from coreecg_jax.method.masking import STDM, HiddenKinds, Mask, algebraic_leakage, hidden_kinds
from coreecg_jax.method.network import CoReECG, Output, patchify
from coreecg_jax.method.normalisation import (
    MILLIVOLTS_PER_STORED_UNIT,
    Normalised,
    as_read,
    crop,
    normalise,
    random_starts,
)
from coreecg_jax.method.views import FDA, View
from coreecg_jax.records.leads import LEADS

Metrics = dict[str, jax.Array]


class Targets(NamedTuple):
    """What is to be recovered: each clean patch less its mean, over sqrt(variance + floor)."""

    patches_BSP: jax.Array
    scale_BS: jax.Array  # back to the recording's scale


class Forward(NamedTuple):
    """One forward pass of both views, stacked: B here is twice the batch, first views first."""

    output: Output
    mask: Mask
    clean_BLT: jax.Array  # normalised crops before FDA and jitter
    available_BL: jax.Array
    view: View  # of the first crops


@dataclasses.dataclass(frozen=True)
class Objective:
    """Settings of the loss; calling it is pure.

    Attributes:
      network: its parameters are `parameters['network']`, FDA's are `parameters['fda']`.
      crop_samples: samples of a view, a multiple of the network's patch.
      sampling_rate: Hz.
      millivolts_per_unit: of the stored integers.
      fda, stdm: how views and masks are drawn.
      lambda_c: weight of the contrastive loss. Ours, as is every default here.
      temperature: of InfoNCE.
      same_crop: both views are the same crop (makes the contrastive task too easy; an ablation).
      fda_on_both: FDA makes both views, not the first alone.
      scale_jitter: standard deviation of a log-normal factor on what the encoder reads: voltage alone does
        not tell whose recording it is, and a subset of the leads has another scale than all twelve.
      target_floor: variance added to a patch's own, in units of the recording's variance: flat patches
        are not blown up to noise.
    """

    network: CoReECG
    crop_samples: int
    sampling_rate: float
    millivolts_per_unit: float = MILLIVOLTS_PER_STORED_UNIT
    fda: FDA = dataclasses.field(default_factory=FDA)
    stdm: STDM = dataclasses.field(default_factory=STDM)
    lambda_c: float = 0.1
    temperature: float = 0.1
    same_crop: bool = False
    fda_on_both: bool = False
    scale_jitter: float = 0.2
    target_floor: float = 0.1

    @property
    def columns(self) -> int:
        """N, patch columns of a view."""
        return self.crop_samples // self.network.patch

    def __call__(
        self,
        parameters: dict[str, Any],
        key: jax.Array,
        *,
        ecg: jax.Array,
        length: jax.Array,
        available: jax.Array,
        patient: jax.Array,
    ) -> tuple[jax.Array, Metrics]:
        """The loss of a batch and its metrics, scalars all.

        Args:
          parameters: of the network and of FDA.
          key: for crops, jitter, FDA and masks; the same key and batch give the same result.
          ecg: int16[B, 12, W] stored windows.
          length: int32[B], valid samples of each window, at least `crop_samples`.
          available: bool[B, 12].
          patient: uint32[B]; recordings of one patient are not negatives of each other.
        """
        return self.losses(self.forward(parameters, key, ecg, length, available), patient)

    def forward(
        self,
        parameters: dict[str, Any],
        key: jax.Array,
        ecg: jax.Array,
        length: jax.Array,
        available: jax.Array,
    ) -> Forward:
        """Everything before the losses: crops, views, masks, the network's output."""
        crop_key, jitter_key, fda_key, mask_key = jax.random.split(key, 4)
        crops = self.crops(crop_key, ecg, length, available)
        view, other = self.views(parameters["fda"], fda_key, crops)
        scale_B = jnp.concatenate([one.scale_B for one in crops])
        views_BLT = jnp.concatenate([view.ecg_BLT, other.ecg_BLT])
        read_BLT = as_read(views_BLT, scale_B, millivolts=self.network.voltage)
        seen_BLT = self.jitter(jitter_key, read_BLT)
        clean_BLT = jnp.concatenate([one.ecg_BLT for one in crops])
        available_BL = jnp.concatenate([one.available_BL for one in crops])
        mask = self.stdm(mask_key, len(seen_BLT), self.columns)
        lead_BK = mask.kept_BK // self.columns
        seen_BK = mask.seen_BK & jnp.take_along_axis(available_BL, lead_BK, axis=1)
        output: Any = self.network.apply(
            {"params": parameters["network"]}, patchify(seen_BLT, self.network.patch), mask.kept_BK, seen_BK
        )
        return Forward(output, mask, clean_BLT, available_BL, view)

    def losses(self, forward: Forward, patient_B: jax.Array) -> tuple[jax.Array, Metrics]:
        """L_rec + lambda_c * L_con, and the metrics."""
        targets = make_targets(patchify(forward.clean_BLT, self.network.patch), self.target_floor)
        reconstruction, recovered = reconstruction_loss(
            forward.output.prediction_BSP, targets, forward.mask, forward.available_BL
        )
        z1_BE, z2_BE = jnp.split(forward.output.projection_BE, 2)
        contrastive, alike = info_nce(z1_BE, z2_BE, patient_B, self.temperature)
        loss = reconstruction + self.lambda_c * contrastive
        leak = algebraic_leakage(forward.mask.visible_BLN)
        curve = self.fda.curve(forward.view, self.crop_samples, self.sampling_rate)
        return loss, {
            "loss": loss,
            "reconstruction": reconstruction,
            "contrastive": contrastive,
            **recovered,
            **alike,
            **fda_metrics(forward.view, jnp.split(forward.clean_BLT, 2)[0]),
            **{f"fda_protected_{hz}Hz": protected for hz, protected in curve.items()},
            "leakage_of_hidden": leak.of_hidden,
            "leakage_of_hidden_limb": leak.of_hidden_limb,
        }

    def crops(
        self, key: jax.Array, ecg: jax.Array, length: jax.Array, available: jax.Array
    ) -> tuple[Normalised, Normalised]:
        """Two normalised crops of each window, each at its own place unless `same_crop`."""
        first_key, second_key = jax.random.split(key)
        first_B = random_starts(first_key, length, self.crop_samples)
        second_B = first_B if self.same_crop else random_starts(second_key, length, self.crop_samples)
        first, second = (
            normalise(crop(ecg, start_B, self.crop_samples) * self.millivolts_per_unit, available)
            for start_B in (first_B, second_B)
        )
        return first, second

    def views(
        self, parameters: dict[str, jax.Array], key: jax.Array, crops: tuple[Normalised, Normalised]
    ) -> tuple[View, View]:
        """The first crop through FDA, and the second as it is unless `fda_on_both`."""
        keys = jax.random.split(key)
        second = self.fda if self.fda_on_both else dataclasses.replace(self.fda, mode="off")
        return (
            self.fda(parameters, keys[0], *crops[0][:2], sampling_rate=self.sampling_rate),
            second(parameters, keys[1], *crops[1][:2], sampling_rate=self.sampling_rate),
        )

    def jitter(self, key: jax.Array, ecg_BLT: jax.Array) -> jax.Array:
        """Each recording times a log-normal factor."""
        factor_B = jnp.exp(self.scale_jitter * jax.random.normal(key, ecg_BLT.shape[:1]))
        return ecg_BLT * factor_B[:, None, None]


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
    hidden_BS = (~mask.visible_BLN & available_BL[:, :, None]).reshape(error_BS.shape)
    loss = (error_BS * hidden_BS).sum() / jnp.maximum(hidden_BS.sum(), 1)
    residual_BS = error_BS * targets.scale_BS**2
    total_BS = (targets.patches_BSP**2).mean(-1) * targets.scale_BS**2
    kinds = hidden_kinds(mask.visible_BLN)
    metrics = {"explained_variance": _explained(residual_BS, total_BS, hidden_BS)}
    for name, kind_BLN in zip(HiddenKinds._fields, kinds):
        of_kind_BS = hidden_BS & kind_BLN.reshape(hidden_BS.shape)
        metrics[f"explained_variance_{name}"] = _explained(residual_BS, total_BS, of_kind_BS)
    lead_S = jnp.arange(hidden_BS.shape[1]) // mask.visible_BLN.shape[2]
    for place, lead in enumerate(LEADS):
        of_lead_BS = hidden_BS & (lead_S == place)[None]
        metrics[f"explained_variance_{lead}"] = _explained(residual_BS, total_BS, of_lead_BS)
    return loss, metrics


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


def _explained(residual_BS: jax.Array, total_BS: jax.Array, hidden_BS: jax.Array) -> jax.Array:
    """1 - residual / total over the hidden tokens; NaN where none is hidden in this way."""
    return 1 - (residual_BS * hidden_BS).sum() / (total_BS * hidden_BS).sum()
