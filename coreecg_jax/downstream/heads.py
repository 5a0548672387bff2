"""From the encoder's tokens to a logit for each class: attention pooling, or fixed pooling."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from coreecg_jax.method.attention import HIDDEN_KEY, attend
from coreecg_jax.method.layers import Dense, layer_norm
from coreecg_jax.method.network import pool
from coreecg_jax.method.unmasked import Tokens
from coreecg_jax.records.leads import LEADS

HEADS = ("attention", "linear")


class AttentionHead(nn.Module):
    """One learned query attends to the global token and all seen patch tokens; then LayerNorm and linear.

    The attentive probe of V-JEPA and of ECG-JEPA (Weimann and Conrad 2024), less its MLP. The query starts
    near 0, so that training starts from the mean of the tokens.

    Attributes:
      classes: their number.
      heads: of the attention.
    """

    classes: int
    heads: int

    @nn.compact
    def __call__(self, tokens: Tokens) -> jax.Array:
        """Logits float32[B, C]."""
        batch, width = tokens.global_BD.shape
        x_BKD = jnp.concatenate([tokens.global_BD[:, None], tokens.tokens_BUND.reshape(batch, -1, width)], 1)
        seen_BK = jnp.pad(tokens.seen_BUN.reshape(batch, -1), ((0, 0), (1, 0)), constant_values=True)
        keys = x_BKD.shape[1]
        h = layer_norm("token_norm")(x_BKD).reshape(batch * keys, width)
        kv = Dense(2 * width, dtype=h.dtype, name="key_value")(h)
        k, v = jnp.transpose(kv.reshape(batch, keys, 2, self.heads, -1), (2, 0, 3, 1, 4))
        query_D = self.param("query", nn.initializers.normal(0.02), (width,))
        q = jnp.broadcast_to(query_D.reshape(1, self.heads, 1, -1), (batch, self.heads, 1, k.shape[-1]))
        bias_BK = jnp.where(seen_BK, 0.0, HIDDEN_KEY)
        pooled_BD = attend(q, k, v, bias_BK[:, None, None]).reshape(batch, width)
        return _logits(pooled_BD, self.classes)


class LinearHead(nn.Module):
    """The vector of `representation.represent` with pooling 'lead', a LayerNorm, a linear layer.

    Frozen encoders are read by 'rhythm' unless told otherwise.

    Attributes:
      classes: their number.
      places: of the leads in use among the twelve.
    """

    classes: int
    places: tuple[int, ...]

    @nn.compact
    def __call__(self, tokens: Tokens) -> jax.Array:
        """Logits float32[B, C]."""
        batch, width = tokens.global_BD.shape
        at = np.array(self.places)
        pooled = [
            jnp.zeros((batch, len(LEADS), width)).at[:, at].set(each).reshape(batch, -1)
            for each in pool(tokens.tokens_BUND, tokens.seen_BUN)
        ]
        return _logits(jnp.concatenate([tokens.global_BD, *pooled], axis=-1), self.classes)


def make_head(kind: str, classes: int, *, heads: int, places: tuple[int, ...]) -> nn.Module:
    """The head of that name, one of `HEADS`; its parameters do not depend on the leads in use."""
    return AttentionHead(classes, heads) if kind == "attention" else LinearHead(classes, places)


def init_head(
    head: nn.Module,
    key: jax.Array,
    width: int,
    leads: int,
    labels: np.ndarray,
    known: np.ndarray | None = None,
) -> dict[str, Any]:
    """Its parameters, with which it gives each class the log odds of its prevalence, whatever the tokens.

    Args:
      head: the head.
      key: of what is drawn.
      width: of a token.
      leads: number of those in use.
      labels: bool (n, C), of the recordings that will be fitted; one half is added to either count.
      known: bool (n, C), which of them say something; None: all.
    """
    none_BUND, seen_BUN = jnp.zeros((1, leads, 1, width)), jnp.ones((1, leads, 1), bool)
    tokens = Tokens(jnp.zeros((1, width)), none_BUND, seen_BUN, none_BUND)
    parameters: dict[str, Any] = jax.jit(head.init)(key, tokens)["params"]
    known_C = len(labels) if known is None else known.sum(axis=0)
    positives_C = (labels if known is None else labels & known).sum(axis=0) + 0.5
    parameters["output"]["bias"] = jnp.log(positives_C / (known_C + 1.0 - positives_C))
    return parameters


def _logits(pooled_BF: jax.Array, classes: int) -> jax.Array:
    normed_BF = layer_norm("pooled_norm")(pooled_BF)
    return Dense(classes, dtype=normed_BF.dtype, zero=True, name="output")(normed_BF)
