"""Reconstruction: measured samples untouched, the rest filled, marked, joined, and never looked at."""

import numpy as np
import pytest
from made_bundle import CROP, PATCH, RATE

from coreecg_jax.export.filling import LARGEST_SHARE, MEAN_WEIGHT, _joined, _sized
from coreecg_jax.method.losses import make_targets
from coreecg_jax.records.conditioning import condition
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.schema import Preprocessing

SEVEN = ("I", "II", "V1", "V2", "V4", "V5", "V6")


@pytest.fixture(scope="module")
def signal(ecg):
    return condition(ecg, 500.0, Preprocessing(sampling_rate=RATE))


def rows(ecg, leads):
    return ecg[[LEADS.index(lead) for lead in leads]]


def test_what_was_measured_stays_and_the_rest_is_marked(bundle, signal) -> None:
    made = bundle.reconstruct(
        rows(signal, SEVEN), fs=RATE, leads=SEVEN, hidden=[(1.1, 1.9)], conditioned=True
    )
    span = slice(2 * PATCH, 4 * PATCH)  # the whole columns that hold 1.1 s to 1.9 s
    expected = np.zeros((12, CROP), bool)
    expected[:, span] = True
    expected[LEADS.index("V3")] = True
    np.testing.assert_array_equal(made.generated_BLT[0], expected)
    derived = {lead for lead, is_derived in zip(LEADS, made.derived_BL[0]) if is_derived}
    assert derived == {"III", "aVR", "aVL", "aVF"}
    open_LT = ~expected
    np.testing.assert_allclose(made.ecg_BLT[0][open_LT], signal[:, :CROP][open_LT], atol=1e-4)
    assert np.isfinite(made.ecg_BLT).all()
    assert made.ecg_BLT[0][expected].std() > 0.01
    assert made.sampling_rate == RATE


def test_what_is_hidden_is_not_looked_at(bundle, signal) -> None:
    hidden = [(1.0, 2.0)]
    changed = signal.copy()
    changed[:, 100:200] += np.random.default_rng(0).normal(0, 0.3, (12, 100))
    one, other = (
        bundle.reconstruct(x, fs=RATE, hidden=hidden, conditioned=True).ecg_BLT for x in (signal, changed)
    )
    np.testing.assert_array_equal(one, other)


def test_after_the_end_there_is_nothing(bundle, signal) -> None:
    made = bundle.reconstruct(signal[:, :800], fs=RATE, conditioned=True, start=5.0)
    assert np.isnan(made.ecg_BLT[0, :, 300:]).all()
    assert not made.generated_BLT.any()
    np.testing.assert_allclose(made.ecg_BLT[0, :, :300], signal[:, 500:800], atol=1e-6)


def test_spans_outside_are_refused(bundle, signal) -> None:
    for hidden in ([(3.0, 2.0)], [(-1.0, 2.0)], [(1.0, 7.0)]):
        with pytest.raises(ValueError, match="expected spans"):
            bundle.reconstruct(signal, fs=RATE, hidden=hidden, conditioned=True)
    with pytest.raises(ValueError, match="something to be left"):
        bundle.reconstruct(signal, fs=RATE, hidden=[(0.0, 4.0)], conditioned=True)


def test_the_size_of_a_patch_is_that_of_its_target() -> None:
    """A perfect prediction of the target gives back the deviations of the patch."""
    rng = np.random.default_rng(0)
    patches = rng.normal(0, [[0.1], [0.5], [2.0]], (3, 40)).astype(np.float32)
    targets = make_targets(patches[None], 0.1)
    sized = _sized(np.asarray(targets.patches_BSP, np.float64), 0.1)[0]
    np.testing.assert_allclose(sized, patches - patches.mean(-1, keepdims=True), rtol=1e-3, atol=1e-4)
    huge = _sized(np.array([[[[-5.0, 5.0]]]]), 0.1)
    assert huge.max() == pytest.approx(5.0 * np.sqrt(0.1 / (1 - LARGEST_SHARE)))


def test_generated_patches_meet_their_neighbours() -> None:
    """Against a slow least-squares fit over the levels of the patches that were not seen."""
    rng = np.random.default_rng(0)
    known, generated = rng.normal(size=(2, 1, 1, 6, 4))
    seen = np.array([True, False, False, True, False, True])
    joined = _joined(known, generated, seen[None, None])[0, 0]
    x = np.where(seen[:, None], known[0, 0], generated[0, 0])
    free = np.flatnonzero(~seen)
    equations, right = [], []
    for border in range(5):
        equations.append([(n == border + 1) * 1.0 - (n == border) * 1.0 for n in free])
        right.append(x[border, -1] - x[border + 1, 0])
    equations += (np.sqrt(MEAN_WEIGHT) * np.eye(len(free))).tolist()
    right += [0.0] * len(free)
    level = np.zeros(6)
    level[free] = np.linalg.lstsq(np.array(equations), np.array(right), rcond=None)[0]
    np.testing.assert_allclose(joined, x + level[:, None], atol=1e-12)
