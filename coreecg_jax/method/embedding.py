"""From patches to tokens: a linear map of the samples and of what small convolutions find in them."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from coreecg_jax.method.layers import Dense, gelu, largest, layer_norm
from coreecg_jax.method.products import plus, product


class PatchEmbedding(nn.Module):
    """A token for each patch alone: nothing outside the patch is read, so no mask is undone.

    Every kernel slides over the patch; of GELU(output + bias) the maximum and the mean over the patch join
    the samples, and all go through one linear layer and a LayerNorm. The samples say what lies where, the
    maxima and means what occurs wherever it lies. Kernels have zero mean, so the patch's level reaches a
    token through its samples only; biases are drawn, not zero, so that amplitude survives the norm.

    Attributes:
      width: of a token.
      kernels: their number; 0 embeds the samples alone, as ST-MEM does.
      length: taps of a kernel, samples.
      dtype: of the matrix products.
    """

    width: int
    kernels: int
    length: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, patches_XP: jax.Array) -> jax.Array:
        """Tokens float32[X, D] of patches float32[X, P]."""
        parts = [patches_XP]
        if self.kernels:
            parts += self._found(patches_XP)
        token_XD = Dense(self.width, dtype=self.dtype, name="linear")(jnp.concatenate(parts, axis=-1))
        return layer_norm("norm")(token_XD)

    def _found(self, patches_XP: jax.Array) -> list[jax.Array]:
        """Maximum and mean over the patch of every kernel, float32[X, C] each."""
        taps_JC = self.param("taps", nn.initializers.normal(1.0), (self.length, self.kernels))
        bias_C = self.param("bias", _uniform, (self.kernels,))
        patches, samples = patches_XP.shape
        places = samples - self.length + 1
        # By slices, not by an index: the gradient of that adds up at places which overlap, slow on an
        # accelerator and on a GPU in no fixed order.
        taps = [jax.lax.slice_in_dim(patches_XP, tap, tap + places, axis=1) for tap in range(self.length)]
        window_YJ = jnp.stack(taps, axis=-1).reshape(patches * places, self.length)
        centred_JC = taps_JC - taps_JC.mean(0, keepdims=True)
        output_YC = product(window_YJ.astype(self.dtype), centred_JC)
        output_YC = gelu(plus(output_YC, bias_C)).astype(jnp.float32)
        output_XQC = output_YC.reshape(patches, places, self.kernels)
        return [largest(output_XQC, 1), output_XQC.mean(1)]


def _uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)


def require_kernels_fit(patch: int, kernels: int, length: int) -> None:
    """Raises ValueError, naming the field, where kernels are wider than a patch or make no sense."""
    if kernels < 0:
        raise ValueError(f"model.kernels: expected 0 or more, got {kernels}")
    if kernels and not 2 <= length <= patch:
        raise ValueError(f"model.kernel_length: expected 2 to model.patch = {patch} samples, got {length}")
