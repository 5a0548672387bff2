"""STDM, spatio-temporal dual masking, and how much of what it hides leaks through lead algebra.

Time: columns are hidden in every lead, so that no other lead gives the answer away at that instant.
Lead: leads are hidden for the whole recording. Counts are fixed, so shapes are static.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from coreecg_jax.records.leads import CHEST_LEADS, LEADS, LIMB_LEADS

MODES = ("dual", "time", "lead", "random", "rank_aware", "off")
_RANK_AWARE_HIDDEN = 5  # of the six limb leads, or of the six chest leads


class Mask(NamedTuple):
    """Which tokens the encoder sees; token = lead * N + column."""

    kept_BK: jax.Array  # int32, ascending among those seen
    seen_BK: jax.Array  # bool; False is padding, where fewer than K tokens are visible
    visible_BLN: jax.Array  # bool; what is not visible is to be recovered


@dataclasses.dataclass(frozen=True)
class STDM:
    """Settings of spatio-temporal dual masking.

    Attributes:
      mode: 'dual' (columns and leads), 'time', 'lead', 'random' (tokens independently),
        'rank_aware' (columns, and five limb or five chest leads: no hidden lead can be computed),
        'off'.
      p_time: share of columns hidden.
      p_lead: share of leads hidden; the count is rounded, 0.2 of 12 leads hides 2.
      p_random: share of tokens hidden in 'random'.
      random_count: 'bernoulli' (each token by its own coin) or 'fixed' (the same number in each lead).
    """

    mode: str = "dual"
    p_time: float = 0.5
    p_lead: float = 0.2
    p_random: float = 0.75
    random_count: str = "bernoulli"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mask.mode: expected one of {', '.join(MODES)}, got {self.mode!r}")
        for name in ("p_time", "p_lead", "p_random"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"mask.{name}: expected a share in [0, 1), got {getattr(self, name)}")
        if self.random_count not in ("bernoulli", "fixed"):
            raise ValueError(f"mask.random_count: expected bernoulli or fixed, got {self.random_count!r}")

    def tokens_kept(self, columns: int) -> int:
        """K, the static number of tokens that the encoder is given, of 12 * columns.

        Raises:
          ValueError: where the settings, rounded to whole columns and leads, leave none.
        """
        leads, kept_columns = len(LEADS), columns - _share(self.p_time, columns)
        kept_leads = leads - _share(self.p_lead, leads)
        fixed = leads * (columns - _share(self.p_random, columns))
        kept = {
            "dual": kept_columns * kept_leads,
            "time": kept_columns * leads,
            "lead": columns * kept_leads,
            "random": leads * columns if self.random_count == "bernoulli" else fixed,
            "rank_aware": kept_columns * (leads - _RANK_AWARE_HIDDEN),
            "off": leads * columns,
        }[self.mode]
        if not kept:
            raise ValueError(
                f"mask: expected some visible token, got none: mode {self.mode!r} with p_time={self.p_time}, "
                f"p_lead={self.p_lead}, p_random={self.p_random} hides all of {leads} leads x {columns} "
                "columns: lower these shares or take a shorter model.patch"
            )
        return kept

    def __call__(self, key: jax.Array, recordings: int, columns: int) -> Mask:
        """A mask for each of `recordings`, all drawn independently."""
        visible_BLN = jax.vmap(lambda one: self._visible(one, columns))(jax.random.split(key, recordings))
        return as_mask(visible_BLN, self.tokens_kept(columns))

    def _visible(self, key: jax.Array, columns: int) -> jax.Array:
        """bool[L, N] for one recording."""
        time_key, lead_key = jax.random.split(key)
        everything = jnp.ones((len(LEADS), columns), bool)
        column_N = ~_choose(time_key, columns, _share(self.p_time, columns))
        lead_L = ~_choose(lead_key, len(LEADS), _share(self.p_lead, len(LEADS)))
        if self.mode == "dual":
            return lead_L[:, None] & column_N[None, :]
        if self.mode == "time":
            return everything & column_N[None, :]
        if self.mode == "lead":
            return everything & lead_L[:, None]
        if self.mode == "rank_aware":
            return _rank_aware_leads(lead_key)[:, None] & column_N[None, :]
        if self.mode == "random":
            return self._random(key, columns)
        return everything

    def _random(self, key: jax.Array, columns: int) -> jax.Array:
        if self.random_count == "bernoulli":
            return ~jax.random.bernoulli(key, self.p_random, (len(LEADS), columns))
        hide = _share(self.p_random, columns)
        return jax.vmap(lambda one: ~_choose(one, columns, hide))(jax.random.split(key, len(LEADS)))


def as_mask(visible_BLN: jax.Array, tokens_kept: int) -> Mask:
    """Lists the visible tokens of each recording, padded or cut to `tokens_kept`."""
    visible_BS = visible_BLN.reshape(visible_BLN.shape[0], -1)
    kept_BK = jnp.argsort(~visible_BS, axis=1, stable=True)[:, :tokens_kept].astype(jnp.int32)
    return Mask(kept_BK, jnp.take_along_axis(visible_BS, kept_BK, axis=1), visible_BLN)


class HiddenKinds(NamedTuple):
    """The three ways in which a token is hidden; bool[B, L, N], disjoint, together all that is hidden."""

    column: jax.Array  # its column is hidden in every lead, its lead is seen elsewhere
    lead: jax.Array  # its lead is hidden for the whole recording, its column is seen elsewhere
    other: jax.Array  # both, or neither (random masks)


def hidden_kinds(visible_BLN: jax.Array) -> HiddenKinds:
    """Sorts the hidden tokens by how they came to be hidden."""
    hidden = ~visible_BLN
    column_gone = jnp.broadcast_to(hidden.all(1, keepdims=True), hidden.shape)
    lead_gone = jnp.broadcast_to(hidden.all(2, keepdims=True), hidden.shape)
    column = hidden & column_gone & ~lead_gone
    lead = hidden & lead_gone & ~column_gone
    return HiddenKinds(column, lead, hidden & ~column & ~lead)


class Leakage(NamedTuple):
    """Shares of hidden tokens that follow from visible ones by lead algebra; scalars in [0, 1]."""

    of_hidden_limb: jax.Array
    of_hidden: jax.Array


def leaking(visible_BLN: jax.Array) -> jax.Array:
    """bool[B, L, N]: hidden tokens whose lead lies in the span of the leads visible in their column.

    Any two limb leads span all six, and no chest lead is in the span of others: so exactly the
    hidden limb leads with two or more visible limb leads in the column.
    """
    limbs = len(LIMB_LEADS)
    spanned_BN = visible_BLN[:, :limbs].sum(1) >= 2
    limb_BLN = ~visible_BLN[:, :limbs] & spanned_BN[:, None, :]
    return jnp.concatenate([limb_BLN, jnp.zeros_like(visible_BLN[:, limbs:])], axis=1)


def algebraic_leakage(visible_BLN: jax.Array) -> Leakage:
    """How much of what these masks hide is given away exactly; 0 where nothing is hidden."""
    leaks, hidden = leaking(visible_BLN).sum(), ~visible_BLN
    hidden_limb = hidden[:, : len(LIMB_LEADS)].sum()
    return Leakage(leaks / jnp.maximum(hidden_limb, 1), leaks / jnp.maximum(hidden.sum(), 1))


def _share(p: float, n: int) -> int:
    return round(p * n)


def _choose(key: jax.Array, n: int, count: int) -> jax.Array:
    """bool[n] with exactly `count` True, every choice equally likely."""
    return jax.random.permutation(key, jnp.arange(n) < count)


def _rank_aware_leads(key: jax.Array) -> jax.Array:
    """Visible leads: one limb and all chest leads, or all limb leads and one chest lead."""
    coin_key, limb_key, chest_key = jax.random.split(key, 3)
    limb_L = ~_choose(limb_key, len(LIMB_LEADS), _RANK_AWARE_HIDDEN)
    chest_L = ~_choose(chest_key, len(CHEST_LEADS), _RANK_AWARE_HIDDEN)
    hide_limb = jax.random.bernoulli(coin_key)
    return jnp.concatenate([limb_L | ~hide_limb, chest_L | hide_limb])
