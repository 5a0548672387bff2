"""What a frozen encoder says: any leads in any order, voltage kept, pooled by lead or over the recording."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_networks import PATCH, N, parameters_of, tiny_network
from made_signals import all_available, made_ecg

from coreecg_jax.method.network import patchify, pool
from coreecg_jax.method.normalisation import TYPICAL_SCALE, normalise
from coreecg_jax.method.representation import compiled_represent, represent
from coreecg_jax.records.leads import LEADS

TINY = tiny_network(depth=1)
_represent = jax.jit(represent, static_argnums=0, static_argnames=("leads", "pooling"))


def representation(ecg, available, length, leads=LEADS, network=TINY, pooling="lead"):
    how = {"leads": leads, "pooling": pooling}
    return _represent(network, parameters_of(TINY), ecg, available, length, **how)


LENGTH = np.full(3, N * PATCH, np.int32)


def full_ecg():
    ecg = made_ecg(3, N * PATCH)
    return ecg, all_available(ecg)


def test_a_subset_of_leads_is_the_full_input_with_the_others_masked():
    ecg, available = full_ecg()
    some = representation(ecg[:, [0, 6]], available[:, [0, 6]], LENGTH, leads=("I", "V1"))
    available[:] = False
    available[:, [0, 6]] = True
    np.testing.assert_allclose(some, representation(ecg, available, LENGTH), atol=1e-5)
    assert np.abs(some - representation(ecg, all_available(ecg), LENGTH)).max() > 1e-2


def test_the_order_of_named_leads_changes_nothing():
    ecg, available = full_ecg()
    order = np.random.default_rng(0).permutation(12)
    available[0, 3] = available[1, 9] = False
    names = tuple(LEADS[i] for i in order)
    permuted = representation(ecg[:, order], available[:, order], LENGTH, leads=names)
    np.testing.assert_allclose(permuted, representation(ecg, available, LENGTH), atol=1e-5)
    named_otherwise = representation(ecg, available, LENGTH, leads=tuple(name.upper() for name in LEADS))
    np.testing.assert_array_equal(named_otherwise, representation(ecg, available, LENGTH))


def test_eight_independent_leads_give_what_twelve_give():
    ecg, available = full_ecg()
    independent = [i for i, name in enumerate(LEADS) if name not in ("III", "aVR", "aVL", "aVF")]
    eight = representation(
        ecg[:, independent], available[:, independent], LENGTH, leads=tuple(LEADS[i] for i in independent)
    )
    np.testing.assert_allclose(eight, representation(ecg, available, LENGTH), atol=1e-5)


def test_padding_columns_change_nothing():
    ecg, available = full_ecg()
    short = representation(ecg[:, :, : 4 * PATCH], available, LENGTH * 4 // 6)
    ecg[:, :, 4 * PATCH :] = 77.0
    np.testing.assert_allclose(representation(ecg, available, LENGTH * 4 // 6), short, atol=1e-5)


def test_a_recording_without_any_lead_has_a_finite_representation():
    ecg, available = full_ecg()
    available[1] = False
    ecg[1] = np.nan
    out = np.asarray(representation(ecg, available, LENGTH))
    assert out.shape == (3, 25 * 16)
    assert np.isfinite(out).all()
    assert (out[1, 16:] == 0).all()


def test_leads_that_are_not_those_named_are_refused():
    ecg, available = full_ecg()
    with pytest.raises(ValueError, match="expected 2 leads as named"):
        represent(TINY, {}, ecg, available, LENGTH, leads=("I", "V1"))


def test_pool_is_the_slow_transcription():
    rng = np.random.default_rng(0)
    tokens, seen = rng.normal(size=(2, 5, 3)).astype(np.float32), np.array([[1, 0, 1, 1, 0], [0] * 5], bool)
    mean, maximum = pool(jnp.asarray(tokens), jnp.asarray(seen))
    rows = tokens[0, [0, 2, 3]]
    np.testing.assert_allclose(mean[0], rows.mean(0), atol=1e-6)
    np.testing.assert_array_equal(maximum[0], rows.max(0))
    assert (mean[1] == 0).all()
    assert (maximum[1] == 0).all()


def slow_representation(ecg, available, pooling):
    """Every token of the encoder, pooled one lead at a time."""
    made = jax.jit(normalise)(ecg, available)
    patches = patchify(made.ecg_BLT * made.scale_B[:, None, None] / TYPICAL_SCALE, PATCH)
    kept = np.broadcast_to(np.arange(12 * N, dtype=np.int32), (3, 12 * N))
    seen = np.repeat(np.asarray(made.available_BL), N, axis=1)
    encode = jax.jit(functools.partial(TINY.apply, method="encode"))
    encoded = jax.device_get(encode({"params": parameters_of(TINY)}, patches, kept, seen))
    rows = []
    for b in range(3):
        groups = (
            [range(lead * N, lead * N + N) for lead in range(12)] if pooling == "lead" else [range(12 * N)]
        )
        tokens = [encoded.tokens_BKD[b][[s for s in group if seen[b, s]]] for group in groups]
        means = [x.mean(0) if len(x) else np.zeros(16) for x in tokens]
        maxima = [x.max(0) if len(x) else np.zeros(16) for x in tokens]
        rows.append(np.concatenate([encoded.global_BD[b], *means, *maxima]))
    return np.stack(rows)


@pytest.mark.parametrize("pooling", ["lead", "recording"])
def test_the_representation_is_the_slow_transcription(pooling):
    ecg, available = full_ecg()
    available[0, 8] = available[2, 11] = False  # chest leads: nothing derives them
    expected = slow_representation(ecg, available, pooling)
    np.testing.assert_allclose(representation(ecg, available, LENGTH, pooling=pooling), expected, atol=1e-5)


def test_voltage_is_seen_unless_the_recordings_own_scale_is_asked_for():
    ecg, available = full_ecg()
    own_scale = TINY.clone(voltage=False)
    for network, least, most in ((TINY, 0.05, np.inf), (own_scale, 0.0, 1e-4)):
        one, two = (representation(x, available, LENGTH, network=network) for x in (ecg, 2 * ecg))
        assert least <= np.abs(one - two).max() <= most


def test_networks_of_the_same_settings_share_one_program():
    one, same, deeper = (tiny_network(depth=depth) for depth in (1, 1, 2))
    assert one is not same
    assert compiled_represent(one) is compiled_represent(same, leads=list(LEADS), pooling="rhythm")
    others = (
        compiled_represent(deeper),
        compiled_represent(one, leads=LEADS[:6]),
        compiled_represent(one, pooling="lead"),
    )
    assert len({compiled_represent(one), *others}) == 4


def test_an_unknown_pooling_is_refused():
    ecg, available = full_ecg()
    with pytest.raises(ValueError, match="pooling: expected one of rhythm, lead, recording, got 'mean'"):
        represent(TINY, {}, ecg, available, LENGTH, pooling="mean")


def test_samples_that_are_no_whole_patches_are_refused():
    ecg, available = full_ecg()
    with pytest.raises(ValueError, match=r"multiple of model\.patch = 25 samples, got 149"):
        represent(TINY, {}, ecg[:, :, 1:], available, LENGTH)
