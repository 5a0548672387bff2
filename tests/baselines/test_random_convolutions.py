import numpy as np
import pytest

from coreecg_jax.baselines.random_convolutions import (
    KERNEL_LENGTHS,
    convolution_features,
    draw_kernels,
)
from coreecg_jax.method.normalisation import TYPICAL_SCALE

SAMPLES = 60


def _recordings(seed=0, count=3):
    ecg_BLT = np.random.default_rng(seed).normal(0.1, 0.4, (count, 12, SAMPLES)).astype(np.float32)
    return ecg_BLT, np.ones((count, 12), bool), np.full(count, SAMPLES, np.int32)


def _slow_features(kernels, ecg_LT):
    """The definition, sample by sample; ecg_LT holds the valid samples only."""
    positive, maximum = [], []
    samples = ecg_LT.shape[1]
    centred_LT = ecg_LT - ecg_LT.mean(axis=1, keepdims=True)
    for kernel in kernels:
        signal_LT = centred_LT / (TYPICAL_SCALE if kernel.keeps_voltage else centred_LT.std())
        outputs = []
        for t in range(kernel.edge, samples - kernel.edge):
            output = kernel.bias
            for weight_L, offset in zip(kernel.weight_JL, kernel.offset_J):
                if 0 <= t + offset < samples:
                    output += weight_L @ signal_LT[:, t + offset]
            outputs.append(output)
        positive.append(np.mean(np.array(outputs) > 0) if outputs else 0.0)
        maximum.append(max(outputs) if outputs else 0.0)
    return np.array(positive + maximum)


def test_equals_the_loop_over_samples():
    kernels = draw_kernels(0, samples=SAMPLES, kernels=30)
    ecg_BLT, available_BL, length_B = _recordings()
    features = convolution_features(kernels, ecg_BLT, available_BL, length_B)
    for row, ecg_LT in zip(features, ecg_BLT):
        np.testing.assert_allclose(row, _slow_features(kernels, ecg_LT), atol=1e-4)


def test_half_of_the_kernels_see_the_voltage():
    kernels = draw_kernels(1, samples=SAMPLES, kernels=30)
    ecg_BLT, available_BL, length_B = _recordings()
    soft, loud = (convolution_features(kernels, k * ecg_BLT, available_BL, length_B) for k in (1, 3))
    sees = np.tile([kernel.keeps_voltage for kernel in kernels], 2)
    assert sees.sum() == 30
    np.testing.assert_allclose(soft[:, ~sees], loud[:, ~sees], atol=1e-4)
    assert (np.abs(soft - loud).max(axis=0)[30:][sees[30:]] > 0.1).all()  # every maximum grows


def test_padding_does_not_count():
    kernels = draw_kernels(2, samples=SAMPLES, kernels=60)
    ecg_BLT, available_BL, length_B = _recordings()
    length_B[1] = 23
    ecg_BLT[1, :, 23:] = 0
    row = convolution_features(kernels, ecg_BLT, available_BL, length_B)[1]
    assert any(2 * kernel.edge >= 23 for kernel in kernels)  # some kernels are too wide for it
    np.testing.assert_allclose(row, _slow_features(kernels, ecg_BLT[1, :, :23]), atol=1e-4)


def test_what_a_missing_lead_holds_does_not_matter():
    kernels = draw_kernels(3, samples=SAMPLES, kernels=30)
    ecg_BLT, available_BL, length_B = _recordings()
    available_BL[:, 7] = False
    other_BLT = ecg_BLT.copy()
    other_BLT[:, 7] = 100
    features = [convolution_features(kernels, x, available_BL, length_B) for x in (ecg_BLT, other_BLT)]
    np.testing.assert_array_equal(*features)


def test_recordings_side_by_side_do_not_touch():
    kernels = draw_kernels(4, samples=SAMPLES, kernels=30)
    ecg_BLT, available_BL, length_B = _recordings(count=150)  # more than go into one product
    together = convolution_features(kernels, ecg_BLT, available_BL, length_B)
    for row in (0, 75, 149):
        alone = convolution_features(kernels, *(x[row : row + 1] for x in (ecg_BLT, available_BL, length_B)))
        np.testing.assert_allclose(together[row], alone[0], atol=1e-4)


def test_kernels_are_drawn_as_published():
    kernels = draw_kernels(0, samples=1000)
    assert len(kernels) == 600
    for kernel in kernels:
        assert len(kernel.weight_JL) in KERNEL_LENGTHS
        np.testing.assert_allclose(kernel.weight_JL.sum(axis=0), 0, atol=1e-5)  # centred lead by lead
        assert -1 <= kernel.bias <= 1
        assert kernel.offset_J[-1] - kernel.offset_J[0] <= 999
        assert kernel.edge in (0, kernel.offset_J[-1])
    read = [np.count_nonzero(kernel.weight_JL.any(axis=0)) for kernel in kernels]
    assert set(read) >= {1, 2, 3, 8}
    assert 250 < sum(kernel.edge == 0 for kernel in kernels) < 350


def test_a_seed_gives_its_kernels():
    first, again, other = (draw_kernels(seed, samples=SAMPLES, kernels=5) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[4].weight_JL, again[4].weight_JL)
    assert [kernel.bias for kernel in first] != [kernel.bias for kernel in other]


def test_too_short_a_signal_is_refused():
    with pytest.raises(ValueError, match="at least 11 samples"):
        draw_kernels(0, samples=10)
