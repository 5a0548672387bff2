import functools

import jax
import numpy as np
import pytest
from made_objectives import CROP, cmsc, windows

from coreecg_jax.method.masking import STDM
from coreecg_jax.method.views import FDA

OBJECTIVE = cmsc()


@functools.cache
def drawn():
    """Crops and starts of many windows under one key."""
    data, key = windows(24), jax.random.key(0)
    crops = jax.jit(OBJECTIVE.crops)(key, data["ecg"], data["length"], data["available"])
    return data, crops, tuple(map(np.asarray, OBJECTIVE.starts(key, data["length"])))


def test_the_views_are_adjacent_halves_of_one_window():
    data, crops, starts = drawn()
    for b, window in enumerate(data["ecg"].astype(np.float64)):
        for crop, start in zip(crops, (starts[0][b], starts[0][b] + CROP)):
            part = window[:, start : start + CROP]
            centred = part - part.mean(1, keepdims=True)
            np.testing.assert_allclose(crop.ecg_BLT[b], centred / centred.std(), atol=1e-4)


def test_they_share_no_sample_and_stay_within_what_is_valid():
    data, _, (first, second) = drawn()
    np.testing.assert_array_equal(second - first, CROP)
    assert (first >= 0).all()
    assert (second + CROP <= data["length"]).all()
    assert OBJECTIVE.window_samples == 2 * CROP


def test_each_recording_and_key_has_its_own_start():
    data, _, (first, _) = drawn()
    assert len(np.unique(first)) > 10
    again, other = (OBJECTIVE.starts(jax.random.key(k), data["length"])[0] for k in (0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lambda_r": 1.0}, r"method 'cmsc': expected objective\.lambda_r 0\.0, got 1\.0: set"),
        (
            {"scale_jitter": 0.2, "same_crop": True},
            r"same_crop False, got True; objective\.scale_jitter 0\.0",
        ),
        ({"stdm": STDM(), "fda": FDA()}, r"mask\.mode 'off', got 'dual'; view\.mode 'off', got 'learned'"),
    ],
)
def test_other_settings_are_not_cmsc(changes, message):
    with pytest.raises(ValueError, match=message):
        cmsc(**changes)
