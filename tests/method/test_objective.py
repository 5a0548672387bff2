import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.errors import ScopeParamNotFoundError
from made_networks import parameters_of, tiny_network
from made_signals import made_ecg
from slow_losses import slow_info_nce, slow_reconstruction

from coreecg_jax.method.network import patchify
from coreecg_jax.method.normalisation import normalise
from coreecg_jax.method.objective import Objective

NETWORK = tiny_network(depth=1, zero_output=False)
OBJECTIVE = Objective(NETWORK, crop_samples=150, sampling_rate=100.0, lambda_c=0.3, temperature=0.2)
B, W = 4, 200
crops_of = jax.jit(Objective.crops, static_argnums=0)
views_of = jax.jit(Objective.views, static_argnums=0)


@functools.cache
def parameters():
    network = parameters_of(NETWORK)
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
    curve = [metrics[f"fda_protected_{hz}Hz"] for hz in range(0, 49, 3)]
    np.testing.assert_allclose(curve, np.asarray(made.view.protected_BM).mean(0), rtol=1e-5)
    assert all(np.shape(value) == () for value in metrics.values())


def test_the_reconstruction_is_weighted():
    data = batch()
    made, expected, _ = forward(jax.random.key(0), **data)
    reconstruction, contrastive = (float(expected[name]) for name in ("reconstruction", "contrastive"))
    half, none = (dataclasses.replace(OBJECTIVE, lambda_r=weight) for weight in (0.5, 0.0))
    loss, metrics = jax.jit(half.losses)(made, data["patient"])
    assert loss == pytest.approx(0.5 * reconstruction + 0.3 * contrastive, rel=1e-5)
    assert metrics.keys() == expected.keys()
    loss, metrics = jax.jit(none.losses)(made, data["patient"])
    assert loss == pytest.approx(0.3 * contrastive, rel=1e-5)
    recovery = {name for name in expected if name.startswith(("reconstruction", "explained_variance"))}
    assert len(recovery) == 2 + 3 + 12
    assert metrics.keys() == expected.keys() - recovery


def test_the_decoder_is_run_only_where_its_prediction_is_weighted():
    """It is not run: the parameters of its layers are not even asked for, where they are missing."""
    layers = ("decoder_in", "decoder_context", "decoder_stack", "decoder_out")
    network = {name: value for name, value in parameters()["network"].items() if name not in layers}
    given = {"network": network, "fda": parameters()["fda"]}, jax.random.key(0)
    data = batch()
    of_forward = [data[name] for name in ("ecg", "length", "available")]
    contrast_only = dataclasses.replace(OBJECTIVE, lambda_r=0.0)
    made = jax.eval_shape(contrast_only.forward, *given, *of_forward)
    assert made.output.prediction_BSP.shape == (2 * B, 12 * 6, 25)
    with pytest.raises(ScopeParamNotFoundError, match="decoder"):
        jax.eval_shape(OBJECTIVE.forward, *given, *of_forward)


def test_two_weights_of_nothing_are_refused():
    with pytest.raises(ValueError, match="expected lambda_r or lambda_c above 0, got 0 for both"):
        dataclasses.replace(OBJECTIVE, lambda_r=0.0, lambda_c=0.0)
    dataclasses.replace(OBJECTIVE, lambda_c=0.0)


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
        windows = np.stack([data["ecg"][b, :, s : s + 150] for s in range(W - 149)]) * 1e-3
        available = np.broadcast_to(data["available"][b], (len(windows), 12))
        expected = np.asarray(jax.jit(normalise)(windows, available).ecg_BLT)
        found.append(int(np.abs(expected - crop).max((1, 2)).argmin()))
        np.testing.assert_allclose(expected[found[-1]], crop, atol=1e-5)
        assert found[-1] + 150 <= data["length"][b]
    return found


def test_views_are_crops_at_different_places_unless_asked_for_the_same():
    data = batch()
    given = data["ecg"], data["length"], data["available"]
    first, second = (starts_of(crops, data) for crops in crops_of(OBJECTIVE, jax.random.key(0), *given))
    assert sum(a != b for a, b in zip(first, second)) >= 2  # the last has no choice
    same = crops_of(dataclasses.replace(OBJECTIVE, same_crop=True), jax.random.key(0), *given)
    np.testing.assert_array_equal(same[0].ecg_BLT, same[1].ecg_BLT)
    assert starts_of(same[0], data) == first


def test_fda_makes_the_first_view_or_both():
    data = batch()
    crops = crops_of(OBJECTIVE, jax.random.key(0), data["ecg"], data["length"], data["available"])
    both = dataclasses.replace(OBJECTIVE, fda_on_both=True)
    one_view, two_views = (
        views_of(o, parameters()["fda"], jax.random.key(1), crops) for o in (OBJECTIVE, both)
    )
    np.testing.assert_array_equal(one_view[1].ecg_BLT, crops[1].ecg_BLT)
    for view, clean in ((one_view[0], crops[0]), (two_views[0], crops[0]), (two_views[1], crops[1])):
        assert np.abs(view.ecg_BLT - clean.ecg_BLT).max() > 0.05
    assert np.abs(two_views[0].gain_BF - two_views[1].gain_BF).max() > 0.05


def test_the_encoder_reads_millivolts_or_the_recordings_own_scale():
    """Twice the voltage changes what is read by a factor of two, or not at all; the target never changes."""
    data, loud = batch(), batch()
    loud["ecg"] = (2 * loud["ecg"].astype(int)).clip(-32000, 32000).astype(np.int16)
    assert (loud["ecg"] == 2 * data["ecg"].astype(int)).all()
    own_scale = dataclasses.replace(OBJECTIVE, network=NETWORK.clone(voltage=False))
    on_own_scale = jax.jit(own_scale.forward)

    def made(objective, x):
        if objective is OBJECTIVE:
            return forward(jax.random.key(0), **x)[0]
        return on_own_scale(parameters(), jax.random.key(0), x["ecg"], x["length"], x["available"])

    for objective, differs in ((OBJECTIVE, True), (own_scale, False)):
        one, two = (made(objective, x) for x in (data, loud))
        np.testing.assert_allclose(one.clean_BLT, two.clean_BLT, atol=1e-4)
        assert (np.abs(one.output.global_BD - two.output.global_BD).max() > 1e-2) == differs


def test_jitter_is_one_log_normal_factor_a_recording():
    ecg = jnp.asarray(np.ones((4000, 12, 2), np.float32) * [1.0, 2.0])
    out = np.asarray(OBJECTIVE.jitter(jax.random.key(0), ecg))
    logs = np.log(out / np.asarray(ecg))
    np.testing.assert_allclose(logs, np.broadcast_to(logs[:, :1, :1], logs.shape), atol=1e-5)
    assert logs[:, 0, 0].std() == pytest.approx(0.2, rel=0.05)
    assert logs.mean() == pytest.approx(0, abs=0.02)
    still = dataclasses.replace(OBJECTIVE, scale_jitter=0.0).jitter(jax.random.key(0), ecg)
    np.testing.assert_array_equal(still, ecg)
