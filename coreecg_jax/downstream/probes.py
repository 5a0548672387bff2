"""The linear probe: logistic regression on frozen features, chosen without the test set.

Features come as blocks (one representation each). Every block is standardised with the statistics of the
recordings it is fitted on and divided by the square root of its width: a recording's squared norm is then
about 1 in every block, so that blocks joined in one probe have equal prior shares in the logit whatever
their widths, and one grid of regularisation strengths fits features of any width.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from coreecg_jax.downstream.choosing import Standing, best_setting, standing
from coreecg_jax.downstream.folds import FOLDS, patient_folds
from coreecg_jax.downstream.judged import Judged
from coreecg_jax.downstream.refusals import NotFitted

# Inverse regularisation of the probe, half decades.
STRENGTHS = tuple(float(strength) for strength in np.logspace(-2, 3, 11))
MAX_ITERATIONS = 20_000
TOLERANCE = 1e-7  # largest gradient of the mean loss at the minimum

Blocks = Sequence[np.ndarray]  # each float (n, F_i)


class Probe(NamedTuple):
    """A fitted probe and how it was chosen. Nothing in it has seen a recording outside its training set."""

    predict: Callable[[Blocks], np.ndarray]  # blocks of n recordings -> probabilities (n, C)
    strength: float  # C of the logistic regressions
    standings: dict[float, Standing]  # strength -> on the recordings it was chosen by
    judged: Judged  # those recordings, at the chosen strength


def fit_probe(
    blocks: Blocks,
    labels: np.ndarray,
    groups: np.ndarray,
    *,
    known: np.ndarray | None = None,
    strengths: Sequence[float] = STRENGTHS,
    folds: int = FOLDS,
) -> Probe:
    """Fits one binary logistic regression a class; one strength for all classes, by patient-grouped CV.

    The strength with the best macro AUROC of the out-of-fold predictions is taken (pairs within a fold only,
    see `scores`), of equals that with the smallest log loss, then the smallest (`choosing`). A class with a
    single label among the recordings it is fitted on gets that label as its probability (0, 1).

    Args:
      blocks: float (n, F_i) each.
      labels: bool (n, C).
      groups: (n,), equal for recordings of one patient.
      known: bool (n, C), where a label says something: a class is fitted and chosen by those recordings alone
        (`vocabularies`); None: everywhere.

    Raises:
      ValueError: when the blocks and labels differ in length, features are not finite, no class has enough of
        either label, or a regression does not converge.
    """
    _check(blocks, labels)
    fold = patient_folds(groups, labels, folds=folds)
    # One thread: on a few hundred recordings, waiting for others takes several times longer than the sums.
    with threadpool_limits(1, user_api="blas"):
        signs = _signs(labels, known)
        out_of_fold = _out_of_fold(blocks, signs, fold, strengths)
        standings = {
            strength: standing(each, labels, strata=fold, known=known)
            for strength, each in out_of_fold.items()
        }
        best = best_setting(standings.items())
        (predict,) = _fit_path(blocks, signs, [best])
    return Probe(predict, best, standings, Judged(out_of_fold[best], labels, groups, fold, known))


def fit_validated_probe(
    blocks: Blocks,
    labels: np.ndarray,
    validation_blocks: Blocks,
    validation_labels: np.ndarray,
    validation_groups: np.ndarray,
    *,
    known: np.ndarray | None = None,
    validation_known: np.ndarray | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> Probe:
    """As `fit_probe`, the strength chosen in the same way on validation recordings, which are not fitted.

    Raises:
      ValueError: as `fit_probe`.
    """
    _check(blocks, labels)
    _check(validation_blocks, validation_labels)
    with threadpool_limits(1, user_api="blas"):
        path = dict(zip(strengths, _fit_path(blocks, _signs(labels, known), strengths), strict=True))
        predicted = {strength: predict(validation_blocks) for strength, predict in path.items()}
        standings = {
            strength: standing(each, validation_labels, known=validation_known)
            for strength, each in predicted.items()
        }
    best = best_setting(standings.items())
    judged = Judged(predicted[best], validation_labels, validation_groups, None, validation_known)
    return Probe(path[best], best, standings, judged)


def _check(blocks: Blocks, labels: np.ndarray) -> None:
    if any(len(block) != len(labels) for block in blocks) or not blocks:
        raise ValueError(
            f"probe: expected blocks of {len(labels)} recordings as the labels have, "
            f"got {[len(block) for block in blocks]}"
        )
    if not all(np.isfinite(block).all() for block in blocks):
        raise ValueError("probe: expected finite features, got NaN or infinity; check the signals")


def _signs(labels: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """1 of a positive, -1 of a negative, 0 where the label says nothing; float (n, C)."""
    signs = np.where(labels, 1.0, -1.0)
    return signs if known is None else np.where(known, signs, 0.0)


def _rows(blocks: Blocks, rows: np.ndarray) -> list[np.ndarray]:
    return [block[rows] for block in blocks]


def _out_of_fold(
    blocks: Blocks, signs: np.ndarray, fold: np.ndarray, strengths: Sequence[float]
) -> dict[float, np.ndarray]:
    """For each strength the predictions (n, C), each by a probe fitted on the other folds."""
    predictions = {strength: np.empty(signs.shape) for strength in strengths}
    for held_out in (fold == number for number in np.unique(fold)):
        path = _fit_path(_rows(blocks, ~held_out), signs[~held_out], strengths)
        for strength, predict in zip(strengths, path, strict=True):
            predictions[strength][held_out] = predict(_rows(blocks, held_out))
    return predictions


def _fit_path(
    blocks: Blocks, signs: np.ndarray, strengths: Sequence[float]
) -> Iterator[Callable[[Blocks], np.ndarray]]:
    """A predictor for each strength, in their order, from `_signs`."""
    scalers = [StandardScaler().fit(block.astype(np.float64)) for block in blocks]
    features = _joined(scalers, blocks)
    axes, squares = _principal_axes(features)
    coordinates = features @ axes
    positive, negative = (signs > 0).any(axis=0), (signs < 0).any(axis=0)
    # The intercept of a class with a single label, or with none.
    certain, both = np.where(positive, np.inf, -np.inf), positive & negative
    weights = np.zeros((features.shape[1], signs.shape[1]))
    fitted = np.zeros((coordinates.shape[1] + 1, int(both.sum())))
    for strength in strengths:
        fitted = _minimise(coordinates, squares, signs[:, both], strength, start=fitted)
        weights[:, both] = axes @ fitted[:-1]
        certain[both] = fitted[-1]
        yield _predictor(scalers, weights.copy(), certain.copy())


def _principal_axes(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal axes (F, r) of features (n, F), and the mean square along each, (r,).

    The penalty is the same in any orthonormal basis and the solution lies in the span of the recordings:
    where these are fewer than the features, their span is the smaller problem with the same answer.
    """
    if len(features) < features.shape[1]:
        _, singular, axes = np.linalg.svd(features, full_matrices=False)
        return axes.T, singular**2 / len(features)
    squares, axes = np.linalg.eigh(features.T @ features / len(features))
    return axes, np.maximum(squares, 0.0)


def _predictor(
    scalers: list[StandardScaler], weights: np.ndarray, intercepts: np.ndarray
) -> Callable[[Blocks], np.ndarray]:
    def predict(blocks: Blocks) -> np.ndarray:
        return expit(_joined(scalers, blocks) @ weights + intercepts)

    return predict


def _joined(scalers: list[StandardScaler], blocks: Blocks) -> np.ndarray:
    """Blocks standardised, divided by the square root of their width, side by side; float64 (n, F)."""
    scaled = [
        scaler.transform(block.astype(np.float64)) / np.sqrt(block.shape[1])
        for scaler, block in zip(scalers, blocks, strict=True)
    ]
    return np.concatenate(scaled, axis=1)


def _minimise(
    features: np.ndarray, squares: np.ndarray, signs: np.ndarray, strength: float, *, start: np.ndarray
) -> np.ndarray:
    """Logistic regressions of all classes at once, L2 on all but the intercepts; weights (F + 1, C).

    The classes share nothing but the loop: side by side they take a twentieth of the time of as many single
    `sklearn.linear_model.LogisticRegression`, whose minimum this is. Along principal axes, of mean squares
    (F,), the curvature is known but for how certain the predictions are, so steps are taken in units of it.
    """
    ones = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    decay = np.full((ones.shape[1], 1), 1.0 / (strength * len(features)))
    decay[-1] = 0.0
    positive, negative = (signs > 0).mean(axis=0), (signs < 0).mean(axis=0)
    certain_of_none = (
        positive * negative / (positive + negative)
    )  # the curvature where all have the prevalence
    scale = 1.0 / np.sqrt(np.append(squares, 1.0)[:, None] * certain_of_none[None] + decay)

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = scale * flat.reshape(start.shape)
        margin = signs * (ones @ weights)  # 0 of no label: a constant loss, without gradient
        loss = np.logaddexp(0.0, -margin).sum() / len(features) + 0.5 * (decay * weights**2).sum()
        gradient = -(ones.T @ (signs * expit(-margin))) / len(features) + decay * weights
        return loss, (scale * gradient).ravel()

    smallest = TOLERANCE * scale.min(
        initial=1.0
    )  # of a scaled gradient, whose unscaled one is below TOLERANCE
    options = {"maxiter": MAX_ITERATIONS, "maxfun": 2 * MAX_ITERATIONS, "gtol": smallest, "ftol": 0.0}
    found = minimize(loss_and_gradient, (start / scale).ravel(), jac=True, method="L-BFGS-B", options=options)
    if np.abs(found.jac.reshape(start.shape) / scale).max(initial=0.0) > TOLERANCE:
        raise NotFitted(f"probe: no convergence at strength {strength:g}: {found.message}")
    return scale * found.x.reshape(start.shape)
