import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_cohorts import made_recordings
from made_encoders import CROP_SECONDS, NETWORK, fresh_parameters

from coreecg_jax.downstream.finetuning import fine_tune, predict
from coreecg_jax.downstream.finetuning_settings import Settings
from coreecg_jax.downstream.heads import AttentionHead, LinearHead, init_head
from coreecg_jax.downstream.scores import macro_auroc
from coreecg_jax.downstream.tokens import ENCODER
from coreecg_jax.method.representation import represent
from coreecg_jax.method.unmasked import Tokens, encode_unmasked, read

PROBE = Settings(
    head="attention", frozen=True, learning_rate=1e-2, epochs=6, patience=6, batch_size=32, evaluate_crops=2
)


def made(count, first=0):
    """Recordings of which every other is loud, which even an untrained encoder reads, and their labels."""
    recordings = made_recordings(count, first=first)
    loud = np.arange(count) % 2 == 0
    recordings.ecg[loud] *= 4
    return recordings, np.stack([loud, ~loud], axis=1)


def tokens_of(*, batch=3, leads=4, columns=3, width=8):
    rng = np.random.default_rng(0)
    seen = rng.random((batch, leads, columns)) < 0.7
    arrays = rng.normal(size=(batch, width)), rng.normal(size=(batch, leads, columns, width))
    global_BD, tokens_BUND = (jnp.asarray(each, jnp.float32) for each in arrays)
    return Tokens(global_BD, tokens_BUND, jnp.asarray(seen), jnp.zeros_like(tokens_BUND))


@pytest.fixture(scope="module")
def probed():
    parameters = fresh_parameters()
    before = jax.tree.map(lambda each: np.asarray(each).tobytes(), parameters)
    data = *made(160), *made(60, first=1000)
    tuned = fine_tune(NETWORK, parameters, *data, PROBE, crop_seconds=CROP_SECONDS, seed=0)
    return before, parameters, tuned


def test_a_frozen_encoder_stays_as_it_was_bit_by_bit(probed):
    before, parameters, tuned = probed
    for after in (parameters, tuned.encoder):
        assert jax.tree.map(lambda each: np.asarray(each).tobytes(), after) == before


def test_the_probe_learns_a_planted_signal_from_a_frozen_encoder(probed):
    fresh, labels = made(60, first=5000)
    probabilities = predict(NETWORK, probed[2], fresh, crop_seconds=CROP_SECONDS, settings=PROBE)
    assert macro_auroc(probabilities, labels) > 0.9
    assert probed[2].history[-1].train_loss < probed[2].history[0].train_loss


def test_attention_pooling_equals_its_formula():
    tokens, heads = tokens_of(), 2
    head = AttentionHead(classes=5, heads=heads)
    drawn = head.init(jax.random.key(0), tokens)["params"]
    rng = np.random.default_rng(1)
    parameters = jax.tree.map(lambda each: rng.normal(size=each.shape).astype(np.float32), drawn)
    p = jax.tree.map(lambda each: np.asarray(each, np.float64), parameters)

    def norm(x, about):
        return (x - x.mean()) / np.sqrt(x.var() + 1e-6) * about["scale"] + about["bias"]

    expected = np.empty((3, 5))
    for b in range(3):
        seen = np.asarray(tokens.seen_BUN[b]).reshape(-1)
        x = [tokens.global_BD[b], *np.asarray(tokens.tokens_BUND[b]).reshape(-1, 8)[seen]]
        kv = [norm(np.asarray(each, np.float64), p["token_norm"]) @ p["key_value"]["kernel"] for each in x]
        kv = np.array(kv) + p["key_value"]["bias"]
        pooled = []
        for h in range(heads):
            part = slice(4 * h, 4 * h + 4)
            weight = np.exp(kv[:, :8][:, part] @ p["query"][part] / 2.0)  # sqrt of 4 dimensions a head
            pooled.append(weight / weight.sum() @ kv[:, 8:][:, part])
        pooled = norm(np.concatenate(pooled), p["pooled_norm"])
        expected[b] = pooled @ p["output"]["kernel"] + p["output"]["bias"]
    got = np.asarray(jax.jit(head.apply)({"params": parameters}, tokens))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("head", [AttentionHead(5, heads=2), LinearHead(5, places=(0, 3, 7, 11))])
def test_a_head_starts_from_prevalence_and_tokens_not_seen_mean_nothing(head):
    tokens = tokens_of()
    labels = np.random.default_rng(0).random((40, 5)) < [0.1, 0.2, 0.5, 0.9, 0.0]
    parameters = init_head(head, jax.random.key(0), 8, 4, labels)
    probabilities = jax.nn.sigmoid(head.apply({"params": parameters}, tokens))
    expected = (labels.sum(axis=0) + 0.5) / 41
    np.testing.assert_allclose(probabilities, np.tile(expected, (3, 1)), rtol=1e-5)
    parameters["output"]["kernel"] = jax.random.normal(
        jax.random.key(1), parameters["output"]["kernel"].shape
    )
    spoilt = jnp.where(tokens.seen_BUN[..., None], tokens.tokens_BUND, 1e3)
    one, two = (
        np.asarray(head.apply({"params": parameters}, each))
        for each in (tokens, tokens._replace(tokens_BUND=spoilt))
    )
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - one[:1])[1:].max() > 0.1


def test_tokens_are_those_of_the_representation_and_of_the_encoder_alone():
    rng = np.random.default_rng(0)
    crops = (
        jnp.asarray(rng.normal(size=(2, 12, 30)), jnp.float32),
        jnp.ones((2, 12), bool),
        jnp.array([30, 21]),
    )
    parameters = fresh_parameters()
    encode = jax.jit(lambda given: encode_unmasked(NETWORK, given, read(NETWORK, *crops), range(12)))
    tokens = encode(parameters)
    assert tokens.tokens_BUND.shape == (2, 12, 3, 16)
    assert np.asarray(tokens.seen_BUN)[:, 0].tolist() == [[True] * 3, [True, True, False]]
    represented = np.asarray(
        jax.jit(lambda given: represent(NETWORK, given, *crops, pooling="lead"))(parameters)
    )
    weight = np.asarray(tokens.seen_BUN)[..., None]
    means = (np.asarray(tokens.tokens_BUND) * weight).sum(axis=2) / weight.sum(axis=2)
    expected = np.concatenate([tokens.global_BD, means.reshape(2, -1)], axis=1)
    np.testing.assert_allclose(represented[:, : 13 * 16], expected, atol=1e-5)

    def total(parameters):
        return sum((jnp.sin(x) * jnp.arange(x.size).reshape(x.shape)).sum() for x in encode(parameters)[:2])

    gradient = jax.jit(jax.grad(total))(parameters)
    for name, each in gradient.items():
        moved = [bool(np.asarray(leaf).any()) for leaf in jax.tree.leaves(each)]
        assert all(moved) if name in ENCODER else not any(moved), name
