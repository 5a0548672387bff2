"""Curves of training over steps, and of FDA's importance over frequency, drawn from plain arrays.

Every function returns a `matplotlib.figure.Figure` that belongs to no window; the caller saves it:
``training_curves(rows).savefig("curves.png", dpi=150)``.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from coreecg_jax.figures.style import COLOURS, GREY, bare

# What is drawn where the rows have it, in this order.
LEARNING = {
    "reconstruction": "Reconstruction loss",
    "contrastive": "Contrastive loss",
    "explained_variance": "Explained variance, all hidden",
    "explained_variance_column": "Explained variance, hidden columns",
    "explained_variance_lead": "Explained variance, dropped leads",
    "similarity_positive": "Similarity of positives",
    "similarity_negative": "Similarity of negatives",
    "contrastive_accuracy": "Contrastive accuracy",
    "knn_auroc": "kNN AUROC",
}
HEALTH = {
    "gradient_norm": "Norm of the gradient",
    "parameter_norm": "Norm of the parameters",
    "effective_rank": "Effective rank of the global token",
    "alignment": "Alignment (0: two views are one point)",
    "uniformity": "Uniformity (lower: spread over the sphere)",
    "fda_correlation": "Correlation of FDA view and recording",
    "fda_entropy": "Entropy of the FDA gates (bits)",
    "leakage_of_hidden": "Leakage, of all hidden tokens",
    "recordings_per_second": "Recordings a second",
    "input_wait": "Share of time waiting for input",
    "mfu": "Model FLOP utilisation",
}
_ACROSS = 3  # panels side by side
_SMOOTH_FROM = 100  # points from which a training curve is also drawn averaged


def training_curves(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str] = LEARNING) -> Figure:
    """Metrics over steps: losses, explained variance, similarities and probes, or other ones.

    Training is a thin line (raw in pale and averaged, when there are many points), everything else a line
    with points. Each run has its colour.

    Args:
      rows: lines of `metrics.jsonl`: ``{"step": 10, "train/reconstruction": 0.71, "validation/...": ...}``;
        null is a gap. Rows of several runs carry their names as ``"run"``.
      titles: the metrics to draw where the rows have them, and the titles of their panels.

    Raises:
      ValueError: when no row has anything to draw.
    """
    runs = list(dict.fromkeys(str(row.get("run", "")) for row in rows))
    colours = {run: COLOURS[place % len(COLOURS)] for place, run in enumerate(runs)}
    tags = list(dict.fromkeys(tag for row in rows for tag in row if "/" in tag))
    logged = {tag.split("/", 1)[1] for tag in tags}
    names = [name for name in titles if name in logged]
    if not names:
        raise ValueError(
            f"training curves: expected metrics such as 'train/reconstruction', got {tags or 'none'}"
        )
    figure, grid = _grid(len(names))
    for axes, name in zip(grid, names):
        bare(axes, titles[name])
        for tag in tags:
            if tag.split("/", 1)[1] == name:
                _draw_tag(axes, rows, tag, colours)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("step", color=GREY)
    _legend(figure, colours, {tag.split("/", 1)[0] for tag in tags})
    return figure


def importance_of(rows: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and the importance of each, float64 arrays, from the last row that has them.

    Args:
      rows: as in `training_curves`, with ``"validation/fda_protected_3Hz": 0.61, …``.

    Raises:
      ValueError: when no row has them.
    """
    named = re.compile(r"validation/fda_protected_(\d+)Hz")
    for row in reversed(rows):
        found = {int(match[1]): value for name, value in row.items() if (match := named.fullmatch(name))}
        if found:
            hertz = sorted(found)
            return np.array(hertz, np.float64), np.array([found[hz] for hz in hertz], np.float64)
    raise ValueError("importance curve: expected metrics such as 'validation/fda_protected_3Hz', got none")


def importance_curve(frequency_hz: np.ndarray, importance: np.ndarray, spectrum: np.ndarray) -> Figure:
    """How strongly FDA protects each frequency, above the mean spectrum of the recordings.

    Args:
      frequency_hz: ascending, in Hz.
      importance: in [0, 1], one a frequency: 1 passes as it is, 0 is always scaled at random.
      spectrum: mean power of the recordings at these frequencies, any unit; drawn in dB below its peak.

    Raises:
      ValueError: when the arrays differ in length.
    """
    for name, values in (("importance", importance), ("spectrum", spectrum)):
        if np.shape(values) != np.shape(frequency_hz):
            raise ValueError(
                f"{name}: expected one value a frequency, {np.shape(frequency_hz)}, got {np.shape(values)}"
            )
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    first, second = figure.subplots(2, 1, sharex=True)
    bare(first, "Importance of frequencies (1: always passes)")
    first.fill_between(frequency_hz, 0, importance, color=COLOURS[0], alpha=0.2, linewidth=0)
    first.plot(frequency_hz, importance, color=COLOURS[0], linewidth=1.8)
    first.axhline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (4, 4)))
    first.set_ylim(0, 1)
    first.set_xlim(float(np.min(frequency_hz)), float(np.max(frequency_hz)))
    bare(second, "Mean power of the recordings (dB below the peak)")
    second.plot(frequency_hz, _decibels(np.asarray(spectrum)), color=COLOURS[1], linewidth=1.4)
    second.set_xlabel("frequency (Hz)", color=GREY)
    return figure


def _grid(panels: int) -> tuple[Figure, list[Axes]]:
    """A figure of that many panels, all over the same steps."""
    down, across = -(-panels // _ACROSS), min(panels, _ACROSS)
    figure = Figure(figsize=(4.2 * across, 0.5 + 2.7 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharex=True).reshape(-1)
    for axes in grid:
        axes.tick_params(labelbottom=True)
    for axes in grid[panels:]:
        axes.remove()
    return figure, list(grid[:panels])


def _draw_tag(axes: Axes, rows: Sequence[Mapping[str, Any]], tag: str, colours: Mapping[str, str]) -> None:
    """One metric of every run."""
    for run, colour in colours.items():
        points = [(row["step"], row[tag]) for row in rows if tag in row and str(row.get("run", "")) == run]
        if not points:
            continue
        steps, values = np.array(points, dtype=np.float64).T  # None becomes NaN, a gap
        if not tag.startswith("train/"):
            axes.plot(steps, values, color=colour, linewidth=1.4, marker="o", markersize=4)
        elif len(steps) < _SMOOTH_FROM:
            axes.plot(steps, values, color=colour, linewidth=0.9)
        else:
            axes.plot(steps, values, color=colour, linewidth=0.5, alpha=0.25)
            axes.plot(*_averaged(steps, values), color=colour, linewidth=1.1)


def _averaged(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over fifty stretches of equal length, without what is not finite."""
    finite = np.isfinite(values)
    stretches = [part for part in np.array_split(np.flatnonzero(finite), 50) if len(part)]
    return (
        np.array([steps[part].mean() for part in stretches]),
        np.array([values[part].mean() for part in stretches]),
    )


def _decibels(power: np.ndarray) -> np.ndarray:
    """Relative to the peak, not below -60 dB."""
    return 10 * np.log10(np.maximum(power / power.max(), 1e-6))


def _legend(figure: Figure, colours: Mapping[str, str], prefixes: set[str]) -> None:
    """Runs by colour, training and the rest by line; above the panels."""
    handles = [
        Line2D([], [], color=colour, linewidth=2.5, label=run) for run, colour in colours.items() if run
    ]
    others = ", ".join(sorted(prefixes - {"train"}))
    if "train" in prefixes:
        handles.append(Line2D([], [], color=GREY, linewidth=1.2, label="train"))
    if others:
        handles.append(Line2D([], [], color=GREY, linewidth=1.2, marker="o", markersize=4, label=others))
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, fontsize=9)
