"""Rhythm: respiration, and when beats come and of which kind."""

import dataclasses

import numpy as np

from coreecg_jax.records.simulator.anatomy import Patient
from coreecg_jax.records.simulator.conditions import State

# Beats are made from before the recording to after it, so that its first P and its last T are whole.
LEAD_IN = 1.6  # s
LEAD_OUT = 0.6  # s
SHORTEST_RR = 0.29  # s, the refractory period of the AV node

# Mean rates, beats a minute: mean and standard deviation of a normal, and where it is cut off.
_RATES = {
    "SR": (69.0, 10.0, 60.5, 99.5),
    "SBRAD": (54.0, 4.5, 40.0, 59.5),
    "STACH": (110.0, 10.0, 100.5, 150.0),
    "AFIB": (88.0, 20.0, 50.0, 150.0),
}
_AFIB_VARIATION = (0.15, 0.28)  # standard deviation of RR over its mean, between patients
_COUPLING = (0.55, 0.78)  # of a premature beat, in RR
_SHORTEST_COUPLING = 0.38  # s


@dataclasses.dataclass(frozen=True)
class Respiration:
    """Chest movement: a sine of slowly wandering frequency."""

    frequency: float  # Hz
    phase: float
    wander: float  # rad, size of a slow swing of the phase

    def __call__(self, times: np.ndarray) -> np.ndarray:
        """-1 (expired) to 1 (inspired) at the given times, s."""
        swing = self.wander * np.sin(2.0 * np.pi * 0.05 * times + 3.0 * self.phase)
        return np.sin(2.0 * np.pi * self.frequency * times + self.phase + swing)


@dataclasses.dataclass(frozen=True)
class Beats:
    """The beats of one recording, those just before and after it included."""

    times_H: np.ndarray  # float64, s, of the R peak, from the start of the recording
    kinds: tuple[str, ...]  # 'N' with P, 'A' without (fibrillation), 'V' premature ventricular
    before_H: np.ndarray  # float64, s, RR interval that ended with the beat
    mean_rr: float  # s


def draw_respiration(rng: np.random.Generator) -> Respiration:
    """12 to 20 breaths a minute."""
    frequency = float(np.clip(rng.normal(0.26, 0.04), 0.17, 0.4))
    return Respiration(frequency, float(rng.uniform(0.0, 2.0 * np.pi)), float(rng.uniform(0.0, 0.6)))


def draw_beats(
    rng: np.random.Generator, state: State, patient: Patient, breath: Respiration, seconds: float
) -> Beats:
    """The beats of a recording of `seconds`: kinds and times."""
    mean, deviation, lowest, highest = _RATES[state.rhythm]
    rate = _truncated_normal(rng, mean, deviation, lowest, highest)
    mean_rr = 60.0 / rate
    if state.rhythm == "AFIB":
        times_H = _fibrillating(rng, mean_rr, seconds)
        kinds = ["A"] * len(times_H)
    else:
        times_H = _sinus(rng, mean_rr, patient.sinus_arrhythmia, breath, seconds)
        kinds = ["N"] * len(times_H)
    if state.ectopic:
        _make_premature(rng, times_H, kinds, seconds)
    before_H = np.diff(times_H, prepend=times_H[0] - mean_rr)
    return Beats(times_H, tuple(kinds), before_H, mean_rr)


def _sinus(
    rng: np.random.Generator, mean_rr: float, swing: float, breath: Respiration, seconds: float
) -> np.ndarray:
    """Times of sinus beats: RR swings with respiration (HF) and at about 0.1 Hz (LF), McSharry 2003.

    Variability is smaller at fast rates, in proportion to RR squared.
    """
    share = min(1.0, mean_rr / 0.85)
    low_phase, low_size = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.4, 1.1)
    jitter = rng.normal(0.0, 0.004, int((seconds + LEAD_IN + LEAD_OUT) / (0.5 * mean_rr)) + 4)
    # The rate of the whole recording is the drawn one: what the two swings and the start add is taken off.
    start = -LEAD_IN - float(rng.uniform(0.0, mean_rr))
    grid_T = np.arange(0.0, seconds, 0.1)
    mean_swing = np.mean(breath(grid_T)), np.mean(np.sin(2.0 * np.pi * 0.095 * grid_T + low_phase))
    times = [start]
    for step in jitter:
        t = times[-1]
        if t > seconds + LEAD_OUT:
            break
        high = float(breath(np.asarray(t))) - mean_swing[0]
        low = np.sin(2.0 * np.pi * 0.095 * t + low_phase) - mean_swing[1]
        times.append(t + mean_rr * (1.0 + share * (swing * (low_size * low - high) + step)))
    return np.array(times)


def _fibrillating(rng: np.random.Generator, mean_rr: float, seconds: float) -> np.ndarray:
    """Times of ventricular beats in atrial fibrillation: independent gamma RR, irregularly irregular."""
    variation = rng.uniform(*_AFIB_VARIATION)
    count = int((seconds + LEAD_IN + LEAD_OUT) / (0.5 * mean_rr)) + 8
    floor = min(SHORTEST_RR, 0.6 * mean_rr)
    shape = ((mean_rr - floor) / (variation * mean_rr)) ** 2
    intervals = floor + rng.gamma(shape, (mean_rr - floor) / shape, count)
    times_H = -LEAD_IN - rng.uniform(0.0, mean_rr) + np.cumsum(intervals)
    return times_H[: int(np.searchsorted(times_H, seconds + LEAD_OUT)) + 1]


def _make_premature(rng: np.random.Generator, times_H: np.ndarray, kinds: list[str], seconds: float) -> None:
    """Turns some sinus beats into premature ventricular ones, in place.

    The sinus node goes on undisturbed: the beat after comes when it would have come, so that the pause
    compensates in full.
    """
    coupling = rng.uniform(*_COUPLING)
    inside = [h for h in range(2, len(times_H) - 1) if 0.9 < times_H[h] < seconds - 0.5]
    every = int(rng.choice([0, 0, 0, 2, 3, 4]))  # none, bigeminy, trigeminy, quadrigeminy
    if every:
        chosen = inside[int(rng.integers(0, every)) % len(inside) :: every]
    else:
        count = min(int(rng.choice([1, 1, 2, 3])), max(1, len(inside) // 3))
        chosen = sorted(int(h) for h in rng.choice(inside, count, replace=False))
        chosen = [h for k, h in enumerate(chosen) if k == 0 or h - chosen[k - 1] > 1]
    for h in chosen or inside[:1]:
        interval = times_H[h] - times_H[h - 1]
        early = max(_SHORTEST_COUPLING, interval * (coupling + rng.normal(0.0, 0.02)))
        times_H[h] = times_H[h - 1] + min(early, 0.85 * interval)
        kinds[h] = "V"


def _truncated_normal(
    rng: np.random.Generator, mean: float, deviation: float, lowest: float, highest: float
) -> float:
    """A normal, drawn until it lies between the bounds."""
    while True:
        value = float(rng.normal(mean, deviation))
        if lowest <= value <= highest:
            return value
