"""Two tests that hold the same recordings are known by sketches of them, whatever they are called."""

import dataclasses

import numpy as np
from made_cohorts import made_recordings

from coreecg_jax.downstream.sketches import KEPT, meet, sketch_of

MANY = made_recordings(3000)


def taken(numbers):
    """The sketch of some of many recordings."""
    return sketch_of(dataclasses.replace(MANY, signal_hash=MANY.signal_hash[np.asarray(numbers)]))


def test_a_sketch_is_of_signals_whatever_else_is_said_of_them():
    again = made_recordings(40, source="mine2", recording_id=np.array([f"x{n}" for n in range(40)]))
    windows = again.take(np.repeat(np.arange(40), 2)[::-1])
    assert sketch_of(windows) == sketch_of(again) == taken(range(40))
    assert len(taken(range(40))) == 40
    assert len(taken(range(3000))) == KEPT
    unknown = made_recordings(2, signal_hash=np.array(["", ""]))
    assert sketch_of(unknown) == ()
    assert not meet(sketch_of(unknown), sketch_of(unknown))


def test_folds_that_were_dealt_anew_meet_and_others_do_not():
    rng = np.random.default_rng(0)
    one, other = (rng.permutation(3000) for _ in range(2))
    for fold in range(10):
        assert meet(taken(one[:300]), taken(other[300 * fold : 300 * fold + 300]))
        assert not meet(taken(one[:300]), taken(one[300 * fold + 300 : 300 * fold + 600])) or fold == 9
    assert meet(taken(one[:300]), taken(range(3000)))
    assert meet(taken(range(3000)), taken(range(1000, 3000)))
    assert not meet(taken(range(1500)), taken(range(1500, 3000)))


def test_stray_signals_under_two_ids_make_no_test_another():
    assert not meet(taken(range(1000)), taken(range(998, 2000)))
    assert not meet(taken(range(100)), taken(range(99, 200)))
    assert meet(taken(range(20)), taken(range(19, 40)))  # of twenty recordings one is a part
    # Of 300 recordings beside 2,700 few digests are compared, of which one that is common is much.
    stray = min(range(300), key=lambda number: taken([number]))
    assert not meet(taken(range(300)), taken([stray, *range(300, 3000)]))
