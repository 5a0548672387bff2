"""The whole method on one page: crops -> augmentation -> views -> masks -> network -> losses."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from coreecg_jax.method import fused_attention, rematerialisation
from coreecg_jax.method.augmentation import Augmentation
from coreecg_jax.method.division import by_rows, joined
from coreecg_jax.method.losses import (
    Metrics,
    fda_metrics,
    info_nce,
    make_targets,
    reconstruction_loss,
)
from coreecg_jax.method.masking import STDM, Mask, algebraic_leakage
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


class Forward(NamedTuple):
    """One forward pass of both views, stacked: B here is twice the batch, first views first."""

    output: Output
    mask: Mask
    clean_BLT: jax.Array  # normalised crops before augmentation, FDA and jitter
    available_BL: jax.Array
    view: View  # of the first crops


@dataclasses.dataclass(frozen=True)
class Objective:
    """Settings of the loss; calling it is pure. What we compare with (`baselines/`) overrides parts of it.

    Attributes:
      network: its parameters are `parameters['network']`, FDA's are `parameters['fda']`.
      crop_samples: samples of a view, a multiple of the network's patch.
      sampling_rate: Hz.
      millivolts_per_unit: of the stored integers.
      fda, stdm: how views and masks are drawn.
      augmentation: of each crop before FDA, off by default; what is reconstructed is the crop without it.
      lambda_r: weight of the reconstruction; at 0 the decoder is not run.
      lambda_c: weight of the contrastive loss. Ours, as is every default here.
      temperature: of InfoNCE.
      same_crop: both views are the same crop (makes the contrastive task too easy; an ablation).
      fda_on_both: FDA makes both views, not the first alone.
      scale_jitter: standard deviation of a log-normal factor on what the encoder reads: voltage alone does
        not tell whose recording it is, and a subset of the leads has another scale than all twelve.
      target_floor: variance added to a patch's own, in units of the recording's variance: flat patches
        are not blown up to noise.
      remat: what layers compute again for the gradient, 'none', 'dots' or 'all'
        (`rematerialisation.CHOICES`); changes no number but by rounding.
      attention: 'plain', or 'cudnn' on NVIDIA GPUs (`fused_attention`); no more than rounding either.
    """

    network: CoReECG
    crop_samples: int
    sampling_rate: float
    millivolts_per_unit: float = MILLIVOLTS_PER_STORED_UNIT
    fda: FDA = dataclasses.field(default_factory=FDA)
    stdm: STDM = dataclasses.field(default_factory=STDM)
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)
    lambda_r: float = 1.0
    lambda_c: float = 0.1
    temperature: float = 0.1
    same_crop: bool = False
    fda_on_both: bool = False
    scale_jitter: float = 0.2
    target_floor: float = 0.1
    remat: str = "none"
    attention: str = "plain"

    def __post_init__(self) -> None:
        rematerialisation.require_choice(self.remat)
        network = self.network
        heads = network.width // network.heads, network.decoder_width // network.decoder_heads
        fused_attention.require_choice(self.attention, str(network.dtype), heads)
        if not (self.lambda_r or self.lambda_c):
            raise ValueError(
                "objective: expected lambda_r or lambda_c above 0, got 0 for both: nothing would be learned"
            )

    @property
    def columns(self) -> int:
        """N, patch columns of a view."""
        return self.crop_samples // self.network.patch

    @property
    def window_samples(self) -> int:
        """Valid samples that a window must have for both views."""
        return self.crop_samples

    @property
    def window_seconds(self) -> float:
        """What `window_samples` last."""
        return self.window_samples / self.sampling_rate

    def leads_seen(self, key: jax.Array, batch: int) -> jax.Array:
        """Leads of which the encoder sees anything, of recordings that have all; bool[batch, 12]."""
        mask_key, lead_key = jax.random.split(key)
        visible_BL = self.stdm(mask_key, batch, self.columns).visible_BLN.any(-1)
        return visible_BL & self.augmentation.leads_left(lead_key, jnp.ones((batch, len(LEADS)), bool))

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
          length: int32[B], valid samples of each window, at least `window_samples`.
          available: bool[B, 12].
          patient: uint32[B]; recordings of one patient are not negatives of each other.
        """
        with rematerialisation.rematerialising(self.remat), fused_attention.attending_by(self.attention):
            forward = self.forward(parameters, key, ecg, length, available)
        return self.losses(forward, patient)

    def forward(
        self,
        parameters: dict[str, Any],
        key: jax.Array,
        ecg: jax.Array,
        length: jax.Array,
        available: jax.Array,
    ) -> Forward:
        """Everything before the losses: crops, views, masks, the network's output.

        Where `lambda_r` is 0 the prediction is 0 throughout: each patch's mean.
        """
        crop_key, jitter_key, fda_key, mask_key, augment_key = jax.random.split(key, 5)
        crops = self.crops(crop_key, ecg, length, available)
        augmented = self.augmented(augment_key, crops)
        view, other = self.views(parameters["fda"], fda_key, augmented)
        scale_B = joined(*(one.scale_B for one in augmented))
        views_BLT = joined(view.ecg_BLT, other.ecg_BLT)
        read_BLT = as_read(views_BLT, scale_B, millivolts=self.network.voltage)
        seen_BLT = self.jitter(jitter_key, read_BLT)
        clean_BLT = joined(*(one.ecg_BLT for one in crops))
        available_BL = joined(*(one.available_BL for one in augmented))
        mask = Mask(*map(by_rows, self.stdm(mask_key, len(seen_BLT), self.columns)))
        lead_BK = mask.kept_BK // self.columns
        seen_BK = mask.seen_BK & jnp.take_along_axis(available_BL, lead_BK, axis=1)
        output: Any = self.network.apply(
            {"params": parameters["network"]},
            patchify(seen_BLT, self.network.patch),
            mask.kept_BK,
            seen_BK,
            decoded=self.lambda_r > 0,
        )
        return Forward(output, mask, clean_BLT, available_BL, view)

    def losses(self, forward: Forward, patient_B: jax.Array) -> tuple[jax.Array, Metrics]:
        """lambda_r * L_rec + lambda_c * L_con, and the metrics; none of recovery where `lambda_r` is 0."""
        z1_BE, z2_BE = jnp.split(forward.output.projection_BE, 2)
        contrastive, alike = info_nce(z1_BE, z2_BE, patient_B, self.temperature)
        loss, recovered = self.lambda_c * contrastive, {}
        if self.lambda_r > 0:
            reconstruction, recovered = self._reconstruction(forward)
            loss += self.lambda_r * reconstruction
        leak = algebraic_leakage(forward.mask.visible_BLN)
        curve = self.fda.curve(forward.view, self.crop_samples, self.sampling_rate)
        return loss, {
            "loss": loss,
            **recovered,
            "contrastive": contrastive,
            **alike,
            **fda_metrics(forward.view, jnp.split(forward.clean_BLT, 2)[0]),
            **{f"fda_protected_{hz}Hz": protected for hz, protected in curve.items()},
            "leakage_of_hidden": leak.of_hidden,
            "leakage_of_hidden_limb": leak.of_hidden_limb,
        }

    def _reconstruction(self, forward: Forward) -> tuple[jax.Array, Metrics]:
        targets = make_targets(patchify(forward.clean_BLT, self.network.patch), self.target_floor)
        loss, recovered = reconstruction_loss(
            forward.output.prediction_BSP, targets, forward.mask, forward.available_BL
        )
        return loss, {"reconstruction": loss, **recovered}

    def crops(
        self, key: jax.Array, ecg: jax.Array, length: jax.Array, available: jax.Array
    ) -> tuple[Normalised, Normalised]:
        """Two normalised crops of each window."""

        def normalised(start_B: jax.Array) -> Normalised:
            return normalise(crop(ecg, start_B, self.crop_samples) * self.millivolts_per_unit, available)

        first, second = zip(*jax.vmap(normalised)(jnp.stack(self.starts(key, length))))
        return Normalised(*first), Normalised(*second)

    def starts(self, key: jax.Array, length: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Where the two crops start in each window, int32[B]: each at its own place unless `same_crop`."""
        keys = jax.random.split(key)
        first_B, second_B = jax.vmap(lambda one: random_starts(one, length, self.crop_samples))(keys)
        return first_B, first_B if self.same_crop else second_B

    def augmented(
        self, key: jax.Array, crops: tuple[Normalised, Normalised]
    ) -> tuple[Normalised, Normalised]:
        """What FDA is given of the crops, each augmented by itself."""
        if not self.augmentation.changes:
            return crops
        first, second = (
            self.augmentation.of_crop(one_key, crop, sampling_rate=self.sampling_rate)
            for one_key, crop in zip(jax.random.split(key), crops)
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
