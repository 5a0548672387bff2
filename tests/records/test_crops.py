import time

import numpy as np
import pytest

from coreecg_jax.records.crops import crop_starts, cut_crops, mean_over_crops, plan_crops


def test_crops_are_evenly_spaced_from_end_to_end():
    assert crop_starts(10, 4, 3) == [0, 3, 6]
    assert crop_starts(5, 4, 3) == [0, 1]  # two of three fall together
    assert crop_starts(4, 4, 3) == crop_starts(2, 4, 3) == [0]


def test_means_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    ecg_XLW = rng.normal(size=(5, 2, 10)).astype(np.float32)
    length_X, owner_X = np.array([10, 3, 10, 7, 10]), np.array([1, 0, 1, 2, 0])
    plan = plan_crops(length_X, owner_X, samples=4, crops=3)

    def represent(crops):
        return cut_crops(ecg_XLW, crops, 4).reshape(-1, 8) * crops.length[:, None]

    expected = []
    for recording in range(3):
        windows = []
        for row in np.flatnonzero(owner_X == recording):
            found = []
            for start in crop_starts(int(length_X[row]), 4, 3):
                crop = np.zeros((2, 4))
                end = min(start + 4, length_X[row])
                crop[:, : end - start] = ecg_XLW[row, :, start:end]
                found.append(crop.reshape(-1) * (end - start))
            windows.append(np.mean(found, axis=0))
        expected.append(np.mean(windows, axis=0))
    for size, side_by_side in ((1, 1), (4, 1), (64, 1), (1, 3), (4, 2)):
        found = mean_over_crops(represent, plan, batch_size=size, side_by_side=side_by_side)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_an_error_of_one_batch_ends_it_without_the_others():
    asked = []

    def represent(crops):
        asked.append(int(crops.row[0]))
        time.sleep(0.01)
        raise ValueError("of no use")

    plan = plan_crops(np.full(100, 10), np.arange(100), samples=4, crops=1)
    with pytest.raises(ValueError, match="of no use"):
        mean_over_crops(represent, plan, batch_size=1, side_by_side=2)
    assert len(asked) < 100


def test_what_is_given_to_the_representation_has_one_size():
    plan = plan_crops(np.full(3, 10), np.arange(3), samples=10, crops=1)
    sizes = []
    mean_over_crops(
        lambda part: sizes.append(len(part.row)) or np.ones((len(part.row), 1)), plan, batch_size=2
    )
    assert sizes == [2, 2]
