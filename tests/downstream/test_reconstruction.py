"""Explained variance against a loop over tokens; sums over batches; tables."""

import numpy as np
import pytest

from coreecg_jax.downstream.reconstruction import (
    KINDS,
    explained_by_kind_and_lead,
    explained_variance,
    markdown_lead_table,
    markdown_table,
)

PATCH = 10


@pytest.fixture
def masked():
    """Target, prediction, kept columns, kept leads of six recordings of 12 leads and 8 columns."""
    rng = np.random.default_rng(0)
    target_BLT = rng.normal(size=(6, 12, 8 * PATCH)) + rng.normal(size=(6, 12, 1))
    prediction_BLT = 0.6 * target_BLT + 0.3 * rng.normal(size=target_BLT.shape)
    return target_BLT, prediction_BLT, rng.random((6, 8)) < 0.5, rng.random((6, 12)) < 0.8


def slow_sums(target_LT, prediction_LT, hidden_LN):
    """Error and energy of one recording, token by token."""
    error = energy = 0.0
    for lead, column in zip(*np.nonzero(hidden_LN)):
        samples = slice(column * PATCH, (column + 1) * PATCH)
        d = target_LT[lead, samples] - target_LT[lead, samples].mean()
        d_hat = prediction_LT[lead, samples] - prediction_LT[lead, samples].mean()
        error += sum((d - d_hat) ** 2)
        energy += sum(d**2)
    return error, energy


def slow_explained(target_BLT, prediction_BLT, hidden_BLN):
    sums = [slow_sums(*row) for row in zip(target_BLT, prediction_BLT, hidden_BLN)]
    return 1 - sum(error for error, _ in sums) / sum(energy for _, energy in sums)


def test_equals_the_definition_token_by_token(masked):
    target_BLT, prediction_BLT, column_BN, lead_BL = masked
    hidden_BLN = ~(column_BN[:, None] & lead_BL[:, :, None])
    got = explained_variance(target_BLT, prediction_BLT, hidden_BLN, patch=PATCH)
    assert got == pytest.approx(slow_explained(target_BLT, prediction_BLT, hidden_BLN), rel=1e-12)


def test_perfect_is_one_mean_is_zero_and_patch_means_do_not_count(masked):
    target_BLT, _, column_BN, _ = masked
    hidden_BLN = np.broadcast_to(~column_BN[:, None], (6, 12, 8))
    level_BLT = np.repeat(np.arange(6 * 12 * 8.0).reshape(6, 12, 8), PATCH, axis=2)
    assert explained_variance(target_BLT, target_BLT + level_BLT, hidden_BLN, patch=PATCH) == pytest.approx(1)
    assert explained_variance(target_BLT, level_BLT, hidden_BLN, patch=PATCH) == pytest.approx(0)
    assert explained_variance(target_BLT, -target_BLT, hidden_BLN, patch=PATCH) == pytest.approx(-3)


def test_visible_tokens_are_not_looked_at(masked):
    target_BLT, prediction_BLT, column_BN, lead_BL = masked
    visible_BLT = np.repeat(column_BN[:, None] & lead_BL[:, :, None], PATCH, axis=2)
    wild_BLT = np.where(visible_BLT, 1e6 * prediction_BLT, prediction_BLT)
    first = explained_by_kind_and_lead(target_BLT, prediction_BLT, column_BN, lead_BL, patch=PATCH)
    second = explained_by_kind_and_lead(target_BLT, wild_BLT, column_BN, lead_BL, patch=PATCH)
    np.testing.assert_array_equal(first.error, second.error)


def test_kinds_and_leads_are_those_of_their_definitions(masked):
    target_BLT, prediction_BLT, column_BN, lead_BL = masked
    got = explained_by_kind_and_lead(target_BLT, prediction_BLT, column_BN, lead_BL, patch=PATCH)
    column, lead = column_BN[:, None, :], lead_BL[:, :, None]
    kinds = {"hidden_column": lead & ~column, "dropped_lead": ~lead & column, "both": ~lead & ~column}
    assert tuple(kinds) == KINDS
    place = np.flatnonzero(~lead_BL.all(axis=0))[0]  # a lead that is dropped somewhere
    for name, hidden_BLN in kinds.items():
        expected = slow_explained(target_BLT, prediction_BLT, hidden_BLN)
        assert got.by_kind[name] == pytest.approx(expected)
        of_one_lead = hidden_BLN & (np.arange(12) == place)[:, None]
        assert got.by_kind_and_lead[name][place] == pytest.approx(
            slow_explained(target_BLT, prediction_BLT, of_one_lead)
        )
    everything = slow_explained(target_BLT, prediction_BLT, ~(column & lead))
    assert got.overall == pytest.approx(everything)


def test_sum_of_batches_is_the_whole(masked):
    whole = explained_by_kind_and_lead(*masked, patch=PATCH)
    parts = [
        explained_by_kind_and_lead(*(a[rows] for a in masked), patch=PATCH) for rows in ([0, 1, 2, 3], [4, 5])
    ]
    total = parts[0] + parts[1]
    assert total.overall == pytest.approx(whole.overall)
    assert total.by_kind == pytest.approx(whole.by_kind)
    assert (parts[0].overall + parts[1].overall) / 2 != pytest.approx(whole.overall)


def test_unavailable_leads_are_not_judged(masked):
    target_BLT, prediction_BLT, column_BN, lead_BL = masked
    available_BL = np.ones((6, 12), bool)
    available_BL[:, 4] = False
    broken_BLT = prediction_BLT.copy()
    broken_BLT[:, 4] = np.nan
    got = explained_by_kind_and_lead(
        target_BLT, broken_BLT, column_BN, lead_BL, patch=PATCH, available_BL=available_BL
    )
    assert np.isfinite(got.overall)
    assert np.isnan(got.by_kind_and_lead["hidden_column"][4])


def test_nothing_hidden_is_not_a_number(masked):
    target_BLT, prediction_BLT, _, _ = masked
    got = explained_by_kind_and_lead(
        target_BLT, prediction_BLT, np.ones((6, 8), bool), np.ones((6, 12), bool), patch=PATCH
    )
    assert np.isnan(got.overall)
    assert "| – |" in markdown_table({"model": got})


def test_tables_set_predictors_beside_each_other(masked):
    target_BLT, prediction_BLT, column_BN, lead_BL = masked
    model = explained_by_kind_and_lead(target_BLT, prediction_BLT, column_BN, lead_BL, patch=PATCH)
    ceiling = explained_by_kind_and_lead(target_BLT, 0.9 * target_BLT, column_BN, lead_BL, patch=PATCH)
    lines = markdown_table({"model": model, "template": ceiling}, ceiling="template").splitlines()
    assert lines[0] == "| predictor | all hidden | hidden column | dropped lead | both |"
    share = round(100 * model.overall / 0.99)
    assert lines[2].startswith(f"| model | {model.overall:.3f} ({share} %) | ")
    assert lines[3] == "| template | 0.990 | 0.990 | 0.990 | 0.990 |"
    by_lead = markdown_lead_table({"model": model}, "both").splitlines()
    assert by_lead[0].startswith("| predictor (both) | I | II | ")
    assert {line.count("|") for line in by_lead} == {14}


def test_misfits_are_told(masked):
    target_BLT, prediction_BLT, column_BN, lead_BL = masked
    with pytest.raises(ValueError, match="multiple of patch = 7"):
        explained_by_kind_and_lead(target_BLT, prediction_BLT, column_BN, lead_BL, patch=7)
    with pytest.raises(ValueError, match="prediction: expected shape"):
        explained_variance(target_BLT, prediction_BLT[:3], np.ones((6, 12, 8), bool), patch=PATCH)
    with pytest.raises(ValueError, match="hidden tokens: expected shape"):
        explained_variance(target_BLT, prediction_BLT, np.ones((6, 12, 9), bool), patch=PATCH)
    with pytest.raises(ValueError, match="kept leads: expected shape"):
        explained_by_kind_and_lead(target_BLT, prediction_BLT, column_BN, lead_BL.T, patch=PATCH)
    row = explained_by_kind_and_lead(target_BLT, prediction_BLT, column_BN, lead_BL, patch=PATCH)
    with pytest.raises(ValueError, match="ceiling: expected one of"):
        markdown_table({"model": row}, ceiling="template")
    with pytest.raises(ValueError, match="kind of hidden token"):
        markdown_lead_table({"model": row}, "column")
    with pytest.raises(ValueError, match="expected 2 leads"):
        markdown_lead_table({"model": row}, "both", leads=("I", "II"))
