"""Waves: the Gaussians of which a beat is made."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from coreecg_jax.records.simulator.electrodes import ELECTRODES, leads_from_electrodes

# A Gaussian is below 7 % of its height at 2.3 standard deviations: there a wave is said to begin and to end.
EDGE = 2.3


@dataclasses.dataclass(frozen=True)
class Waves:
    """K waves of one kind of beat. Times are in seconds from R, at an RR interval of one second."""

    names: tuple[str, ...]  # 'P', 'QRS', 'ST' or 'T'
    centre_K: np.ndarray
    left_K: np.ndarray  # standard deviation before the centre
    right_K: np.ndarray  # and after it
    vector_K3: np.ndarray  # dipole, mV in Frank leads
    local_KE: np.ndarray  # mV at single electrodes, beyond what the dipole explains

    def __len__(self) -> int:
        return len(self.names)

    def __add__(self, other: "Waves") -> "Waves":
        fields = [field.name for field in dataclasses.fields(self)[1:]]
        joined = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in fields}
        return Waves(self.names + other.names, **joined)

    def named(self, *names: str) -> "Waves":
        """Only the waves of those names."""
        return self._where(np.isin(self.names, names))

    def without(self, *names: str) -> "Waves":
        """All but the waves of those names."""
        return self._where(~np.isin(self.names, names))

    def _where(self, kept_K: np.ndarray) -> "Waves":
        names = tuple(name for name, kept in zip(self.names, kept_K) if kept)
        fields = [field.name for field in dataclasses.fields(self)[1:]]
        return Waves(names, **{name: getattr(self, name)[kept_K] for name in fields})

    def scaled(self, gain: float) -> "Waves":
        """All waves, `gain` times as large."""
        return dataclasses.replace(self, vector_K3=gain * self.vector_K3, local_KE=gain * self.local_KE)

    def stretched(self, factor: float) -> "Waves":
        """All waves, in `factor` times the time, about R."""
        times = {name: factor * getattr(self, name) for name in ("centre_K", "left_K", "right_K")}
        return dataclasses.replace(self, **times)

    def turned(self, rotation_33: np.ndarray) -> "Waves":
        """All waves, with their dipoles turned."""
        return dataclasses.replace(self, vector_K3=self.vector_K3 @ rotation_33.T)

    def span(self) -> tuple[float, float]:
        """Begin of the first and end of the last wave, s from R."""
        begin, end = self.centre_K - EDGE * self.left_K, self.centre_K + EDGE * self.right_K
        return float(begin.min()), float(end.max())

    def gaussians(self, times_W: np.ndarray) -> np.ndarray:
        """float64[K, W]: each wave at height 1, at the given times (s from R)."""
        away_KW = times_W - self.centre_K[:, None]
        away_KW /= np.where(away_KW < 0.0, self.left_K[:, None], self.right_K[:, None])
        return np.exp(-0.5 * away_KW**2)

    def leads(self, field_E3: np.ndarray, times_W: np.ndarray) -> np.ndarray:
        """float64[12, W] in mV: one beat at one beat a second, at the given times (s from R)."""
        potential_EK = field_E3 @ self.vector_K3.T + self.local_KE.T
        return leads_from_electrodes(potential_EK @ self.gaussians(times_W))


def waves(name: str, rows: Sequence[tuple[float, float, float, float, float, float]]) -> Waves:
    """Waves of one name without local part, from rows of (centre, left, right in ms; x, y, z in mV)."""
    table = np.array(rows, dtype=np.float64)
    return Waves(
        names=(name,) * len(table),
        centre_K=table[:, 0] / 1000.0,
        left_K=table[:, 1] / 1000.0,
        right_K=table[:, 2] / 1000.0,
        vector_K3=table[:, 3:],
        local_KE=np.zeros((len(table), len(ELECTRODES))),
    )
