import jax
import jax.numpy as jnp
import numpy as np
import pytest
from slow_losses import slow_info_nce, slow_reconstruction

from coreecg_jax.method.masking import STDM, Mask
from coreecg_jax.method.objective import info_nce, make_targets, reconstruction_loss
from coreecg_jax.records.leads import LEADS

contrastive_loss = jax.jit(info_nce)


def unit_vectors(n=6, seed=0):
    z = np.random.default_rng(seed).normal(size=(2, n, 5))
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


@pytest.mark.parametrize("patient", [[0, 1, 2, 3, 4, 5], [0, 1, 0, 2, 3, 1], [0, 0, 0, 0, 0, 0]])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_info_nce_is_the_slow_transcription(patient, temperature):
    z1, z2 = unit_vectors()
    loss, metrics = contrastive_loss(
        *jnp.asarray(unit_vectors(), jnp.float32), jnp.array(patient), temperature
    )
    assert loss == pytest.approx(slow_info_nce(z1, z2, patient, temperature), rel=1e-4, abs=1e-6)
    similarity = z1 @ z2.T
    assert metrics["similarity_positive"] == pytest.approx(np.diag(similarity).mean(), abs=1e-5)
    negatives = [similarity[i, j] for i in range(6) for j in range(6) if patient[i] != patient[j]]
    assert metrics["similarity_negative"] == pytest.approx(np.mean(negatives or [0.0]), abs=1e-5)


def test_info_nce_takes_both_directions():
    z1 = jnp.eye(5)[:3]
    z2 = z1.at[1].set(z1[0])  # two queries of the first view point at one candidate
    patient = jnp.arange(3)
    forwards, _ = contrastive_loss(z1, z2, patient, 0.5)
    backwards, _ = contrastive_loss(z2, z1, patient, 0.5)
    assert forwards == pytest.approx(float(backwards), rel=1e-6)
    assert forwards == pytest.approx(slow_info_nce(np.asarray(z1), np.asarray(z2), [0, 1, 2], 0.5), rel=1e-5)


def test_another_recording_of_the_patient_is_no_candidate():
    z1, z2 = jnp.asarray(unit_vectors(), jnp.float32)
    z2 = z2.at[1].set(z1[0])  # a perfect rival

    def alone(patient):
        return float(contrastive_loss(z1, z2, jnp.array(patient), 0.1)[0])

    assert alone([0, 1, 2, 3, 4, 5]) > alone([0, 0, 2, 3, 4, 5]) + 0.1

    def loss(z2):
        return contrastive_loss(z1, z2, jnp.array([0, 0, 2, 3, 4, 5]), 0.1)[0]

    assert np.isfinite(jax.grad(loss)(z2)).all()


def test_chance_is_the_logarithm_of_the_candidates():
    same = jnp.ones((8, 4)) / 2
    loss, metrics = contrastive_loss(same, same, jnp.arange(8), 0.1)
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


@jax.jit
def _reconstruction(prediction, patches, mask, available):
    return reconstruction_loss(prediction, make_targets(patches, 0.1), mask, available)


def as_reconstruction_loss(prediction, patches, visible, available):
    mask = Mask(jnp.zeros((3, 1), jnp.int32), jnp.ones((3, 1), bool), jnp.asarray(visible))
    return _reconstruction(prediction.astype(np.float32), patches.astype(np.float32), mask, available)


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


def test_info_nce_asks_for_float32_products():
    """Accelerators would take fewer bits by default; a temperature of 0.1 makes ten times the error."""
    z1, z2 = jnp.asarray(unit_vectors(), jnp.float32)
    lines = str(jax.make_jaxpr(info_nce)(z1, z2, jnp.arange(6), 0.1))
    assert "precision=(Precision.HIGHEST, Precision.HIGHEST)" in lines
