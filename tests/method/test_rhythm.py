"""Rate and regularity from tokens: shifted starts in the order of time, and their autocorrelation."""

import functools

import jax
import numpy as np
import pytest
from made_networks import PATCH, N, parameters_of, tiny_network
from made_signals import all_available, made_ecg

from coreecg_jax.method.network import patchify
from coreecg_jax.method.normalisation import TYPICAL_SCALE, normalise
from coreecg_jax.method.representation import represent
from coreecg_jax.method.rhythm import LAG_COLUMNS, SHIFTS, autocorrelation

TINY = tiny_network()
WIDTH, TIME = TINY.width, N * PATCH
_represent = jax.jit(functools.partial(represent, TINY, pooling="rhythm"))


def rhythm(ecg, length):
    return np.asarray(_represent(parameters_of(TINY), ecg, all_available(ecg), np.full(3, length, np.int32)))


def slow_autocorrelation(tokens, seen, lags):
    """One recording, pair by pair."""
    centred = [x - x[s].mean(0) if s.any() else x for x, s in zip(tokens, seen)]
    means = []
    for lag in range(lags + 1):
        places = range(tokens.shape[1] - lag)
        pairs = [(x[n], x[n + lag]) for x, s in zip(centred, seen) for n in places if s[n] and s[n + lag]]
        means.append(np.mean([one @ other for one, other in pairs]) if pairs else 0.0)
    return np.array(means[1:]) / means[0]


def test_the_autocorrelation_is_the_slow_transcription():
    rng = np.random.default_rng(0)
    tokens = rng.normal(1.0, 1.0, (2, 3, 7, 4)).astype(np.float32)
    seen = rng.random((2, 3, 7)) < 0.8
    seen[1, 2] = False
    correlated = jax.jit(autocorrelation, static_argnums=2)
    found = correlated(tokens, seen, 9)  # at 7 and more there is no pair
    expected = [slow_autocorrelation(*one, 9) for one in zip(tokens, seen)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    nothing = correlated(np.ones_like(tokens), seen, 9)
    np.testing.assert_allclose(nothing, 0.0, atol=1e-6)  # no token varies


def test_the_period_of_a_beat_is_where_tokens_are_alike_again():
    """A beat every two patches, whose lag is `2 * SHIFTS`; between two beats, at `SHIFTS`, they differ."""
    phase = np.arange(TIME) % (2 * PATCH)
    beat = np.exp(-(((phase - PATCH / 2) / 3.0) ** 2)).astype(np.float32)
    lags = rhythm(np.broadcast_to(beat, (3, 12, TIME)).copy(), TIME)[0, 49 * WIDTH :]
    assert lags.shape == (SHIFTS * LAG_COLUMNS,)
    assert lags[2 * SHIFTS - 1] > 0.8 > 0.2 > lags[SHIFTS - 1]
    assert lags.argmax() + 1 in (2 * SHIFTS, 4 * SHIFTS)


def test_what_is_pooled_are_the_tokens_of_every_shift():
    """Means and maxima over the tokens of the centred signal from each start, one shift at a time."""
    ecg = made_ecg(3, TIME)
    made = jax.jit(normalise)(ecg, all_available(ecg))
    read = made.ecg_BLT * made.scale_B[:, None, None] / TYPICAL_SCALE
    columns = N - 1
    kept = np.broadcast_to(np.arange(12 * columns, dtype=np.int32), (3, 12 * columns))
    encode = jax.jit(functools.partial(TINY.apply, method="encode"))
    starts = [shift * PATCH // SHIFTS for shift in range(SHIFTS)]
    parts = [patchify(read[:, :, start : start + columns * PATCH], PATCH) for start in starts]
    encoded = [encode({"params": parameters_of(TINY)}, x, kept, np.ones_like(kept, bool)) for x in parts]
    expected = [np.mean([x.global_BD for x in encoded], axis=0)]
    for name in ("tokens_BKD", "embedded_BKD"):
        tokens = np.concatenate([getattr(x, name).reshape(3, 12, columns, WIDTH) for x in encoded], axis=2)
        expected += [tokens.mean(2).reshape(3, -1), tokens.max(2).reshape(3, -1)]
    found = rhythm(ecg, TIME)[:, : 49 * WIDTH]
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), atol=1e-5)


def test_padding_changes_no_rhythm():
    ecg, valid = made_ecg(3, TIME), 4 * PATCH
    whole = rhythm(ecg, TIME)
    ecg[:, :, valid:] = 0.0
    quiet = rhythm(ecg, valid)
    ecg[:, :, valid:] = 77.0
    np.testing.assert_allclose(rhythm(ecg, valid), quiet, atol=1e-5)
    assert np.abs(quiet - whole).max() > 1e-2


def test_a_single_patch_is_refused():
    ecg = made_ecg(3, PATCH)
    with pytest.raises(ValueError, match="expected crops of two patches or more, got 25 samples"):
        _represent({}, ecg, all_available(ecg), np.full(3, PATCH))
