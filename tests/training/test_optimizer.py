import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from made_runs import leaves, tiny_config, tiny_experiment

from coreecg_jax.training.optimizer import make_optimizer, schedule
from coreecg_jax.training.state import init_state

RATE, FDA_RATE, DECAY = 1e-3, 1e-2, 0.05
SETTINGS = {
    "learning_rate": RATE,
    "fda_learning_rate": FDA_RATE,
    "warmup_steps": 0,
    "steps": 10,
    "weight_decay": DECAY,
    "b1": 0.9,
    "b2": 0.95,
    "clip": 1.0,
}


@pytest.fixture(scope="module")
def parameters():
    """Named as those of the tiny network, all 2 so that decay would show everywhere. Of one shape: each
    operation is then compiled once, and nothing here depends on shapes."""
    experiment = tiny_experiment()
    shapes = jax.eval_shape(
        lambda: init_state(experiment.objective, experiment.optimizer, jax.random.key(0))
    ).parameters
    return jax.tree.map(lambda x: jnp.full((2, 3), 2.0, x.dtype), shapes)


def first_update(parameters, gradient, **changes):
    optimizer = make_optimizer(**{**SETTINGS, **changes})
    return optimizer.update(gradient, optimizer.init(parameters), parameters)


def test_the_rate_rises_to_its_peak_and_ends_at_zero():
    rate = schedule(0.5, warmup_steps=4, steps=20)
    values = [float(rate(step)) for step in range(21)]
    expected = [0.5 * s / 4 if s < 4 else 0.25 * (1 + np.cos(np.pi * (s - 4) / 16)) for s in range(21)]
    np.testing.assert_allclose(values, expected, atol=1e-7)
    assert values[20] == 0


def test_decay_falls_on_kernels_alone(parameters):
    updates, _ = first_update(parameters, jax.tree.map(jnp.zeros_like, parameters))
    decayed = {name for name, update in leaves(updates) if np.any(update)}
    kernels = {name for name, _ in leaves(parameters) if name.endswith("['kernel']")}
    assert decayed == kernels
    assert len(kernels) > 10
    for name, update in leaves(updates):
        np.testing.assert_allclose(update, -RATE * DECAY * 2 * (name in kernels), rtol=1e-5, err_msg=name)
    spared = ("bias", "scale", "taps", "lead_embedding", "free_tokens", "mask_token", "'s'", "'a'")
    assert all(any(part in name for name, _ in leaves(updates) if name not in kernels) for part in spared)


def test_fda_has_a_rate_of_its_own(parameters):
    updates, _ = first_update(parameters, jax.tree.map(jnp.ones_like, parameters), weight_decay=0.0)
    for name, update in leaves(updates):  # Adam's first step is the rate, whatever the gradient
        rate = FDA_RATE if name.startswith("['fda']") else RATE
        np.testing.assert_allclose(update, -rate, rtol=1e-3, err_msg=name)


def test_gradients_are_clipped_by_their_global_norm(parameters):
    ones = jax.tree.map(jnp.ones_like, parameters)
    moments = {}
    for factor in (1.0, 100.0):
        _, state = first_update(parameters, jax.tree.map(lambda x, f=factor: f * x, ones))
        moments[factor] = optax.tree_utils.tree_get_all_with_path(state, "mu")
    clipped = 0.1 / optax.tree.norm(ones)  # (1 - b1) of a gradient of norm 1
    for factor, found in moments.items():
        assert len(found) == 2
        for _, moment in found:
            for name, leaf in leaves(moment):
                np.testing.assert_allclose(leaf, clipped, rtol=1e-4, err_msg=f"{factor} {name}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("warmup_steps", 10),
        ("warmup_steps", -1),
        ("learning_rate", 0.0),
        ("weight_decay", -0.1),
        ("clip", 0.0),
    ],
)
def test_numbers_out_of_range_are_told(field, value):
    with pytest.raises(ValueError, match=rf"optimizer.*{field}.*got.*{value}"):
        make_optimizer(**{**SETTINGS, field: value})


def test_the_base_config_names_every_setting():
    assert set(tiny_config().optimizer) == set(SETTINGS) - {"steps"}
