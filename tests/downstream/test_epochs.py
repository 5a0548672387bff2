"""Which recordings an epoch of fine-tuning sees, and in how many steps."""

import numpy as np

from configs.downstream import protocols
from coreecg_jax.downstream.finetuning import _rates, epoch_rows, epoch_steps
from coreecg_jax.downstream.finetuning_settings import Settings

PLAIN = Settings(head="linear", frozen=False, learning_rate=1e-3)


def test_an_epoch_sees_every_recording_once_and_fills_the_last_batch():
    owner = np.array([0, 1, 1, 2, 0, 3, 4, 1])
    rows = [epoch_rows(owner, 3, steps=2, seed=0, epoch=epoch) for epoch in range(30)]
    assert {each.shape for each in rows} == {(2, 3)}
    for each in rows:
        seen = owner[each.reshape(-1)]
        assert sorted(seen[:5]) == [0, 1, 2, 3, 4]
        assert seen[5] == seen[0]
    assert {row for each in rows for row in each.reshape(-1).tolist()} == set(
        range(8)
    )  # every window, in time
    assert epoch_rows(np.zeros(1, int), 4, steps=1, seed=0, epoch=0).tolist() == [[0] * 4]


def test_an_epoch_of_few_recordings_has_steps_enough_to_learn_from():
    """Ten epochs of one step each, the first of them at a rate of 0, had left networks as they were drawn."""
    configured = Settings(**protocols.get_config().scratch)
    assert [epoch_steps(count, configured) for count in (10, 256, 257, 283)] == [8, 8, 9, 9]
    assert epoch_steps(10, PLAIN) == 1
    assert (_rates(configured, 8).sum(axis=1) > 0).all()

    owner = np.repeat(np.arange(5), 2)  # two windows each
    rows = epoch_rows(owner, 4, steps=8, seed=0, epoch=1)
    assert rows.shape == (8, 4)
    seen = owner[rows.reshape(-1)]
    for number in range(6):  # six times all five, and two more
        assert sorted(seen[5 * number : 5 * number + 5]) == [0, 1, 2, 3, 4]
    assert len({tuple(seen[5 * number : 5 * number + 5]) for number in range(6)}) > 1
    assert set(rows.reshape(-1).tolist()) == set(range(10))
