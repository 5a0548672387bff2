"""What an interval holds beside the patients: how far trainings by one recipe, or draws of labels, scatter.

Resamples of patients say how a mean of *these* trainings would vary over other patients, not that another
training by the same recipe would do as well: by them alone two seeds of one configuration differ beyond a
95 % interval far more often than in one of twenty pairs (docs/evaluation.md, "Numbers").

What is added to the resamples of a mean is a normal with the standard error of that mean over its L levels
(seeds, say). Levels of one name add the same to whatever has them, so that in a difference of two methods
only what differs is left: of a seed that both have, the difference. Student's t, for which there are few
enough levels, made differences far too wide: the deviations of levels hold what patients add, too.
"""

import zlib
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

# Of one run, what was drawn for it: {'seed': 0, 'labels': 2}.
Drawn = Mapping[str, Hashable]


def scattered(values: np.ndarray, resamples: np.ndarray, drawn: Sequence[Drawn]) -> np.ndarray:
    """The resamples (R, …) of a mean over N runs, with the scatter of what was drawn for them.

    Args:
      values: (N, …), of each run on the test set.
      resamples: (N, R, …), of each run on resamples of its patients.
      drawn: N. Of what has one level nothing is known, and nothing is added.
    """
    mean = resamples.mean(axis=0)
    seen: list[np.ndarray] = []
    for factor in sorted({name for each in drawn for name in each}):
        names = [str(each[factor]) for each in drawn]
        levels = list(dict.fromkeys(names))  # by first appearance: so one division has one numbering
        level_of = np.array([levels.index(name) for name in names])
        if len(levels) < 2 or any(np.array_equal(level_of, other) for other in seen):
            continue  # what goes hand in hand with another counts once
        seen.append(level_of)
        means = np.stack([values[level_of == number].mean(axis=0) for number in range(len(levels))])
        noise_RL = np.stack([_normal(factor, level, len(mean)) for level in levels], axis=1)
        deviations = (means - means.mean(axis=0)) / np.sqrt(len(levels) * (len(levels) - 1))
        mean = mean + np.tensordot(noise_RL, deviations, axes=1)
    return mean


def _normal(factor: str, level: str, resamples: int) -> np.ndarray:
    """The same for one level, whatever is compared; float (R,)."""
    return np.random.default_rng(zlib.crc32(f"{factor}\0{level}".encode())).standard_normal(resamples)
