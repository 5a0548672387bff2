import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_runs import (
    assert_same,
    first_state,
    leaves,
    made_batch,
    placement_of,
    tiny_experiment,
    trained,
)

from coreecg_jax.inputs.transfer import to_devices

STEPS = 3


@pytest.fixture(scope="module")
def experiment():
    return tiny_experiment()


@pytest.fixture(scope="module")
def on_eight(experiment):
    return trained(experiment, placement_of(8), STEPS)


def on_devices(batch, placement):
    return next(to_devices([batch], placement.divided))


def test_one_device_and_eight_agree(experiment, on_eight):
    _, state_of_one, rows_of_one = trained(experiment, placement_of(1), STEPS)
    _, state, rows = on_eight
    for row, row_of_one in zip(rows, rows_of_one, strict=True):
        assert row.keys() == row_of_one.keys()
        for name in row:
            np.testing.assert_allclose(row[name], row_of_one[name], rtol=1e-4, atol=1e-4, err_msg=name)
    for (name, leaf), (_, of_one) in zip(leaves(state.parameters), leaves(state_of_one.parameters)):
        np.testing.assert_allclose(leaf, of_one, atol=1e-4, err_msg=name)


def test_candidates_are_those_of_the_global_batch(on_eight):
    # One recording a device: a contrastive loss within devices would be log(1) = 0.
    assert all(row["contrastive"] > 1 for row in on_eight[2])


def test_it_compiles_once(on_eight):
    assert on_eight[0]._cache_size() == 1


def test_the_state_counts_steps_and_all_parameters_move(experiment, on_eight):
    _, state, _ = on_eight
    assert int(state.step) == STEPS
    before = dict(leaves(first_state(experiment, placement_of(8)).parameters))
    still = [name for name, leaf in leaves(state.parameters) if np.array_equal(leaf, before[name])]
    assert still == []


def test_it_is_a_pure_function_of_state_and_batch(experiment, on_eight):
    step, state, _ = on_eight
    placement = placement_of(8)
    results = [step(jax.tree.map(jnp.copy, state), on_devices(made_batch(5), placement)) for _ in range(2)]
    assert_same(*results)
    later = jax.tree.map(jnp.copy, state)
    later = later.replace(step=later.step + 1)
    other = step(later, on_devices(made_batch(5), placement))[1]
    assert other["loss"] != results[0][1]["loss"]  # other crops, views and masks


@pytest.mark.slow
def test_bfloat16_products_keep_float32_parameters_and_losses(on_eight):
    experiment = tiny_experiment({"model.dtype": "bfloat16"})
    step, state, (row,) = trained(experiment, placement_of(8), 1)
    assert {leaf.dtype for _, leaf in leaves(state.parameters)} == {np.dtype("float32")}
    assert {metric.dtype for metric in row.values()} == {np.dtype("float32")}
    for name in ("reconstruction", "contrastive", "gradient_norm"):
        np.testing.assert_allclose(row[name], on_eight[2][0][name], rtol=0.1, err_msg=name)
    assert step._cache_size() == 1
