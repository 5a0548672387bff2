"""Calibration: whether probabilities are shares of positives, and a fit that makes them so.

Fitted at one hospital and applied at another, the fit shows how much of its calibration travels.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from coreecg_jax.downstream.scores import known_columns, require_probabilities

# Probabilities are kept this far from 0 and 1, where the logit is infinite: logits within about 16.
FLOOR = 1e-7

TOLERANCE = 1e-10  # largest gradient of the mean loss at the minimum
_STEPS = 500
_LONGEST = 5.0


class Platt(NamedTuple):
    """One logistic curve a class, of the logit of its probability."""

    slope: np.ndarray  # float (C,), 1 and
    intercept: np.ndarray  # float (C,), 0 change nothing

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, from probabilities (n, C); float64 (n, C).

        Raises:
          ValueError: when there are other classes than it was fitted for.
        """
        if probabilities.shape[1:] != self.slope.shape:
            raise ValueError(
                f"calibration: expected probabilities (n, {len(self.slope)}) of the classes it was fitted "
                f"for, got {probabilities.shape}"
            )
        return expit(self.slope[None] * _logits(probabilities) + self.intercept[None])


def fit_platt(probabilities: np.ndarray, labels: np.ndarray, known: np.ndarray | None = None) -> Platt:
    """Platt scaling (Platt 1999): the maximum likelihood of smoothed labels, for each class alone.

    A positive counts as (P + 1) / (P + 2) of one among P, a negative as 1 / (N + 2) among N. So the fit stays
    finite where a threshold parts the labels, and a class with a single label gets about its share
    everywhere.

    Args:
      probabilities: float (n, C), of recordings that no result is reported on.
      labels: bool (n, C).
      known: bool (n, C), where a label says something; None: everywhere.

    Raises:
      ValueError: when shapes disagree, probabilities are not, or the fit does not converge.
    """
    require_probabilities(probabilities, labels)
    logits = _logits(probabilities)
    columns = known_columns(labels, known)
    fitted = np.array([_fit(logits[at, c], labels[at, c]) for c, at in enumerate(columns)])
    return Platt(fitted[:, 0], fitted[:, 1])


def _fit(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of one class, from (n,); of none, what changes nothing."""
    if not len(labels):
        return 1.0, 0.0
    # Standardised, Newton's two equations are well conditioned; a constant logit keeps the slope 0.
    centre, spread = logits.mean(), logits.std()
    spread = spread if spread > 1e-9 else 1.0
    slope, intercept = _newton((logits - centre) / spread, _targets(labels))
    return slope / spread, intercept - slope / spread * centre


def _logits(probabilities: np.ndarray) -> np.ndarray:
    return logit(np.clip(probabilities.astype(np.float64), FLOOR, 1 - FLOOR))


def _targets(labels: np.ndarray) -> np.ndarray:
    positives = labels.sum()
    negatives = len(labels) - positives
    return np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _newton(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Slope and intercept with the least mean cross-entropy; float (2,). Lin, Lin, Weng 2007."""
    columns = np.stack([logits, np.ones_like(logits)], axis=1)

    def loss(weights: np.ndarray) -> float:
        margin = columns @ weights
        return float(np.mean(np.logaddexp(0.0, margin) - targets * margin))

    weights = np.array([0.0, logit(targets.mean())])
    for _ in range(_STEPS):
        predicted = expit(columns @ weights)
        gradient = columns.T @ (predicted - targets) / len(targets)
        if np.abs(gradient).max() < TOLERANCE:
            return weights
        curvature = columns.T @ (columns * (predicted * (1 - predicted))[:, None]) / len(targets)
        step = np.linalg.solve(curvature + 1e-12 * np.eye(2), gradient)
        # Where all predictions are near 0 or 1 the curvature vanishes and the step would leave the numbers.
        step *= min(1.0, _LONGEST / np.linalg.norm(step))
        weights = weights - _step_size(loss, weights, step, gradient) * step
    raise ValueError(f"calibration: no convergence in {_STEPS} steps, gradient {np.abs(gradient).max():.1e}")


def _step_size(
    loss: Callable[[np.ndarray], float], weights: np.ndarray, step: np.ndarray, gradient: np.ndarray
) -> float:
    """The largest half of a half … of 1 with which the loss falls enough (Armijo)."""
    size, before, slope = 1.0, loss(weights), float(gradient @ step)
    # The rounding of the loss hides the fall of the last steps: those are taken whole.
    while loss(weights - size * step) > before - 1e-4 * size * slope + 1e-14 and size > 1e-6:
        size /= 2
    return size
