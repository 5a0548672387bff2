import collections
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
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
from coreecg_jax.training.state import TrainState
from coreecg_jax.training.step import make_train_step

STEPS = 3
SHALLOW = {"model.depth": 1}


@pytest.fixture(scope="module")
def experiment():
    return tiny_experiment(SHALLOW)


@pytest.fixture(scope="module")
def on_eight(experiment):
    return trained(experiment, placement_of(8), STEPS)


def on_devices(batch, placement):
    return next(to_devices([batch], placement.divided))


def may_differ(name, leaf):
    """1e-4, but more where the gradient is nothing but rounding, of which Adam makes whole steps: that of
    the bias of keys, which adds the same to all logits of a query; of FDA's `a`, as importance is
    standardised and `s` still near 0."""
    most = np.full(leaf.shape, 1e-3 if name == "['fda']['a']" else 1e-4)
    if name.endswith("['qkv']['bias']"):
        np.split(most, 3, axis=-1)[1][:] = 1e-2
    return most


def test_one_device_and_eight_agree(experiment, on_eight):
    _, state_of_one, rows_of_one = trained(experiment, placement_of(1), STEPS)
    _, state, rows = on_eight
    for row, row_of_one in zip(rows, rows_of_one, strict=True):
        assert row.keys() == row_of_one.keys()
        for name in row:
            np.testing.assert_allclose(row[name], row_of_one[name], rtol=1e-4, atol=1e-4, err_msg=name)
    for (name, leaf), (_, of_one) in zip(leaves(state.parameters), leaves(state_of_one.parameters)):
        assert (np.abs(leaf - of_one) <= may_differ(name, leaf)).all(), name


def sent(step, state, placement):
    """By kind, how many numbers each array has that devices gather or reduce in a compiled step."""
    program = step.lower(state, on_devices(made_batch(0), placement)).compile().as_text()
    pattern = r" = (.*) (all-gather|all-reduce|reduce-scatter|all-to-all)(?:-start)?\("
    sizes = collections.defaultdict(list)
    for results, kind in re.findall(pattern, program):
        for shape in re.findall(r"\w+\[([\d,]*)\]", results):
            sizes[kind].append(np.prod([int(size) for size in shape.split(",") if size]))
    return sizes


def assert_parameters_at_most(sizes, state):
    """A recording stays on its device: what depends on the batch is sent as vectors and scalars alone."""
    largest = max(leaf.size for leaf in jax.tree.leaves(state.parameters))
    assert sizes
    assert max(max(of_kind) for of_kind in sizes.values()) <= largest


def assert_summed_in_parts(sizes, state, fsdp):
    """Of a kernel that is divided each device is sent the gradient's part; no device gets all of it."""
    leaves = [leaf for leaf in jax.tree.leaves(state.parameters) if leaf.ndim > 1]
    kernels = {np.prod(leaf.shape[-2:]) for leaf in leaves if not leaf.sharding.is_fully_replicated}
    assert kernels
    assert {size // fsdp for size in kernels} <= set(sizes["reduce-scatter"])
    assert kernels.isdisjoint(sizes["all-reduce"])


@pytest.mark.slow
def test_twenty_steps_agree_on_one_two_and_eight_devices_and_divided():
    wide = tiny_experiment({"model.width": 32})
    losses = {}
    for devices, fsdp in ((1, 1), (2, 1), (8, 1), (8, 4)):
        placement = placement_of(devices, fsdp)
        step, state, rows = trained(wide, placement, 20)
        # The contrastive loss too: within devices of one recording each it would be log(1) = 0.
        losses[devices, fsdp] = [(row["loss"], row["contrastive"]) for row in rows]
        assert step.program._cache_size() == 1
        if devices == 8:
            sizes = sent(step, state, placement)
            assert_parameters_at_most(sizes, state)
        if fsdp > 1:
            assert_summed_in_parts(sizes, state, fsdp)
        kernel = state.parameters["network"]["encoder_stack"]["layers"]["mlp_in"]["kernel"]
        assert kernel.addressable_shards[0].data.size == kernel.size // fsdp
    for one in losses.values():
        np.testing.assert_allclose(one, losses[1, 1], rtol=1e-4, atol=1e-4)


def test_candidates_are_those_of_the_global_batch(on_eight):
    # One recording a device: a contrastive loss within devices would be log(1) = 0.
    assert all(row["contrastive"] > 1 for row in on_eight[2])


def test_devices_send_each_other_no_activations(on_eight):
    step, state, _ = on_eight
    assert_parameters_at_most(sent(step, state, placement_of(8)), state)


def test_it_compiles_once(on_eight):
    assert on_eight[0].program._cache_size() == 1


def test_it_compiles_once_for_all_runs_of_the_same_settings_whatever_their_seed(on_eight):
    again, placement = tiny_experiment(SHALLOW), placement_of(8)
    batch, losses = on_devices(made_batch(0), placement), []
    for seed in (0, 1, 2**32 - 1):
        state = first_state(again, placement)
        step = make_train_step(
            again.objective,
            again.optimizer,
            seed=seed,
            placement=placement,
            of_state=placement.of_state(state),
        )
        losses.append(float(step(state, batch)[1]["loss"]))
        assert step.program._cache_size() == 1
    assert losses[0] == float(on_eight[2][0]["loss"])
    assert len(set(losses)) == 3


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


def poisoned(parameters, key, ecg, length, available, patient):
    """A small objective; patient 1 makes its loss NaN, patient 2 its gradient too large for float32."""
    del key, length, available
    scale = jnp.where(patient[0] == 1, jnp.nan, jnp.where(patient[0] == 2, 1e30, 1.0))
    loss = scale * ((parameters["network"]["kernel"] - ecg.mean() * 1e-2) ** 2).sum()
    return loss, {"loss": loss}


def test_a_loss_or_gradient_that_is_not_finite_changes_nothing_but_counts():
    placement = placement_of(8)
    optimizer = optax.adamw(optax.linear_schedule(1e-2, 1e-3, 10))
    parameters = {"network": {"kernel": jnp.arange(3.0)}}
    step, *counts = (jnp.zeros((), jnp.int32) for _ in range(3))  # each a buffer of its own to give away
    fresh = TrainState(step, parameters, optimizer.init(parameters), *counts)
    state = jax.device_put(fresh, placement.replicated)
    step = make_train_step(poisoned, optimizer, seed=0, placement=placement)
    expected, counts = jax.tree.map(np.array, state), []
    for number, poison in enumerate([0, 1, 2, 0, 1]):
        batch = made_batch(number)._replace(patient=np.full(8, poison, np.uint32))
        state, metrics = step(state, on_devices(batch, placement))
        if poison:
            assert np.isfinite(metrics["loss"]) == (poison == 2)
            assert not np.isfinite(metrics["gradient_norm"])
            assert_same([state.parameters, state.optimizer], [expected.parameters, expected.optimizer])
        else:
            assert not np.array_equal(
                state.parameters["network"]["kernel"], expected.parameters["network"]["kernel"]
            )
        expected = jax.tree.map(np.array, state)
        assert int(state.step) == number + 1
        assert (int(state.skipped), int(state.skipped_in_a_row)) == (
            metrics["skipped"],
            metrics["skipped_in_a_row"],
        )
        counts.append((int(state.skipped), int(state.skipped_in_a_row)))
    assert counts == [(0, 0), (1, 1), (2, 2), (2, 0), (3, 1)]
    assert step.program._cache_size() == 1


@pytest.mark.slow
def test_bfloat16_products_keep_float32_parameters_and_losses(on_eight):
    experiment = tiny_experiment({"model.depth": 1, "model.dtype": "bfloat16"})
    step, state, (row,) = trained(experiment, placement_of(8), 1)
    assert {leaf.dtype for _, leaf in leaves(state.parameters)} == {np.dtype("float32")}
    measured = {metric.dtype for name, metric in row.items() if not name.startswith("skipped")}  # a count
    assert measured == {np.dtype("float32")}
    for name in ("reconstruction", "contrastive", "gradient_norm"):
        np.testing.assert_allclose(row[name], on_eight[2][0][name], rtol=0.1, err_msg=name)
    assert step.program._cache_size() == 1
