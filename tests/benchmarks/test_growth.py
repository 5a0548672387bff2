"""The benchmark of growing cost: one thing grows in each panel, and what is drawn is what was measured."""

import concurrent.futures
import multiprocessing

import numpy as np
import pytest

from benchmarks import growth
from coreecg_jax.records.leads import LEADS


def test_one_thing_grows_in_each_panel() -> None:
    for settings, grows in growth.PANELS.values():
        others = {tuple(np.delete(setting, grows)) for setting in settings}
        assert len(others) == 1 < len({setting[grows] for setting in settings}) == len(settings)


def test_its_crops_have_the_tokens_it_names() -> None:
    assert {growth.objective_of(columns).columns for _, columns, _ in growth.TOKENS} == {12, 25, 37, 50}
    assert (len(LEADS) * growth.TOKENS[0][1], len(LEADS) * growth.TOKENS[-1][1]) == (144, 600)


def test_the_plot_shows_medians_and_leaves_out_what_was_not_run() -> None:
    seconds = {setting: [0.064 * k for k in (3, 1, 2)] for setting in (*growth.TOKENS, growth.BATCHES[0])}
    batches, tokens, devices = growth.drawn(seconds).axes
    np.testing.assert_allclose(
        tokens.containers[0].lines[0].get_xydata(), [(x, 2.0) for x in (144, 300, 444, 600)]
    )
    np.testing.assert_allclose(batches.containers[0].lines[0].get_xydata(), [(64, 2.0)])
    np.testing.assert_allclose(devices.containers[0].lines[0].get_xydata(), [(1, 2.0)])
    (bars,) = tokens.containers[0].lines[2]
    np.testing.assert_allclose(bars.get_segments()[0][:, 1], [1.0, 3.0])


@pytest.mark.slow
def test_a_step_is_timed_on_simulated_devices() -> None:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        seconds = pool.submit(growth.seconds_of, 4, 12, 2).result()
    assert len(seconds) == growth.REPEATS
    assert min(seconds) > 0
