"""How alike two views of one recording are, against views of different recordings."""

import numpy as np
from matplotlib.figure import Figure

from coreecg_jax.figures.style import COLOURS, GREY, bare

_BINS = 60
_ROUNDING = 1e-3  # cosines of float32 embeddings lie beyond 1 by rounding


def similarity_histogram(positive: np.ndarray, negative: np.ndarray) -> Figure:
    """Densities of cosine similarities of positives and of negatives over the same bins, medians marked.

    Args:
      positive: cosines of two views of one recording, any shape.
      negative: cosines of views of different recordings, any shape.

    Raises:
      ValueError: where there are none, or a value is not finite or not in [-1, 1].
    """
    groups = {
        "two views of one recording": _cosines("positive", positive),
        "different recordings": _cosines("negative", negative),
    }
    lowest = min(float(values.min()) for values in groups.values())
    edges = np.linspace(min(np.floor(10 * lowest) / 10, 0.9), 1, _BINS + 1)
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    bare(axes, "Cosine similarity of embeddings (density)")
    for (name, values), colour in zip(groups.items(), COLOURS):
        density, _ = np.histogram(values, edges, density=True)
        median = float(np.median(values))
        label = f"{name}: median {median:.2f}, n = {len(values):,}"
        axes.stairs(density, edges, fill=True, color=colour, alpha=0.25)
        axes.stairs(density, edges, color=colour, linewidth=1.5, label=label)
        axes.axvline(median, color=colour, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xlim(float(edges[0]), 1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("cosine similarity", color=GREY)
    figure.legend(loc="outside upper left", frameon=False, fontsize=9, alignment="left")
    return figure


def _cosines(name: str, values: np.ndarray) -> np.ndarray:
    """float64[n] in [-1, 1], or the error that `similarity_histogram` promises."""
    flat = np.asarray(values, np.float64).reshape(-1)
    if not len(flat):
        raise ValueError(f"{name}: expected at least one cosine, got none")
    within = np.abs(flat) <= 1 + _ROUNDING  # false for what is not finite
    if not within.all():
        raise ValueError(f"{name}: expected cosines in [-1, 1], got {flat[~within][0]:g}")
    return np.clip(flat, -1, 1)
