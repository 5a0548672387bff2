import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_signals import all_available, lead_residual, made_ecg

from coreecg_jax.method.normalisation import crop, derive_limb_leads, normalise, random_starts
from coreecg_jax.records.leads import LIMB_LEADS

normalised = jax.jit(normalise)
derived = jax.jit(derive_limb_leads)


def slow_normalise(ecg, available, valid):
    """One recording, float64[12, T], lead by lead; derivable leads must be there already."""
    out, squares, counted = np.zeros(ecg.shape), 0.0, 0
    for lead in np.flatnonzero(available):
        mean = sum(ecg[lead, valid].tolist()) / valid.sum()
        out[lead, valid] = ecg[lead, valid] - mean
        squares += sum(x * x for x in out[lead].tolist())
        counted += valid.sum()
    return out / np.sqrt(squares / counted)


def test_the_limb_relations_survive_normalisation():
    out = normalised(made_ecg() + np.float32(0), all_available(made_ecg()))
    assert np.abs(lead_residual(out.ecg_BLT)).max() <= 1e-5
    scaled_alone = out.ecg_BLT / out.ecg_BLT.std(-1, keepdims=True)
    assert np.abs(lead_residual(scaled_alone)).max() > 0.1  # what a scale for each lead would do


def test_normalise_is_the_slow_transcription():
    ecg = made_ecg(2) + np.linspace(-2, 2, 12, dtype=np.float32)[None, :, None]
    available, valid = all_available(ecg), np.ones((2, 300), bool)
    available[1, [7, 9]] = False
    valid[0, 211:] = False
    out = normalised(ecg, available, valid)
    for b in range(2):
        np.testing.assert_allclose(out.ecg_BLT[b], slow_normalise(ecg[b], available[b], valid[b]), atol=1e-5)


def test_one_scale_a_recording_and_a_mean_of_zero_in_each_lead():
    ecg = made_ecg()
    out = normalised(ecg, all_available(ecg))
    assert out.scale_B.shape == (3,)
    np.testing.assert_allclose(np.mean(out.ecg_BLT, -1), 0, atol=1e-5)
    np.testing.assert_allclose(np.std(out.ecg_BLT, axis=(1, 2)), 1, rtol=1e-5)
    centred = ecg - ecg.mean(-1, keepdims=True)
    np.testing.assert_allclose(centred / np.asarray(out.scale_B)[:, None, None], out.ecg_BLT, atol=1e-5)


@pytest.mark.parametrize("junk", [np.nan, np.inf, 1e4])
def test_what_a_missing_lead_or_the_padding_holds_changes_nothing(junk):
    ecg, valid = made_ecg(), np.ones((3, 300), bool)
    available = all_available(ecg)
    available[:, [2, 8]] = False  # III can be derived, V3 cannot
    valid[:, 250:] = False
    expected = normalised(ecg, available, valid)
    ecg[:, [2, 8]] = junk
    ecg[:, :, 250:] = junk
    out = normalised(ecg, available, valid)
    np.testing.assert_array_equal(out.ecg_BLT, expected.ecg_BLT)
    np.testing.assert_array_equal(out.scale_B, expected.scale_B)
    assert (out.ecg_BLT[:, 8] == 0).all()
    assert (out.ecg_BLT[:, :, 250:] == 0).all()
    assert np.abs(lead_residual(out.ecg_BLT)).max() <= 1e-5
    assert out.available_BL[:, 2].all()
    assert not out.available_BL[:, 8].any()


def test_padding_enters_no_mean_and_no_scale():
    ecg, valid = made_ecg() + np.float32(3), np.ones((3, 300), bool)
    valid[:, 200:] = False
    short = normalised(ecg[:, :, :200], all_available(ecg))
    padded = normalised(ecg, all_available(ecg), valid)
    np.testing.assert_allclose(padded.ecg_BLT[:, :, :200], short.ecg_BLT, atol=1e-5)
    np.testing.assert_allclose(padded.scale_B, short.scale_B, rtol=1e-5)


def test_flat_leads_and_silent_recordings_are_zero():
    ecg, available = made_ecg(), all_available(made_ecg())
    ecg[0, 7] = 1.7
    ecg[1] = 0.4
    available[2] = False
    out = normalised(ecg, available)
    np.testing.assert_allclose(out.ecg_BLT[0, 7], 0, atol=1e-5)
    np.testing.assert_allclose(out.ecg_BLT[1], 0, atol=1e-3)  # a microvolt is the smallest scale
    assert (out.ecg_BLT[2] == 0).all()


@pytest.mark.parametrize("factor", [0.01, 7.0, 1000.0])
def test_the_unit_does_not_matter(factor):
    ecg = made_ecg()
    one, other = (normalised(ecg * np.float32(f), all_available(ecg)) for f in (1, factor))
    np.testing.assert_allclose(one.ecg_BLT, other.ecg_BLT, atol=1e-5)
    np.testing.assert_allclose(one.scale_B * factor, other.scale_B, rtol=1e-5)


def test_any_two_or_more_limb_leads_give_the_others():
    subsets = [s for size in range(2, 7) for s in itertools.combinations(range(6), size)]
    truth = np.repeat(made_ecg(1), len(subsets), axis=0)
    available = all_available(truth)
    available[:, :6] = [[lead in subset for lead in range(6)] for subset in subsets]
    ecg = np.where(available[:, :, None], truth, 0).astype(np.float32)
    completed, now_available = derived(ecg, available)
    np.testing.assert_allclose(completed, truth, atol=1e-5)
    assert now_available.all()
    np.testing.assert_array_equal(np.asarray(completed)[available], truth[available])  # bit for bit


def test_one_limb_lead_gives_no_other_and_no_chest_lead_is_derived():
    ecg = made_ecg(6)
    available = all_available(ecg)
    available[:, :6] = np.eye(6, dtype=bool)
    available[:, 8] = False
    completed, now_available = derived(ecg, available)
    np.testing.assert_array_equal(now_available, available)
    assert (np.asarray(completed)[~available] == 0).all()


def test_available_leads_that_break_the_relations_are_left_as_they_are():
    ecg, available = made_ecg(), all_available(made_ecg())
    ecg[:, 2] += 0.1
    available[:, 4] = False
    completed, _ = derived(ecg, available)
    kept = [i for i in range(12) if i != 4]
    np.testing.assert_array_equal(completed[:, kept], ecg[:, kept])


def test_derivation_asks_for_float32_products():
    """Accelerators would take fewer bits by default, and a CPU shows no difference."""
    ecg = made_ecg(1)
    lines = str(jax.make_jaxpr(derive_limb_leads)(ecg, all_available(ecg)))
    assert lines.count("dot_general[") >= 3
    per_sample = lines.count("precision=(Precision.HIGHEST, Precision.HIGHEST)")
    assert per_sample >= 2, "the products with the signal"
    assert len(LIMB_LEADS) == 6


def test_crops_start_anywhere_that_the_length_allows():
    lengths = jnp.array([100] * 400 + [60] * 5 + [50] * 5)
    starts = np.asarray(random_starts(jax.random.key(0), lengths, 60))
    assert set(starts[:400]) == set(range(41))  # both ends included
    assert (starts[400:] == 0).all()
    window = np.arange(2 * 12 * 100).reshape(2, 12, 100)
    out = crop(jnp.asarray(window), jnp.array([3, 40]), 60)
    np.testing.assert_array_equal(out, np.stack([window[0, :, 3:63], window[1, :, 40:100]]))
