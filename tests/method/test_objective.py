import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_signals import made_ecg

from coreecg_jax.method.masking import STDM, Mask
from coreecg_jax.method.network import CoReECG, patchify
from coreecg_jax.method.normalisation import normalise
from coreecg_jax.method.objective import Objective, info_nce, make_targets, reconstruction_loss
from coreecg_jax.records.leads import LEADS

NETWORK = CoReECG(
    patch=25,
    width=16,
    depth=2,
    heads=2,
    decoder_width=8,
    decoder_depth=1,
    decoder_heads=2,
    registers=2,
    projection=8,
    zero_output=False,
)
OBJECTIVE = Objective(NETWORK, crop_samples=150, sampling_rate=100.0, lambda_c=0.3, temperature=0.2)
B, W = 4, 200


@functools.cache
def parameters():
    everything = jnp.zeros((1, 72, 25)), jnp.arange(72)[None], jnp.ones((1, 72), bool)
    network = jax.jit(NETWORK.init)(jax.random.key(1), *everything)["params"]
    return {"network": network, "fda": OBJECTIVE.fda.init(150, 100.0)}


def batch(seed=0):
    available = np.ones((B, 12), bool)
    available[1, 9] = False
    ecg = np.round(made_ecg(B, W, seed=seed) * 1000).astype(np.int16)
    ecg[1, 9] = 0
    patient = np.array([7, 8, 7, 9], np.uint32)
    return {"ecg": ecg, "length": np.array([200, 200, 180, 150]), "available": available, "patient": patient}


@jax.jit
def _value_and_gradient(parameters, key, ecg, length, available, patient):
    def loss(parameters):
        made = OBJECTIVE.forward(parameters, key, ecg, length, available)
        value, metrics = OBJECTIVE.losses(made, patient)
        return value, (made, metrics)

    return jax.value_and_grad(loss, has_aux=True)(parameters)


def forward(key, ecg, length, available, patient):
    """Everything there is: the forward pass, the metrics made of it, the gradient."""
    (_, (made, metrics)), gradient = _value_and_gradient(parameters(), key, ecg, length, available, patient)
    return made, metrics, gradient


def slow_info_nce(z1, z2, patient, temperature):
    """Cross-entropy of the right candidate, both directions, row by row."""

    def one_way(queries, candidates):
        losses = []
        for i, query in enumerate(queries):
            rivals = [j for j in range(len(candidates)) if j == i or patient[j] != patient[i]]
            logits = np.array([query @ candidates[j] / temperature for j in rivals])
            losses.append(np.log(np.exp(logits).sum()) - query @ candidates[i] / temperature)
        return np.mean(losses)

    return (one_way(z1, z2) + one_way(z2, z1)) / 2


def unit_vectors(n=6, seed=0):
    z = np.random.default_rng(seed).normal(size=(2, n, 5))
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


@pytest.mark.parametrize("patient", [[0, 1, 2, 3, 4, 5], [0, 1, 0, 2, 3, 1], [0, 0, 0, 0, 0, 0]])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_info_nce_is_the_slow_transcription(patient, temperature):
    z1, z2 = unit_vectors()
    loss, metrics = info_nce(*jnp.asarray(unit_vectors(), jnp.float32), jnp.array(patient), temperature)
    assert loss == pytest.approx(slow_info_nce(z1, z2, patient, temperature), rel=1e-4, abs=1e-6)
    similarity = z1 @ z2.T
    assert metrics["similarity_positive"] == pytest.approx(np.diag(similarity).mean(), abs=1e-5)
    negatives = [similarity[i, j] for i in range(6) for j in range(6) if patient[i] != patient[j]]
    assert metrics["similarity_negative"] == pytest.approx(np.mean(negatives or [0.0]), abs=1e-5)


def test_info_nce_takes_both_directions():
    z1 = jnp.eye(5)[:3]
    z2 = z1.at[1].set(z1[0])  # two queries of the first view point at one candidate
    patient = jnp.arange(3)
    forwards, _ = info_nce(z1, z2, patient, 0.5)
    backwards, _ = info_nce(z2, z1, patient, 0.5)
    assert forwards == pytest.approx(float(backwards), rel=1e-6)
    assert forwards == pytest.approx(slow_info_nce(np.asarray(z1), np.asarray(z2), [0, 1, 2], 0.5), rel=1e-5)


def test_another_recording_of_the_patient_is_no_candidate():
    z1, z2 = jnp.asarray(unit_vectors(), jnp.float32)
    z2 = z2.at[1].set(z1[0])  # a perfect rival

    def alone(patient):
        return float(info_nce(z1, z2, jnp.array(patient), 0.1)[0])

    assert alone([0, 1, 2, 3, 4, 5]) > alone([0, 0, 2, 3, 4, 5]) + 0.1

    def loss(z2):
        return info_nce(z1, z2, jnp.array([0, 0, 2, 3, 4, 5]), 0.1)[0]

    assert np.isfinite(jax.grad(loss)(z2)).all()


def test_chance_is_the_logarithm_of_the_candidates():
    same = jnp.ones((8, 4)) / 2
    loss, metrics = info_nce(same, same, jnp.arange(8), 0.1)
    assert loss == pytest.approx(np.log(8), rel=1e-5)
    assert metrics["contrastive_accuracy"] <= 1 / 8


def test_targets_are_the_slow_transcription():
    patches = np.random.default_rng(0).normal(0, 2, (2, 3, 25)).astype(np.float32)
    patches[0, 1] = 1.5  # flat
    patches[1, 2] *= 1e-3  # noise
    targets = make_targets(jnp.asarray(patches), 0.1)
    for b, s in np.ndindex(2, 3):
        scale = np.sqrt(patches[b, s].var() + 0.1)
        assert targets.scale_BS[b, s] == pytest.approx(scale, rel=1e-5)
        np.testing.assert_allclose(
            targets.patches_BSP[b, s], (patches[b, s] - patches[b, s].mean()) / scale, atol=1e-5
        )
    assert np.abs(targets.patches_BSP[1, 2]).max() < 0.1, "the floor keeps noise small"


def slow_reconstruction(
    prediction, clean_patches, visible, available, floor, counted=lambda b, lead, c: True
):
    """(loss, explained variance on the recording's scale) over hidden tokens of available leads."""
    squares, count, residual, total = 0.0, 0, 0.0, 0.0
    columns = visible.shape[2]
    for b, lead, column in np.ndindex(*visible.shape):
        if visible[b, lead, column] or not available[b, lead] or not counted(b, lead, column):
            continue
        patch = clean_patches[b, lead * columns + column].astype(np.float64)
        scale = np.sqrt(patch.var() + floor)
        guess = prediction[b, lead * columns + column]
        squares += np.mean((guess - (patch - patch.mean()) / scale) ** 2)
        count += 1
        residual += np.mean((guess * scale - (patch - patch.mean())) ** 2)
        total += patch.var()
    return squares / max(count, 1), 1 - residual / total if count else np.nan


def made_reconstruction():
    rng = np.random.default_rng(0)
    visible = rng.random((3, 12, 6)) < 0.6
    visible[:, :, 2] = False
    visible[0, 4] = False
    available = rng.random((3, 12)) < 0.8
    available[0, 4] = True
    patches = rng.normal(0, 1, (3, 72, 25)) * rng.uniform(0.1, 2, (3, 72, 1))
    prediction = 0.5 * patches + rng.normal(0, 0.2, patches.shape)
    return prediction, patches, visible, available


def as_reconstruction_loss(prediction, patches, visible, available, floor=0.1):
    mask = Mask(jnp.zeros((3, 1), jnp.int32), jnp.ones((3, 1), bool), jnp.asarray(visible))
    targets = make_targets(jnp.asarray(patches, jnp.float32), floor)
    return reconstruction_loss(jnp.asarray(prediction, jnp.float32), targets, mask, jnp.asarray(available))


def test_reconstruction_loss_is_the_slow_transcription():
    made = made_reconstruction()
    loss, metrics = as_reconstruction_loss(*made)
    expected, explained = slow_reconstruction(*made, 0.1)
    assert loss == pytest.approx(expected, rel=1e-4)
    assert metrics["explained_variance"] == pytest.approx(explained, rel=1e-3)
    visible = made[2]
    column_gone, lead_gone = ~visible.any(1), ~visible.any(2)
    kinds = {
        "column": lambda b, lead, c: column_gone[b, c] and not lead_gone[b, lead],
        "lead": lambda b, lead, c: lead_gone[b, lead] and not column_gone[b, c],
        "V3": lambda b, lead, c: LEADS[lead] == "V3",
        "aVR": lambda b, lead, c: LEADS[lead] == "aVR",
    }
    for name, counted in kinds.items():
        _, explained = slow_reconstruction(*made, 0.1, counted)
        assert metrics[f"explained_variance_{name}"] == pytest.approx(explained, rel=1e-3, abs=1e-4)
    assert sum(name.startswith("explained_variance_") for name in metrics) == 3 + 12


def test_a_perfect_prediction_explains_everything_and_zero_explains_nothing():
    _, patches, visible, available = made_reconstruction()
    perfect = make_targets(jnp.asarray(patches, jnp.float32), 0.1).patches_BSP
    loss, metrics = as_reconstruction_loss(perfect, patches, visible, available)
    assert loss < 1e-9
    assert metrics["explained_variance"] == pytest.approx(1, abs=1e-6)
    _, metrics = as_reconstruction_loss(np.zeros_like(patches), patches, visible, available)
    assert metrics["explained_variance"] == pytest.approx(0, abs=1e-5)


def test_nothing_hidden_costs_nothing():
    prediction, patches, visible, available = made_reconstruction()
    everything = STDM(mode="off")(jax.random.key(0), 3, 6).visible_BLN
    loss, _ = as_reconstruction_loss(prediction, patches, everything, available)
    assert loss == 0
    assert as_reconstruction_loss(prediction, patches, visible, np.zeros_like(available))[0] == 0


def test_the_loss_is_the_sum_of_its_parts():
    data = batch()
    made, metrics, _ = forward(jax.random.key(0), **data)
    clean = patchify(made.clean_BLT, 25)
    reconstruction, _ = slow_reconstruction(
        *map(np.asarray, (made.output.prediction_BSP, clean, made.mask.visible_BLN, made.available_BL)), 0.1
    )
    z1, z2 = np.split(np.asarray(made.output.projection_BE, np.float64), 2)
    contrastive = slow_info_nce(z1, z2, data["patient"], 0.2)
    assert metrics["reconstruction"] == pytest.approx(reconstruction, rel=1e-4)
    assert metrics["contrastive"] == pytest.approx(contrastive, rel=1e-4)
    assert metrics["loss"] == pytest.approx(reconstruction + 0.3 * contrastive, rel=1e-4)
    g = np.clip(np.asarray(made.view.protected_BM, np.float64), 1e-6, 1 - 1e-6)
    assert metrics["fda_entropy"] == pytest.approx(
        -(g * np.log2(g) + (1 - g) * np.log2(1 - g)).mean(), rel=1e-4
    )
    pairs = zip(np.asarray(made.view.ecg_BLT), np.asarray(made.clean_BLT)[:B])
    alike = [(x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()) for x, y in pairs]
    assert metrics["fda_correlation"] == pytest.approx(np.mean(alike), rel=1e-4)
    assert all(np.shape(value) == () for value in metrics.values())


def test_the_same_key_gives_the_same_result():
    one, again, other = (forward(jax.random.key(k), **batch()) for k in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one[0], again[0])
    assert one[1]["loss"] == again[1]["loss"] != other[1]["loss"]
    assert (one[0].mask.visible_BLN != other[0].mask.visible_BLN).any()


def test_the_two_views_have_their_own_masks():
    made, *_ = forward(jax.random.key(0), **batch())
    visible = np.asarray(made.mask.visible_BLN).reshape(2 * B, -1)
    assert len(np.unique(visible, axis=0)) == 2 * B


def test_every_parameter_learns_and_every_gradient_is_finite():
    data = batch()
    data["ecg"][2] = 0
    data["available"][3] = False
    _, metrics, gradient = forward(jax.random.key(0), **data)
    assert np.isfinite(metrics["loss"])
    for path, leaf in jax.tree.leaves_with_path(gradient):
        assert np.isfinite(leaf).all(), path
        assert np.abs(leaf).max() > 0, path


def test_what_a_lead_that_is_not_available_holds_changes_nothing():
    one, two = batch(), batch()
    two["ecg"][1, 9] = 30_000
    (_, expected, _), (_, metrics, _) = (forward(jax.random.key(0), **data) for data in (one, two))
    assert metrics["loss"] == expected["loss"]


def test_what_lies_after_the_length_changes_nothing():
    one, two = batch(), batch()
    two["ecg"][2, :, 180:] = two["ecg"][3, :, 150:] = 9_000
    (_, expected, _), (_, metrics, _) = (forward(jax.random.key(0), **data) for data in (one, two))
    assert metrics["loss"] == expected["loss"]


def starts_of(crops, data):
    """Where each crop lies in its window, found by looking."""
    found = []
    for b, crop in enumerate(np.asarray(crops.ecg_BLT)):
        windows = np.stack([data["ecg"][b, :, s : s + 150] for s in range(data["length"][b] - 149)]) * 1e-3
        expected = normalise(windows, np.broadcast_to(data["available"][b], (len(windows), 12))).ecg_BLT
        found.append(int(np.abs(expected - crop).max((1, 2)).argmin()))
        np.testing.assert_allclose(expected[found[-1]], crop, atol=1e-5)
    return found


def test_views_are_crops_at_different_places_unless_asked_for_the_same():
    data = batch()
    given = data["ecg"], data["length"], data["available"]
    first, second = (starts_of(crops, data) for crops in OBJECTIVE.crops(jax.random.key(0), *given))
    assert sum(a != b for a, b in zip(first, second)) >= 2  # the last has no choice
    same = dataclasses.replace(OBJECTIVE, same_crop=True).crops(jax.random.key(0), *given)
    np.testing.assert_array_equal(same[0].ecg_BLT, same[1].ecg_BLT)
    assert starts_of(same[0], data) == first


def test_fda_makes_the_first_view_or_both():
    data = batch()
    crops = OBJECTIVE.crops(jax.random.key(0), data["ecg"], data["length"], data["available"])
    both = dataclasses.replace(OBJECTIVE, fda_on_both=True)
    one_view, two_views = (o.views(parameters()["fda"], jax.random.key(1), crops) for o in (OBJECTIVE, both))
    np.testing.assert_array_equal(one_view[1].ecg_BLT, crops[1].ecg_BLT)
    for view, clean in ((one_view[0], crops[0]), (two_views[0], crops[0]), (two_views[1], crops[1])):
        assert np.abs(view.ecg_BLT - clean.ecg_BLT).max() > 0.05
    assert np.abs(two_views[0].gain_BF - two_views[1].gain_BF).max() > 0.05


def test_jitter_is_one_log_normal_factor_a_recording():
    ecg = jnp.ones((4000, 12, 2)) * jnp.arange(1.0, 3.0)
    out = np.asarray(OBJECTIVE.jitter(jax.random.key(0), ecg))
    logs = np.log(out / np.asarray(ecg))
    np.testing.assert_allclose(logs, np.broadcast_to(logs[:, :1, :1], logs.shape), atol=1e-5)
    assert logs[:, 0, 0].std() == pytest.approx(0.2, rel=0.05)
    assert logs.mean() == pytest.approx(0, abs=0.02)
    still = dataclasses.replace(OBJECTIVE, scale_jitter=0.0).jitter(jax.random.key(0), ecg)
    np.testing.assert_array_equal(still, ecg)


def test_info_nce_asks_for_float32_products():
    """Accelerators would take fewer bits by default; a temperature of 0.1 makes ten times the error."""
    z1, z2 = jnp.asarray(unit_vectors(), jnp.float32)
    lines = str(jax.make_jaxpr(info_nce)(z1, z2, jnp.arange(6), 0.1))
    assert "precision=(Precision.HIGHEST, Precision.HIGHEST)" in lines
