"""The humble rival: random convolution kernels and nothing learned (ROCKET, Dempster et al. 2020).

A kernel is drawn, never trained: it convolves a random subset of the leads with random weights at a random
dilation, and leaves two numbers a recording: the proportion of its output above zero and the maximum. With
a logistic probe on top this is what a pretrained encoder has to beat. Kernels over several leads are drawn
as in the multivariate form of the method (each lead's weights centred by themselves).

Half of the kernels read the recording on its own scale, the other half in millivolts, as hypertrophy shows
in the voltage. Chosen by cross-validation on PTB-XL folds 1-8 (superclasses, 100 Hz, three
seeds; macro AUROC): own scale 0.864-0.869, millivolts 0.871-0.872, half and half 0.873-0.877.

It runs on the host: hundreds of different dilations, in small products and sums that stay in its cache.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from coreecg_jax.method.normalisation import SMALLEST_SCALE, TYPICAL_SCALE, normalise
from coreecg_jax.records.leads import LEADS

KERNEL_LENGTHS = (7, 9, 11)
# Samples side by side in one product. From a million multiplications on BLAS starts threads, and waiting for
# them costs more than the product (11 x 12 x 7500: 0.06 ms; 11 x 12 x 8000: 0.2 to 8 ms on 2 busy cores).
_PRODUCT_SAMPLES = 7500


class Kernel(NamedTuple):
    """`J` taps over `L` leads. The output at sample t reads t + offset of each tap."""

    weight_JL: np.ndarray  # float32; zero for the leads that it does not read
    offset_J: np.ndarray  # int, samples
    bias: float
    edge: int  # outputs dropped at each end: 0 for a padded kernel, else its half width
    keeps_voltage: bool  # reads millivolts / TYPICAL_SCALE, else the recording on its own scale


def draw_kernels(seed: int, *, samples: int, kernels: int = 600) -> tuple[Kernel, ...]:
    """Kernels for signals of `samples` samples; the same seed gives the same kernels.

    Raises:
      ValueError: when the signal is shorter than the longest kernel.
    """
    if samples < max(KERNEL_LENGTHS):
        raise ValueError(f"kernels: expected at least {max(KERNEL_LENGTHS)} samples of signal, got {samples}")
    rng = np.random.default_rng(seed)
    return tuple(_draw_kernel(rng, samples, number % 2 == 1) for number in range(kernels))


def _draw_kernel(rng: np.random.Generator, samples: int, keeps_voltage: bool) -> Kernel:
    length = int(rng.choice(KERNEL_LENGTHS))
    dilation = int(2 ** rng.uniform(0, np.log2((samples - 1) / (length - 1))))
    lead_count = int(2 ** rng.uniform(0, np.log2(min(len(LEADS), length) + 1)))
    read = rng.choice(len(LEADS), size=lead_count, replace=False)
    drawn = rng.normal(size=(length, lead_count))
    weight_JL = np.zeros((length, len(LEADS)), np.float32)
    weight_JL[:, read] = drawn - drawn.mean(axis=0)
    offset_J = (np.arange(length) - length // 2) * dilation
    padded = rng.random() < 0.5
    edge = 0 if padded else int(offset_J[-1])
    return Kernel(weight_JL, offset_J, rng.uniform(-1, 1), edge, keeps_voltage)


def convolution_features(
    kernels: Sequence[Kernel],
    ecg_BLT: np.ndarray,
    available_BL: np.ndarray,
    length_B: np.ndarray,
) -> np.ndarray:
    """Proportion of positive outputs, then maximum, of every kernel: float32 (B, 2K).

    Args:
      kernels: drawn for signals of T samples.
      ecg_BLT: millivolts.
      available_BL: leads that carry signal; limb leads that follow from others are derived, the rest is read
        as zero.
      length_B: valid samples; what comes after is read as zero and gives no output. A kernel too wide for a
        short recording gives 0 and 0.
    """
    valid_BT = np.arange(ecg_BLT.shape[-1]) < length_B[:, None]
    normalised = jax.jit(normalise)(ecg_BLT, available_BL, valid_BT)
    signal_BLT = np.asarray(normalised.ecg_BLT)
    voltage_B = np.maximum(normalised.scale_B, SMALLEST_SCALE) / TYPICAL_SCALE
    samples = ecg_BLT.shape[-1]
    together = max(1, 2 * _PRODUCT_SAMPLES // (3 * samples) - 1)  # half a recording of zeros goes with each
    parts = [slice(first, first + together) for first in range(0, len(signal_BLT), together)]
    return np.concatenate(
        [_features(kernels, signal_BLT[part], voltage_B[part], length_B[part]) for part in parts]
    )


def _features(
    kernels: Sequence[Kernel], signal_BLT: np.ndarray, voltage_B: np.ndarray, length_B: np.ndarray
) -> np.ndarray:
    recordings, leads, samples = signal_BLT.shape
    # Recordings end to end, as many zeros before, between and after them as a tap can reach.
    reach = (samples - 1) // 2
    padded_LBS = np.pad(signal_BLT.transpose(1, 0, 2), ((0, 0), (0, 0), (0, reach)))
    flat_LU = np.pad(padded_LBS.reshape(leads, -1), ((0, 0), (reach, reach)))
    # One buffer for all kernels: a fresh one each time costs more in page faults than the product.
    mixed_JU = np.empty((max(KERNEL_LENGTHS), flat_LU.shape[1]), np.float32)
    output_BS = np.empty(padded_LBS.shape[1:], np.float32)
    positive_KB, maximum_KB = np.empty((2, len(kernels), recordings), np.float32)
    for number, kernel in enumerate(kernels):
        np.matmul(kernel.weight_JL, flat_LU, out=mixed_JU[: len(kernel.weight_JL)])
        _sum_taps(mixed_JU, reach + kernel.offset_J, output_BS.reshape(-1))
        if kernel.keeps_voltage:  # convolution is linear: its result may be scaled in place of the signal
            output_BS *= voltage_B[:, None]
        output_BS += kernel.bias
        summary = _summary(output_BS[:, :samples], length_B, kernel.edge)
        positive_KB[number], maximum_KB[number] = summary
    return np.concatenate([positive_KB, maximum_KB]).T


def _sum_taps(mixed_JU: np.ndarray, start_J: np.ndarray, output: np.ndarray) -> None:
    """Writes the sum over taps, each read from its own start, into `output`."""
    output.fill(0.0)
    for mixed_U, start in zip(mixed_JU, start_J.tolist()):  # a shorter kernel leaves the last rows unused
        output += mixed_U[start : start + output.size]


def _summary(output_BT: np.ndarray, length_B: np.ndarray, edge: int) -> tuple[np.ndarray, np.ndarray]:
    """Proportion above zero and maximum (B,) of the outputs `edge` inside the valid part; 0 and 0 if none is.

    Overwrites the other outputs.
    """
    output_BT[:, :edge] = -np.inf
    for output_T, length in zip(output_BT, length_B.tolist(), strict=True):
        output_T[max(length - edge, 0) :] = -np.inf
    count_B = np.maximum(length_B - 2 * edge, 0)
    positive_B = np.count_nonzero(output_BT > 0, axis=1) / np.maximum(count_B, 1)
    return positive_B, np.where(count_B > 0, output_BT.max(axis=1), 0.0)
