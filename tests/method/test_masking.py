import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coreecg_jax.method.masking import (
    MODES,
    STDM,
    algebraic_leakage,
    as_mask,
    hidden_kinds,
    leaking,
)
from coreecg_jax.records.leads import LIMB_FROM_I_II

N = 30
FIXED = STDM(mode="random", random_count="fixed")
SETTINGS = {
    **{mode: STDM(mode=mode) for mode in MODES},
    "fixed 22": FIXED,
    "fixed 23": STDM(mode="random", random_count="fixed", p_random=23 / 30),
}


@functools.cache
def masks(name):
    """3,000 masks of one setting, as numpy."""
    draw = jax.jit(SETTINGS[name], static_argnums=(1, 2))
    return jax.tree.map(np.asarray, draw(jax.random.key(7), 3000, N))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("dual", 150),
        ("time", 180),
        ("lead", 300),
        ("rank_aware", 105),
        ("random", 360),
        ("off", 360),
        ("fixed 22", 96),
        ("fixed 23", 84),
    ],
)
def test_the_number_of_tokens_kept(name, kept):
    mask = masks(name)
    assert SETTINGS[name].tokens_kept(N) == kept
    assert mask.kept_BK.shape == mask.seen_BK.shape == (3000, kept)
    if name != "random":
        assert mask.seen_BK.all()
        assert (mask.visible_BLN.sum((1, 2)) == kept).all()


def test_a_coin_for_each_token():
    visible = masks("random").visible_BLN
    assert visible.mean() == pytest.approx(0.25, abs=0.002)
    np.testing.assert_allclose(visible.mean(0), 0.25, atol=0.04)
    in_one_recording = visible.sum((1, 2))
    assert in_one_recording.std() == pytest.approx(math.sqrt(360 * 0.25 * 0.75), rel=0.1)


@pytest.mark.parametrize("name", ["dual", "time", "rank_aware"])
def test_hidden_columns_are_hidden_in_every_lead(name):
    visible = masks(name).visible_BLN
    columns, leads = visible.any(1), visible.any(2)
    np.testing.assert_array_equal(visible, leads[:, :, None] & columns[:, None, :])
    assert (columns.sum(1) == 15).all()


def test_dropped_leads_are_hidden_for_the_whole_recording():
    for name, kept in (("dual", 10), ("lead", 10), ("time", 12)):
        assert (masks(name).visible_BLN.any(2).sum(1) == kept).all()
    np.testing.assert_array_equal(masks("lead").visible_BLN.any(2), masks("lead").visible_BLN.all(2))


def test_rank_aware_hides_five_limb_or_five_chest_leads_by_a_coin():
    leads = masks("rank_aware").visible_BLN.any(2)
    limb, chest = leads[:, :6].sum(1), leads[:, 6:].sum(1)
    assert set(zip(limb.tolist(), chest.tolist())) == {(1, 6), (6, 1)}
    assert (limb == 1).mean() == pytest.approx(0.5, abs=0.04)
    np.testing.assert_allclose(leads.mean(0), 0.5 + 0.5 / 6, atol=0.04)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_column_and_lead_is_hidden_equally_often(name):
    visible = masks(name).visible_BLN
    np.testing.assert_allclose(visible.mean(0), visible.mean(), atol=0.05)  # 5 SD of 3,000 coins
    first_half, second_half = visible[:1500], visible[1500:]
    alike = (first_half == second_half).mean()
    p = visible.mean()
    assert alike == pytest.approx(p * p + (1 - p) ** 2, abs=0.02)  # of independent draws


@pytest.mark.parametrize("name", ["dual", "time", "random", "fixed 22", "rank_aware"])
def test_each_recording_has_its_own_mask(name):
    flat = masks(name).visible_BLN.reshape(3000, -1)
    assert len(np.unique(flat, axis=0)) > 2990


def test_lead_and_time_draws_are_independent_of_each_other():
    visible = masks("dual").visible_BLN
    leads, columns = visible.any(2).astype(float), visible.any(1).astype(float)
    correlation = np.corrcoef(leads.T, columns.T)[:12, 12:]
    assert np.abs(correlation).max() < 5 / math.sqrt(3000)


@pytest.mark.parametrize("name", ["dual", "random", "fixed 22", "off"])
def test_the_listed_tokens_are_the_visible_ones(name):
    mask = masks(name)
    for b in range(20):
        kept, seen = mask.kept_BK[b], mask.seen_BK[b]
        expected = [lead * N + c for lead in range(12) for c in range(N) if mask.visible_BLN[b, lead, c]]
        assert kept[seen].tolist() == expected
        assert len(set(kept.tolist())) == len(kept), "padding must not write over a token"
        assert not mask.visible_BLN[b].reshape(-1)[kept[~seen]].any()


def test_as_mask_pads_and_cuts():
    visible = np.zeros((2, 12, 3), bool)
    visible[0, 1, 2] = visible[0, 4, 0] = visible[1, 11, 2] = True
    kept, seen, _ = as_mask(jnp.asarray(visible), 2)
    assert kept[0].tolist() == [5, 12]
    assert (kept[1][0], seen[1].tolist()) == (35, [True, False])
    assert as_mask(jnp.asarray(visible), 1).kept_BK.tolist() == [[5], [35]]


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_hidden_kinds_are_disjoint_and_complete(name):
    visible = masks(name).visible_BLN
    kinds = np.stack(hidden_kinds(visible[:200]))
    np.testing.assert_array_equal(kinds.sum(0), ~visible[:200])


def test_hidden_kinds_of_dual():
    visible = masks("dual").visible_BLN
    column, lead, both = hidden_kinds(visible)
    assert (column.sum((1, 2)) == 15 * 10).all()
    assert (lead.sum((1, 2)) == 15 * 2).all()
    assert (both.sum((1, 2)) == 15 * 2).all()
    shown = visible.any(2)
    assert shown[column.any(2)].all()
    assert not shown[lead.any(2)].any()


def _leaks_by_rank(visible_LN):
    """Whether each hidden token's lead lies in the span of the visible leads of its column, by rank."""
    leads = np.zeros((12, 8))
    leads[:6, :2] = LIMB_FROM_I_II
    leads[6:, 2:] = np.eye(6)
    out = np.zeros(visible_LN.shape, bool)
    for column in range(visible_LN.shape[1]):
        shown = visible_LN[:, column]
        rank = np.linalg.matrix_rank(leads[shown]) if shown.any() else 0
        for lead in np.flatnonzero(~shown):
            with_it = np.vstack([leads[shown], leads[lead]])
            out[lead, column] = np.linalg.matrix_rank(with_it) == rank
    return out


def test_leakage_is_what_the_ranks_of_the_lead_matrix_say():
    rng = np.random.default_rng(0)
    visible = rng.random((8, 12, 12)) < rng.uniform(0.05, 0.95, (8, 1, 1))
    expected = np.stack([_leaks_by_rank(one) for one in visible])
    np.testing.assert_array_equal(leaking(jnp.asarray(visible)), expected)
    leak = algebraic_leakage(jnp.asarray(visible))
    assert leak.of_hidden == pytest.approx(expected.sum() / (~visible).sum())
    assert leak.of_hidden_limb == pytest.approx(expected.sum() / (~visible)[:, :6].sum())


def _two_of_five(p_visible):
    return sum(math.comb(5, k) * p_visible**k * (1 - p_visible) ** (5 - k) for k in range(2, 6))


@pytest.mark.parametrize(
    ("name", "of_hidden_limb", "of_hidden"),
    [
        ("random", _two_of_five(0.25), _two_of_five(0.25) / 2),  # 36.7 %, 18.4 %
        ("fixed 22", _two_of_five(8 / 30), _two_of_five(8 / 30) / 2),  # 40.2 %
        ("fixed 23", _two_of_five(7 / 30), _two_of_five(7 / 30) / 2),  # 33.2 %
        ("dual", 15 / 105, 15 / 210),  # one limb lead dropped on average: 14.3 %, 7.1 %
        ("lead", 1.0, 0.5),
        ("time", 0.0, 0.0),
        ("rank_aware", 0.0, 0.0),
        ("off", 0.0, 0.0),
    ],
)
def test_the_leakage_of_each_mode(name, of_hidden_limb, of_hidden):
    leak = algebraic_leakage(masks(name).visible_BLN)
    assert leak.of_hidden_limb == pytest.approx(of_hidden_limb, abs=0.006)
    assert leak.of_hidden == pytest.approx(of_hidden, abs=0.003 if name != "lead" else 0.03)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"mode": "both"}, "mask.mode"),
        ({"p_time": 1.0}, "mask.p_time"),
        ({"p_time": -0.1}, "mask.p_time"),
        ({"p_lead": 1.5}, "mask.p_lead"),
        ({"p_random": float("nan")}, "mask.p_random"),
        ({"random_count": "poisson"}, "mask.random_count"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, named):
    with pytest.raises(ValueError, match=named):
        STDM(**settings)


@pytest.mark.parametrize("settings", [{"p_time": 0.99}, {"p_lead": 0.99}, {**vars(FIXED), "p_random": 0.99}])
def test_a_mask_that_leaves_nothing_to_see_is_refused(settings):
    with pytest.raises(ValueError, match="expected some visible token"):
        STDM(**settings).tokens_kept(N)
