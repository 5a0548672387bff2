import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_networks import PATCH, N, parameters_of, tiny_network
from made_signals import all_available, made_ecg

from coreecg_jax.method.masking import STDM
from coreecg_jax.method.network import patchify, pool
from coreecg_jax.method.normalisation import normalise
from coreecg_jax.training.state import init_parameters

TINY = tiny_network(decoder="lead_wise", zero_output=False)
BOTH = (TINY, TINY.clone(decoder="joint"))


@pytest.fixture(scope="module", autouse=True)
def _made_before_anything_is_traced():
    for network in BOTH:
        parameters_of(network)


_apply = jax.jit(
    lambda network, *given, **how: network.apply(*given, **how),
    static_argnums=0,
    static_argnames=("method", "columns"),
)


def encode(network, patches, kept, seen):
    return _apply(network, {"params": parameters_of(network)}, patches, kept, seen, method="encode")


def decode(network, encoded, kept, seen):
    variables = {"params": parameters_of(network)}
    return _apply(network, variables, encoded, kept, seen, columns=N, method="decode")


@functools.cache
def patches_and_mask(mode="dual"):
    """Three recordings, cut into patches, and their masks."""

    def made(ecg, key):
        patches = patchify(normalise(ecg, all_available(ecg)).ecg_BLT, PATCH)
        return patches, STDM(mode=mode)(key, 3, N)

    return jax.jit(made)(made_ecg(3, N * PATCH), jax.random.key(4))


def test_patchify_puts_token_lead_times_n_plus_column():
    ecg = np.arange(2 * 12 * 150).reshape(2, 12, 150)
    patches = patchify(jnp.asarray(ecg), PATCH)
    for b, lead, column in np.ndindex(2, 12, N):
        expected = ecg[b, lead, column * PATCH : (column + 1) * PATCH]
        np.testing.assert_array_equal(patches[b, lead * N + column], expected)


@pytest.mark.parametrize("network", BOTH, ids=("lead_wise", "joint"))
@pytest.mark.parametrize("mode", ["dual", pytest.param("random", marks=pytest.mark.slow)])
def test_what_is_hidden_has_exactly_no_gradient(mode, network):
    patches, mask = patches_and_mask(mode)

    def seen_outputs(patches):
        encoded = encode(network, patches, mask.kept_BK, mask.seen_BK)
        prediction = decode(network, encoded, mask.kept_BK, mask.seen_BK)
        pooled = jnp.concatenate([encoded.global_BD, *pool(encoded.tokens_BKD, mask.seen_BK)], axis=-1)
        return sum((jnp.sin(x) * jnp.arange(x.size).reshape(x.shape)).sum() for x in (prediction, pooled))

    gradient = np.abs(jax.jit(jax.grad(seen_outputs))(patches)).max(-1)
    visible = np.asarray(mask.visible_BLN).reshape(gradient.shape)
    assert (gradient[~visible] == 0).all()
    assert (gradient[visible] > 0).all()
    assert mode != "random" or not mask.seen_BK.all()  # padding took part in this test


@pytest.mark.parametrize("network", BOTH, ids=("lead_wise", "joint"))
def test_what_hidden_tokens_hold_changes_nothing(network):
    patches, mask = patches_and_mask("random")
    visible = mask.visible_BLN.reshape(3, -1, 1)
    other = jnp.where(visible, patches, 1e3 * jax.random.normal(jax.random.key(0), patches.shape))
    one, two = (encode(network, x, mask.kept_BK, mask.seen_BK) for x in (patches, other))
    np.testing.assert_array_equal(one.global_BD, two.global_BD)
    np.testing.assert_array_equal(one.registers_BRD, two.registers_BRD)
    np.testing.assert_array_equal(
        *(decode(network, encoded, mask.kept_BK, mask.seen_BK) for encoded in (one, two))
    )


@pytest.mark.parametrize("network", BOTH, ids=("lead_wise", "joint"))
def test_padding_tokens_change_nothing(network):
    """The same visible tokens, listed without padding (time: K 36) and with it (off: K 72)."""
    patches, mask = patches_and_mask("time")
    everything = jnp.broadcast_to(jnp.arange(12 * N, dtype=jnp.int32), (3, 12 * N))
    seen = mask.visible_BLN.reshape(3, -1)
    short, padded = (
        encode(network, patches, mask.kept_BK, mask.seen_BK),
        encode(network, patches, everything, seen),
    )
    np.testing.assert_allclose(short.global_BD, padded.global_BD, atol=1e-5)
    one, two = pool(short.tokens_BKD, mask.seen_BK), pool(padded.tokens_BKD, seen)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), one, two)
    np.testing.assert_allclose(
        decode(network, short, mask.kept_BK, mask.seen_BK),
        decode(network, padded, everything, seen),
        atol=1e-5,
    )


@pytest.mark.parametrize("network", BOTH, ids=("lead_wise", "joint"))
def test_the_order_in_which_tokens_are_listed_changes_nothing(network):
    patches, mask = patches_and_mask()
    backwards = mask.kept_BK[:, ::-1], mask.seen_BK[:, ::-1]
    one, two = encode(network, patches, *mask[:2]), encode(network, patches, *backwards)
    np.testing.assert_allclose(one.global_BD, two.global_BD, atol=1e-5)
    np.testing.assert_allclose(decode(network, one, *mask[:2]), decode(network, two, *backwards), atol=1e-5)


def test_time_and_lead_of_a_token_are_known_to_the_encoder():
    patches, mask = patches_and_mask("off")
    tokens = patches.reshape(3, 12, N, PATCH)
    reference = encode(TINY, patches, *mask[:2]).global_BD
    for swapped in (tokens[:, ::-1], tokens[:, :, ::-1]):
        moved = encode(TINY, swapped.reshape(patches.shape), *mask[:2]).global_BD
        assert np.abs(moved - reference).max() > 1e-3


def test_projections_are_unit_vectors():
    encoded, mask = _encoded_and_mask()
    z = _apply(TINY, {"params": parameters_of(TINY)}, encoded, mask.seen_BK, method="project")
    assert z.shape == (3, 8)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)


def test_patch_tokens_are_aligned_too_unless_the_global_token_alone_is():
    encoded, mask = _encoded_and_mask()
    for network, tokens_matter in ((TINY, True), (TINY.clone(aligned="global"), False)):
        params = {"params": parameters_of(network)}

        def first(encoded, network=network, params=params):
            return network.apply(params, encoded, mask.seen_BK, method="project")[:, 0].sum()

        gradient = jax.jit(jax.grad(first))(encoded)
        assert np.abs(gradient.global_BD).max() > 1e-4
        assert (np.abs(gradient.tokens_BKD).max() > 1e-6) == tokens_matter


def _encoded_and_mask():
    patches, mask = patches_and_mask()
    return encode(TINY, patches, *mask[:2]), mask


def test_a_dropped_lead_is_decoded_from_the_global_token():
    encoded, mask = _encoded_and_mask()
    dropped = np.flatnonzero(~np.asarray(mask.visible_BLN[0]).any(1))[0]

    def of_dropped_lead(encoded):
        prediction = decode(TINY, encoded, *mask[:2]).reshape(3, 12, N, PATCH)[0, dropped]
        return (prediction * jnp.arange(prediction.size).reshape(prediction.shape)).sum()

    gradient = jax.jit(jax.grad(of_dropped_lead))(encoded)
    assert np.abs(gradient.global_BD[0]).max() > 1e-4
    assert np.abs(gradient.registers_BRD[0]).max() > 1e-4
    assert (gradient.global_BD[1:] == 0).all()  # recordings do not mix
    assert (gradient.tokens_BKD == 0).all()  # nothing of the lead is seen, and it is decoded alone


def test_lead_wise_decoding_sees_of_other_leads_only_the_global_tokens():
    encoded, mask = _encoded_and_mask()
    lead_BK = np.asarray(mask.kept_BK) // N
    lead = lead_BK[0, 0]
    changed = np.where((lead_BK == lead)[:, :, None], encoded.tokens_BKD, 9.0)
    one, two = (
        np.asarray(decode(TINY, encoded._replace(tokens_BKD=jnp.asarray(tokens)), *mask[:2]))
        for tokens in (encoded.tokens_BKD, changed)
    )
    one, two = one.reshape(3, 12, N, PATCH)[0], two.reshape(3, 12, N, PATCH)[0]
    np.testing.assert_allclose(one[lead], two[lead], atol=1e-6)
    others = [i for i in set(lead_BK[0].tolist()) if i != lead]
    assert all(np.abs(one[i] - two[i]).max() > 1e-3 for i in others)


def test_joint_decoding_reads_other_leads():
    joint = BOTH[1]
    encoded, mask = _encoded_and_mask()
    dropped = np.flatnonzero(~np.asarray(mask.visible_BLN[0]).any(1))[0]
    one, two = (
        decode(joint, encoded._replace(tokens_BKD=tokens), *mask[:2])
        for tokens in (encoded.tokens_BKD, -encoded.tokens_BKD)
    )
    assert one.shape == (3, 12 * N, PATCH) == decode(TINY, encoded, *mask[:2]).shape
    assert np.abs(one - two).reshape(3, 12, N, PATCH)[0, dropped].max() > 1e-3
    first = encoded._replace(tokens_BKD=encoded.tokens_BKD.at[1:].multiply(-1.0))
    np.testing.assert_allclose(decode(joint, first, *mask[:2])[0], one[0], atol=1e-6)  # recordings do not mix


@pytest.mark.parametrize("network", BOTH, ids=("lead_wise", "joint"))
def test_training_starts_from_predicting_the_mean(network):
    network = network.clone(zero_output=True)
    encoded, mask = _encoded_and_mask()
    assert (decode(network, encoded, *mask[:2]) == 0).all()


def test_bfloat16_runs_and_comes_close_to_float32():
    patches, mask = patches_and_mask()
    half = TINY.clone(dtype="bfloat16")
    exact, rough = (
        _apply(network, {"params": parameters_of(TINY)}, patches, *mask[:2]) for network in (TINY, half)
    )
    assert all(x.dtype == jnp.float32 for x in rough)
    assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(parameters_of(half)))
    for one, other in zip(exact, rough):
        assert 0 < np.abs(one - other).max() < 0.1 * np.abs(one).max()


def test_layers_are_stacked_and_heads_are_counted():
    drawn = init_parameters(tiny_network(depth=2), jax.random.key(0))
    kernel = drawn["encoder_stack"]["layers"]["qkv"]["kernel"]
    assert kernel.shape == (2, 16, 48)
    assert np.abs(kernel[0] - kernel[1]).max() > 1e-2  # each layer has its own draw


@pytest.mark.parametrize(
    ("field", "value"),
    [("width", 18), ("decoder_width", 10), ("width", 0), ("decoder", "both"), ("aligned", "mean")],
)
def test_settings_that_make_no_sense_are_refused(field, value):
    with pytest.raises(ValueError, match=f"model.{field}"):
        TINY.clone(**{field: value})
