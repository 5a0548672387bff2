"""Transformer parts: positions, norms, linear layers, blocks stacked by scan."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from coreecg_jax.method.attention import attend
from coreecg_jax.method.division import by_rows
from coreecg_jax.method.machine import traced_for_cpu
from coreecg_jax.method.products import plus, product
from coreecg_jax.method.rematerialisation import recomputes, rematerialised

UNROLLED_LAYERS = 4  # of a stack, a turn of its scan: compile time stays bounded
MLP_RATIO = 4  # width of the hidden layer of a block, in widths of the block


def sin_cos_positions(columns: int, width: int) -> np.ndarray:
    """Fixed positions float32[columns, width] (Vaswani et al. 2017); `width` is even."""
    rate = 10_000.0 ** (-np.arange(width // 2) / (width // 2))
    angle = np.arange(columns)[:, None] * rate[None, :]
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def largest(x: jax.Array, axis: int) -> jax.Array:
    """The maximum along an axis; its gradient goes to the first of the largest.

    `jnp.max` finds them again by comparison with the maximum. XLA may compute the operand once more for that,
    rounded otherwise in another fusion: then none is equal, and the gradient is lost without a word. It was:
    much of the gradient of the encoder in tests (docs/decisions.md).
    """
    return x.max(axis)


def _largest_and_where(x: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    where = jnp.argmax(x, axis, keepdims=True)
    return x.max(axis), jax.lax.broadcasted_iota(where.dtype, x.shape, axis % x.ndim) == where


def _to_the_largest(axis: int, is_largest: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    return (jnp.where(is_largest, jnp.expand_dims(gradient, axis), 0),)


largest.defvjp(_largest_and_where, _to_the_largest)


@jax.custom_vjp
def gelu(x: jax.Array) -> jax.Array:
    """GELU by tanh (Hendrycks and Gimpel 2016), which keeps `x` alone for its gradient.

    `jax.nn.gelu` keeps five arrays of its size, and of all there is in a block this is the largest.
    """
    return jax.nn.gelu(x)


def _gelu_and_x(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return gelu(x), x


def _by_x(x: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    return jax.vjp(jax.nn.gelu, x)[1](gradient)


gelu.defvjp(_gelu_and_x, _by_x)


class Dense(nn.Module):
    """A linear layer as `nn.Dense` is, whose gradients are summed in the type of its parameters.

    Attributes:
      features: of the output.
      dtype: of input and output.
      zero: whether its weights are zero at the start; by default they are Xavier's.
    """

    features: int
    dtype: jnp.dtype
    zero: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x W + b, [..., features]."""
        init = nn.initializers.zeros if self.zero else nn.initializers.xavier_uniform()
        kernel = self.param("kernel", init, (x.shape[-1], self.features))
        bias_N = self.param("bias", nn.initializers.zeros, (self.features,))
        # On rows, as `Block` has it.
        y_MN = product(x.astype(self.dtype).reshape(-1, x.shape[-1]), kernel)
        return plus(y_MN, bias_N).reshape(*x.shape[:-1], self.features)


def layer_norm(name: str) -> nn.LayerNorm:
    """Statistics and result in float32, whatever the compute type."""
    return nn.LayerNorm(epsilon=1e-6, dtype=jnp.float32, name=name)


def drop_path(key: jax.Array, rate: float, *, depth: int, batch: int) -> jax.Array:
    """Multipliers float32[depth, batch] that drop whole layers of single recordings; of mean 1.

    Stochastic depth (Huang et al. 2016): the rate rises linearly from 0 in the first layer to `rate` in the
    last. What is kept is divided by its probability, so nothing changes when no layer is dropped.
    """
    keep_X1 = 1.0 - np.linspace(0.0, rate, depth, dtype=np.float32)[:, None]
    return jax.random.bernoulli(key, keep_X1, (depth, batch)) / keep_X1


class Block(nn.Module):
    """Pre-norm attention and MLP. Works as the body of a scan over layers."""

    heads: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x_BKD: jax.Array, bias_BHKK: jax.Array, keep_B: jax.Array | None = None
    ) -> tuple[jax.Array, None]:
        batch, tokens, width = x_BKD.shape

        def kept(branch: jax.Array) -> jax.Array:
            """What a branch adds, times its recording's multiplier."""
            if keep_B is None:
                return branch
            return branch * jnp.repeat(keep_B, tokens)[:, None].astype(branch.dtype)

        # Tokens are flattened for all that is done to each alone: on a CPU the MLP trains three times
        # faster on [B * K, D] than on [B, K, D] (docs/performance.md).
        x = x_BKD.reshape(batch * tokens, width)
        h = layer_norm("attention_norm")(x).astype(self.dtype)
        qkv = Dense(3 * width, dtype=self.dtype, name="qkv")(h)
        q, k, v = jnp.transpose(qkv.reshape(batch, tokens, 3, self.heads, -1), (2, 0, 3, 1, 4))
        h = jnp.transpose(attend(q, k, v, bias_BHKK), (0, 2, 1, 3)).reshape(batch * tokens, width)
        x += kept(Dense(width, dtype=self.dtype, name="attention_out")(h))
        h = layer_norm("mlp_norm")(x).astype(self.dtype)
        h = gelu(Dense(MLP_RATIO * width, dtype=self.dtype, name="mlp_in")(h))
        x += kept(Dense(width, dtype=self.dtype, name="mlp_out")(h))
        return x.reshape(batch, tokens, width), None


class Stack(nn.Module):
    """`depth` blocks with stacked parameters (leading axis: layer), then a LayerNorm; float32 out.

    Called with `keep_XB`, it multiplies what each layer adds to each recording, X layers: 0 drops a layer
    (`drop_path`). In training on a CPU all layers are one turn of the scan: what a layer leaves to its
    gradient is then not copied into an array of all layers and out again (docs/performance.md). Within
    `rematerialising` each layer is a turn and computes again what it did not keep.
    """

    depth: int
    heads: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        x_BKD: jax.Array,
        bias_BHKK: jax.Array,
        keep_XB: jax.Array | None = None,
        *,
        training: bool = False,
    ) -> jax.Array:
        if keep_XB is None and self.has_variable("params", "layer_0"):  # `taken_apart`
            return self._apart(x_BKD.astype(self.dtype), bias_BHKK)
        one_by_one = self.is_initializing() or recomputes()
        unrolled = self.depth if training and traced_for_cpu() else min(self.depth, UNROLLED_LAYERS)
        dropping = () if keep_XB is None else (keep_XB,)
        layers = nn.scan(
            rematerialised(Block),
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=(nn.broadcast, 0) if dropping else nn.broadcast,
            length=self.depth,
            # Drawing the parameters is no work to unroll, only more to compile; of layers in one turn all
            # that is computed again would lie in memory at once. The check traces each layer once more;
            # which parameters are drawn hangs on it, so it stays there.
            unroll=1 if one_by_one else unrolled,
            check_constancy_invariants=self.is_initializing(),
        )
        x_BKD, _ = layers(heads=self.heads, dtype=self.dtype, name="layers")(
            by_rows(x_BKD.astype(self.dtype)), bias_BHKK, *dropping
        )
        return layer_norm("norm")(x_BKD)

    def _apart(self, x_BKD: jax.Array, bias_BHKK: jax.Array) -> jax.Array:
        block = nn.jit(Block)  # traced once for all layers
        for number in range(self.depth):
            x_BKD, _ = block(heads=self.heads, dtype=self.dtype, name=f"layer_{number}")(x_BKD, bias_BHKK)
        return layer_norm("norm")(x_BKD)


def taken_apart(stack: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a `Stack` with those of each layer by themselves, which it takes without `keep_XB`.

    XLA copies what a product reads of an array of all layers, which takes a CPU 3 to 6 % of an embedding.
    """
    depth = len(jax.tree.leaves(stack["layers"])[0])
    layers = {f"layer_{n}": jax.tree.map(lambda x, n=n: x[n], stack["layers"]) for n in range(depth)}
    return {"norm": stack["norm"]} | layers


class MLP(nn.Module):
    """Linear layers with GELU between them."""

    features: Sequence[int]
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i, features in enumerate(self.features):
            x = Dense(features, dtype=self.dtype, name=f"layer_{i}")(gelu(x) if i else x)
        return x.astype(jnp.float32)
