"""Explained variance of hidden patches, on the recording's scale, by kind of hidden token and by lead.

A patch is judged by its deviations from its own mean: d = x - mean(x), in units of the recording's scale.
The mean of the prediction is removed too, since the loss never asks for it (the target of a patch is its
deviations divided by sqrt(variance + 0.1)); a predictor of such targets multiplies them back first.

    explained variance = 1 - sum |d - d_hat|^2 / sum |d|^2        over the hidden tokens considered

Sums are kept and added, not averages, so that a table over many batches is the table over all recordings.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from coreecg_jax.records.leads import LEADS

# Hidden because of its column only, because of its lead only, or because of both.
KINDS = ("hidden_column", "dropped_lead", "both")


@dataclasses.dataclass(frozen=True, eq=False)
class ExplainedVariance:
    """Sums over hidden tokens; adding two gives the explained variance over both sets of recordings.

    Attributes:
      error: float64[3, L], sum |d - d_hat|^2 by kind (in the order of `KINDS`) and lead.
      energy: float64[3, L], sum |d|^2 likewise.
    """

    error: np.ndarray
    energy: np.ndarray

    def __add__(self, other: "ExplainedVariance") -> "ExplainedVariance":
        return ExplainedVariance(self.error + other.error, self.energy + other.energy)

    @property
    def overall(self) -> float:
        """Over all hidden tokens; NaN where there are none."""
        return float(_explained(self.error.sum(), self.energy.sum()))

    @property
    def by_kind(self) -> dict[str, float]:
        """Over the hidden tokens of each kind; NaN where there are none."""
        values = _explained(self.error.sum(axis=1), self.energy.sum(axis=1))
        return dict(zip(KINDS, values.tolist()))

    @property
    def by_kind_and_lead(self) -> dict[str, np.ndarray]:
        """float64[L] for each kind; NaN where there are no such tokens."""
        return dict(zip(KINDS, _explained(self.error, self.energy)))


def explained_variance(
    target_BLT: np.ndarray, prediction_BLT: np.ndarray, hidden_BLN: np.ndarray, *, patch: int
) -> float:
    """Share of the hidden patches' variance that the prediction explains: 1 perfect, 0 as good as the mean.

    Args:
      target_BLT: normalised recordings.
      prediction_BLT: in the same units; what it says about visible tokens is not looked at.
      hidden_BLN: bool, the tokens to judge.
      patch: samples of a patch.

    Returns:
      The explained variance, at most 1; NaN when no token is hidden or the hidden ones are constant.

    Raises:
      ValueError: when the shapes do not fit together.
    """
    error_BLN, energy_BLN = _token_sums(target_BLT, prediction_BLT, patch)
    if hidden_BLN.shape != energy_BLN.shape:
        raise ValueError(f"hidden tokens: expected shape {energy_BLN.shape}, got {hidden_BLN.shape}")
    hidden_BLN = hidden_BLN.astype(bool)
    return float(_explained(error_BLN[hidden_BLN].sum(), energy_BLN[hidden_BLN].sum()))


def explained_by_kind_and_lead(
    target_BLT: np.ndarray,
    prediction_BLT: np.ndarray,
    column_kept_BN: np.ndarray,
    lead_kept_BL: np.ndarray,
    *,
    patch: int,
    available_BL: np.ndarray | None = None,
) -> ExplainedVariance:
    """The sums of `ExplainedVariance` for recordings masked by whole columns and whole leads.

    Args:
      target_BLT: normalised recordings.
      prediction_BLT: in the same units.
      column_kept_BN: bool, the columns that the mask keeps.
      lead_kept_BL: bool, the leads that the mask keeps.
      patch: samples of a patch.
      available_BL: bool, the leads that carry a signal; tokens of the others are not judged. Default: all.

    Raises:
      ValueError: when the shapes do not fit together.
    """
    error_BLN, energy_BLN = _token_sums(target_BLT, prediction_BLT, patch)
    recordings, leads, columns = energy_BLN.shape
    available_BL = np.ones((recordings, leads), bool) if available_BL is None else available_BL
    _check_shape("kept columns", column_kept_BN, (recordings, columns))
    _check_shape("kept leads", lead_kept_BL, (recordings, leads))
    _check_shape("available leads", available_BL, (recordings, leads))
    column_BLN = np.asarray(column_kept_BN, bool)[:, None, :]
    lead_BLN = np.asarray(lead_kept_BL, bool)[:, :, None]
    judged_BLN = np.asarray(available_BL, bool)[:, :, None]
    of_kind = (lead_BLN & ~column_BLN, ~lead_BLN & column_BLN, ~lead_BLN & ~column_BLN)
    return ExplainedVariance(
        error=np.stack([np.where(kind & judged_BLN, error_BLN, 0.0).sum(axis=(0, 2)) for kind in of_kind]),
        energy=np.stack([np.where(kind & judged_BLN, energy_BLN, 0.0).sum(axis=(0, 2)) for kind in of_kind]),
    )


def markdown_table(rows: Mapping[str, ExplainedVariance], *, ceiling: str | None = None) -> str:
    """Explained variance of several predictors by kind of hidden token, one predictor a row.

    Args:
      rows: explained variance by name of the model or reference.
      ceiling: name of the row that stands for what can be explained (the beat template); the others then
        also give their share of it, in parentheses.

    Raises:
      ValueError: when `ceiling` names no row.
    """
    if ceiling is not None and ceiling not in rows:
        raise ValueError(f"ceiling: expected one of the rows {list(rows)}, got {ceiling!r}")
    lines = []
    for name, row in rows.items():
        bounds = [np.nan] * (1 + len(KINDS)) if ceiling in (None, name) else _values(rows[ceiling])
        lines.append(_line(name, [_cell(value, bound) for value, bound in zip(_values(row), bounds)]))
    titles = ["predictor", "all hidden", *(kind.replace("_", " ") for kind in KINDS)]
    return "\n".join([*_header(titles), *lines]) + "\n"


def markdown_lead_table(
    rows: Mapping[str, ExplainedVariance], kind: str, *, leads: Sequence[str] = LEADS
) -> str:
    """Explained variance of several predictors by lead, for one kind of hidden token, one predictor a row.

    Raises:
      ValueError: when `kind` is none of `KINDS`, or `leads` does not name each lead of the rows.
    """
    if kind not in KINDS:
        raise ValueError(f"kind of hidden token: expected one of {KINDS}, got {kind!r}")
    lines = []
    for name, row in rows.items():
        values_L = row.by_kind_and_lead[kind]
        if len(values_L) != len(leads):
            raise ValueError(f"{name}: expected {len(leads)} leads ({', '.join(leads)}), got {len(values_L)}")
        lines.append(_line(name, [_cell(value) for value in values_L]))
    return "\n".join([*_header([f"predictor ({kind.replace('_', ' ')})", *leads]), *lines]) + "\n"


def _token_sums(
    target_BLT: np.ndarray, prediction_BLT: np.ndarray, patch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Squared error and energy of each token's deviations; two float64[B, L, N]."""
    _check_shape("prediction", prediction_BLT, target_BLT.shape)
    target_BLNP = _deviations(target_BLT, patch)
    error_BLNP = target_BLNP - _deviations(prediction_BLT, patch)
    return np.square(error_BLNP).sum(axis=-1), np.square(target_BLNP).sum(axis=-1)


def _deviations(ecg_BLT: np.ndarray, patch: int) -> np.ndarray:
    """Each patch less its mean; float64[B, L, N, P]."""
    if ecg_BLT.ndim != 3 or patch < 1 or ecg_BLT.shape[-1] % patch:
        raise ValueError(
            f"recordings: expected shape (B, L, T), T a multiple of patch = {patch}, got {ecg_BLT.shape}"
        )
    ecg_BLNP = ecg_BLT.astype(np.float64).reshape(*ecg_BLT.shape[:2], -1, patch)
    return ecg_BLNP - ecg_BLNP.mean(axis=-1, keepdims=True)


def _explained(error: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """1 - error / energy, NaN where there is no energy to explain."""
    ratio = np.divide(error, energy, out=np.full(np.shape(energy), np.nan), where=np.asarray(energy) > 0)
    return 1.0 - ratio


def _check_shape(name: str, array: np.ndarray, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise ValueError(f"{name}: expected shape {expected}, got {array.shape}")


def _values(row: ExplainedVariance) -> list[float]:
    """Overall, then by kind."""
    return [row.overall, *row.by_kind.values()]


def _cell(value: float, bound: float = np.nan) -> str:
    """Three decimals and, where the bound is positive, the share of it."""
    if np.isnan(value):
        return "–"
    return f"{value:.3f} ({100 * value / bound:.0f} %)" if bound > 0 else f"{value:.3f}"


def _header(names: Sequence[str]) -> list[str]:
    return [_line(names[0], names[1:]), "|---|" + "---:|" * (len(names) - 1)]


def _line(name: str, cells: Sequence[str]) -> str:
    return "| " + " | ".join([name, *cells]) + " |"
