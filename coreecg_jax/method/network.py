"""Encoder on visible tokens, decoder led by the global token, projector. Parameters in, arrays out."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from coreecg_jax.method.attention import attention_bias
from coreecg_jax.method.embedding import PatchEmbedding, require_kernels_fit
from coreecg_jax.method.layers import (
    MLP,
    Dense,
    Stack,
    largest,
    layer_norm,
    sin_cos_positions,
)
from coreecg_jax.records.leads import LEADS

DECODERS = ("lead_wise", "joint")
ALIGNED = ("pooled", "global")


class Encoded(NamedTuple):
    """What the encoder makes of the tokens that it sees; float32."""

    global_BD: jax.Array
    registers_BRD: jax.Array
    tokens_BKD: jax.Array
    embedded_BKD: jax.Array  # before the first layer, place and lead not yet added


class Output(NamedTuple):
    """One forward pass under a mask; float32."""

    prediction_BSP: jax.Array  # of the normalised patches, all tokens
    projection_BE: jax.Array  # L2-normalised
    global_BD: jax.Array


class CoReECG(nn.Module):
    """The network: `encode`, `decode`, `project`; called, all three.

    Attributes:
      patch: samples of a patch.
      width, depth, heads: of the encoder.
      decoder_width, decoder_depth, decoder_heads: of the decoder.
      registers: encoder tokens that carry no patch and, beside the global token, lead the decoder.
      projection: width of the contrastive embedding.
      aligned: what is projected to it: 'pooled' (global token, mean and maximum of the visible patch tokens,
        so that patch tokens learn from the contrast too) or 'global' (the global token alone).
      decoder: 'joint' decodes all tokens together, led by the global token and the registers; 'lead_wise'
        decodes each lead alone, led by them.
      context: the decoder is given the global token and the registers; otherwise the patch tokens alone.
      voltage: the encoder reads millivolts; otherwise the recording on its own scale.
      kernels, kernel_length: number and taps of the convolutions in the patch embedding
        (`embedding.PatchEmbedding`); 0 kernels: a linear embedding.
      normalise_patches: LayerNorm on each patch before its embedding (its mean and amplitude are lost).
      time_bias: attention falls with the distance in time, in a part of the heads.
      zero_output: the decoder's last layer starts at zero, so training starts from predicting the mean.
      dtype: of matrix products; parameters and statistics stay float32.
    """

    patch: int
    width: int = 384
    depth: int = 12
    heads: int = 6
    decoder_width: int = 256
    decoder_depth: int = 4
    decoder_heads: int = 4
    registers: int = 4
    projection: int = 128
    aligned: str = "pooled"
    decoder: str = "joint"
    context: bool = True
    voltage: bool = True
    kernels: int = 32
    kernel_length: int = 23
    normalise_patches: bool = False
    time_bias: bool = True
    zero_output: bool = True
    dtype: Any = "float32"

    def __post_init__(self) -> None:
        for width, heads in (("width", "heads"), ("decoder_width", "decoder_heads")):
            if getattr(self, width) % (2 * getattr(self, heads)) or getattr(self, width) < 2:
                raise ValueError(
                    f"model.{width}: expected a multiple of 2 * model.{heads} = {2 * getattr(self, heads)}, "
                    f"got {getattr(self, width)}"
                )
        if self.decoder not in DECODERS:
            raise ValueError(f"model.decoder: expected one of {', '.join(DECODERS)}, got {self.decoder!r}")
        if self.aligned not in ALIGNED:
            raise ValueError(f"model.aligned: expected one of {', '.join(ALIGNED)}, got {self.aligned!r}")
        require_kernels_fit(self.patch, self.kernels, self.kernel_length)
        super().__post_init__()

    def setup(self) -> None:
        dtype = jnp.dtype(self.dtype)
        lead_init = nn.initializers.normal(0.5)
        if self.normalise_patches:
            self.patch_norm = layer_norm("patch_norm")
        self.embed = PatchEmbedding(self.width, self.kernels, self.kernel_length, dtype)
        self.lead_embedding = self.param("lead_embedding", lead_init, (len(LEADS), self.width))
        self.free_tokens = self.param(
            "free_tokens", nn.initializers.normal(0.5), (1 + self.registers, self.width)
        )
        self.encoder_stack = Stack(self.depth, self.heads, dtype)
        self.decoder_in = Dense(self.decoder_width, dtype=dtype)
        self.decoder_context = Dense(self.decoder_width, dtype=dtype)
        if self.is_initializing() or self.has_variable("params", "mask_token"):  # else the encoder is alone
            self.mask_token = self.param("mask_token", nn.initializers.normal(0.02), (self.decoder_width,))
            self.decoder_lead_embedding = self.param(
                "decoder_lead_embedding", lead_init, (len(LEADS), self.decoder_width)
            )
        self.decoder_stack = Stack(self.decoder_depth, self.decoder_heads, dtype)
        self.decoder_out = Dense(self.patch, dtype=jnp.dtype(jnp.float32), zero=self.zero_output)
        self.projector = MLP((self.width, self.projection), dtype)

    def __call__(
        self, patches_BSP: jax.Array, kept_BK: jax.Array, seen_BK: jax.Array, *, decoded: bool = True
    ) -> Output:
        """Encodes the kept tokens, predicts all patches, projects what is aligned.

        Args:
          patches_BSP: float32[B, 12 * N, P] as `normalisation.as_read` gives them.
          kept_BK: int32, which tokens are given to the encoder.
          seen_BK: bool, which of them are real (the others take part in nothing).
          decoded: whether the decoder is run; without it the prediction is 0, the mean of each patch.
        """
        encoded = self.encode(patches_BSP, kept_BK, seen_BK, training=True)
        if decoded:
            prediction_BSP = self.decode(encoded, kept_BK, seen_BK, patches_BSP.shape[1] // len(LEADS))
        else:
            prediction_BSP = jnp.zeros(patches_BSP.shape, jnp.float32)
        return Output(prediction_BSP, self.project(encoded, seen_BK), encoded.global_BD)

    def encode(
        self,
        patches_BSP: jax.Array,
        kept_BK: jax.Array,
        seen_BK: jax.Array,
        keep_XB: jax.Array | None = None,
        *,
        training: bool = False,
    ) -> Encoded:
        """The encoder on the kept tokens alone; tokens not kept or not seen change nothing.

        `keep_XB`, float32[depth, B], drops layers in fine-tuning (`layers.drop_path`); `training`: as of
        `layers.Stack`, it changes no number.
        """
        columns = patches_BSP.shape[1] // len(LEADS)
        x_BKP = jnp.take_along_axis(patches_BSP, kept_BK[:, :, None], axis=1)
        x_BKP = self.patch_norm(x_BKP) if self.normalise_patches else x_BKP
        embedded_BKD = self.embed(x_BKP.reshape(-1, self.patch)).reshape(*kept_BK.shape, self.width)
        x_BKD = embedded_BKD + jnp.asarray(sin_cos_positions(columns, self.width))[kept_BK % columns]
        x_BKD += _looked_up(self.lead_embedding, kept_BK // columns)
        free_BRD = jnp.broadcast_to(self.free_tokens[None], (len(x_BKD), *self.free_tokens.shape))
        free = 1 + self.registers
        bias = attention_bias(
            kept_BK % columns, seen_BK, heads=self.heads, free_tokens=free, time_bias=self.time_bias
        )
        x = self.encoder_stack(jnp.concatenate([free_BRD, x_BKD], axis=1), bias, keep_XB, training=training)
        return Encoded(x[:, 0], x[:, 1:free], x[:, free:], embedded_BKD)

    def decode(self, encoded: Encoded, kept_BK: jax.Array, seen_BK: jax.Array, columns: int) -> jax.Array:
        """Predicted patches float32[B, S, P] for every token, hidden or not."""
        batch, leads = len(kept_BK), len(LEADS)
        seen_BK1 = seen_BK[:, :, None]
        tokens_BKD = jnp.where(seen_BK1, self.decoder_in(encoded.tokens_BKD), self.mask_token[None, None])
        hidden_SD = jnp.broadcast_to(self.mask_token, (leads * columns, self.decoder_width))

        # A recording's own scatter: one with the recording among its indices is gathered, whole, on every
        # device of several. The indices of a recording are distinct, those of unseen tokens too.
        def at_their_places(tokens_KD: jax.Array, kept_K: jax.Array) -> jax.Array:
            return hidden_SD.at[kept_K].set(tokens_KD.astype(hidden_SD.dtype), unique_indices=True)

        x_BSD = jax.vmap(at_their_places)(tokens_BKD, kept_BK)
        x_BLND = x_BSD.reshape(batch, leads, columns, -1)
        x_BLND += sin_cos_positions(columns, self.decoder_width)[None, None]
        x_BLND += self.decoder_lead_embedding[None, :, None]
        context_BRD = jnp.zeros((batch, 0, self.decoder_width))
        if self.context:
            free_BRD = jnp.concatenate([encoded.global_BD[:, None], encoded.registers_BRD], axis=1)
            context_BRD = self.decoder_context(free_BRD)
        decode = self._decode_lead_wise if self.decoder == "lead_wise" else self._decode_joint
        return self.decoder_out(decode(x_BLND, context_BRD)).reshape(batch, leads * columns, self.patch)

    def _decode_lead_wise(self, x_BLND: jax.Array, context_BRD: jax.Array) -> jax.Array:
        batch, leads, columns, width = x_BLND.shape
        sequences = x_BLND.reshape(batch * leads, columns, width)
        context = jnp.repeat(context_BRD, leads, axis=0)
        return self._decode_sequences(sequences, context, np.arange(columns))

    def _decode_joint(self, x_BLND: jax.Array, context_BRD: jax.Array) -> jax.Array:
        batch, leads, columns, width = x_BLND.shape
        sequences = x_BLND.reshape(batch, leads * columns, width)
        return self._decode_sequences(sequences, context_BRD, np.tile(np.arange(columns), leads))

    def _decode_sequences(self, x: jax.Array, context: jax.Array, columns: np.ndarray) -> jax.Array:
        free = context.shape[1]
        bias = attention_bias(
            jnp.asarray(columns)[None],
            jnp.ones((1, len(columns)), bool),
            heads=self.decoder_heads,
            free_tokens=free,
            time_bias=self.time_bias,
        )
        x = jnp.concatenate([context.astype(x.dtype), x], axis=1)
        return self.decoder_stack(x, bias)[:, free:]

    def project(self, encoded: Encoded, seen_BK: jax.Array) -> jax.Array:
        """Unit vectors float32[B, E] for the contrastive loss."""
        pooled = pool(encoded.tokens_BKD, seen_BK) if self.aligned == "pooled" else ()
        z_BE = self.projector(jnp.concatenate([encoded.global_BD, *pooled], axis=-1))
        return z_BE * jax.lax.rsqrt((z_BE**2).sum(-1, keepdims=True) + 1e-12)


def pool(tokens_XKD: jax.Array, seen_XK: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and maximum over the seen tokens, float32[…, D] each; 0 where none is seen."""
    seen_XK1 = seen_XK[..., None]
    mean_XD = (tokens_XKD * seen_XK1).sum(-2) / jnp.maximum(seen_XK1.sum(-2), 1)
    max_XD = largest(jnp.where(seen_XK1, tokens_XKD, -jnp.inf), -2)
    return mean_XD, jnp.where(seen_XK1.any(-2), max_XD, 0.0)


def _looked_up(table_LD: jax.Array, index_BK: jax.Array) -> jax.Array:
    """The rows of a small table, by a product: its gradient is one too, where that of an index adds up in no
    fixed order on a GPU."""
    one_hot_BKL = jax.nn.one_hot(index_BK, len(table_LD), dtype=table_LD.dtype)
    return jnp.matmul(one_hot_BKL, table_LD, precision=jax.lax.Precision.HIGHEST)


def patchify(ecg_BLT: jax.Array, patch: int) -> jax.Array:
    """Cuts float[B, L, T] into float[B, S, P], token = lead * N + column. T is a multiple of P."""
    batch, leads, samples = ecg_BLT.shape
    return ecg_BLT.reshape(batch, leads * (samples // patch), patch)
