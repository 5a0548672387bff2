"""Statistical leakage: how much of a masked lead the leads visible in its column give away linearly.

Algebra is not all: V3 is in the span of no other lead, yet most of it can be had from them by regression.
Coefficients come from the lead covariance of training recordings, R² is taken on that of held-out ones:

    W = C_train[:, v] pinv(C_train[v, v])        R²_l = 1 - [(1 - W) C_test (1 - W)^T]_ll / C_test_ll
"""

from typing import NamedTuple

import numpy as np

# Directions of less than 1e-4 of the largest amplitude are rounding (III = II - I), not signal.
_SINGULAR = 1e-8


class StatisticalLeakage(NamedTuple):
    """Linear R² of masked tokens from the leads visible in their columns, on held-out recordings.

    Attributes:
      mean: over all masked tokens.
      by_lead: float64[L], over the masked tokens of each lead; NaN where a lead was never masked.
    """

    mean: float
    by_lead: np.ndarray


def lead_covariance(ecg_BLT: np.ndarray, available_BL: np.ndarray | None = None) -> np.ndarray:
    """Covariance of the leads over all samples of all recordings, each lead's mean removed by recording.

    Args:
      ecg_BLT: normalised recordings.
      available_BL: bool, the leads that carry a signal. Recordings that lack one are left out, since a
        covariance put together from different recordings need not be positive.

    Returns:
      float64[L, L], in squared units of the recordings.

    Raises:
      ValueError: when no recording has all leads, or a sample is not finite.
    """
    complete_B = np.ones(len(ecg_BLT), bool) if available_BL is None else np.all(available_BL, axis=1)
    if not complete_B.any():
        raise ValueError(f"lead covariance: expected a recording with all leads, got none of {len(ecg_BLT)}")
    covariance_LL = np.mean([np.cov(ecg_LT, bias=True) for ecg_LT in ecg_BLT[complete_B]], axis=0)
    if not np.isfinite(covariance_LL).all():
        raise ValueError(
            "lead covariance: expected finite samples, got NaN or infinity; mask such leads first"
        )
    return covariance_LL


def regression_weights(covariance_LL: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Least squares of every lead on the visible leads: lead estimates are ``weights_LL @ ecg_LT``.

    Columns of leads that are not visible are zero; a visible lead is its own estimate. Leads that are
    linearly dependent are allowed (the solution of least norm is taken).

    Args:
      covariance_LL: as `lead_covariance` gives it, of the recordings to fit.
      visible: bool[..., L], one set of visible leads or many.

    Returns:
      float64[..., L, L].

    Raises:
      ValueError: when the shapes do not fit together.
    """
    leads = visible.shape[-1]
    if covariance_LL.shape != (leads, leads):
        raise ValueError(f"covariance: expected shape {(leads, leads)}, got {covariance_LL.shape}")
    from_visible = covariance_LL * visible[..., None, :]
    among_visible = from_visible * visible[..., :, None]
    inverse = np.linalg.pinv(among_visible, rcond=_SINGULAR, hermitian=True)
    return (from_visible @ inverse) * visible[..., None, :]  # rounding must not let a hidden lead in


def held_out_r2(train_LL: np.ndarray, test_LL: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """R² of every lead from the visible ones, fitted on one covariance and judged on another.

    Args:
      train_LL: lead covariance of training recordings.
      test_LL: lead covariance of held-out recordings.
      visible: bool[..., L], one set of visible leads or many.

    Returns:
      float64[..., L]; 0 where no lead is visible, negative where regression misleads.

    Raises:
      ValueError: when a lead does not vary in the held-out recordings, or the shapes do not fit together.
    """
    if test_LL.shape != train_LL.shape:
        raise ValueError(f"held-out covariance: expected shape {train_LL.shape}, got {test_LL.shape}")
    if not (np.diag(test_LL) > 0).all():
        raise ValueError(
            f"held-out covariance: expected every lead to vary, got variances {np.diag(test_LL)}"
        )
    residual = np.eye(len(train_LL)) - regression_weights(train_LL, visible)
    unexplained = np.einsum("...lm,mk,...lk->...l", residual, test_LL, residual, optimize=True)
    return 1.0 - unexplained / np.diag(test_LL)


def statistical_leakage(
    train_LL: np.ndarray,
    test_LL: np.ndarray,
    hidden_BLN: np.ndarray,
    available_BL: np.ndarray | None = None,
) -> StatisticalLeakage:
    """Mean held-out R² of masked tokens from the leads visible in their columns; 0 where none is visible.

    Args:
      train_LL: lead covariance of training recordings (the coefficients).
      test_LL: lead covariance of held-out recordings (the R²).
      hidden_BLN: bool, masked tokens, drawn for any number of recordings.
      available_BL: bool, the leads that carry a signal; the others are neither visible nor counted.

    Raises:
      ValueError: when no token is masked, or the shapes do not fit together.
    """
    recordings, leads, _ = hidden_BLN.shape
    available_BL = np.ones((recordings, leads), bool) if available_BL is None else available_BL
    if available_BL.shape != (recordings, leads):
        raise ValueError(f"available leads: expected shape {(recordings, leads)}, got {available_BL.shape}")
    masked = (hidden_BLN & available_BL[:, :, None]).transpose(0, 2, 1).reshape(-1, leads)
    visible = (~hidden_BLN & available_BL[:, :, None]).transpose(0, 2, 1).reshape(-1, leads)
    # Few of the sets U of visible leads occur, and each is solved once.
    sets_UL, which = np.unique(visible, axis=0, return_inverse=True)
    r2_UL = held_out_r2(train_LL, test_LL, sets_UL)
    masked_UL = np.zeros(sets_UL.shape)
    np.add.at(masked_UL, which.reshape(-1), masked)
    return _averages(r2_UL, masked_UL)


def _averages(r2_UL: np.ndarray, masked_UL: np.ndarray) -> StatisticalLeakage:
    """Weighted by how many tokens of each lead were masked under each set of visible leads."""
    sum_L, count_L = (r2_UL * masked_UL).sum(axis=0), masked_UL.sum(axis=0)
    if not count_L.any():
        raise ValueError("statistical leakage: expected at least one masked token, got none")
    by_lead_L = np.divide(sum_L, count_L, out=np.full(len(count_L), np.nan), where=count_L > 0)
    return StatisticalLeakage(float(sum_L.sum() / count_L.sum()), by_lead_L)
