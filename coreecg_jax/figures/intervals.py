"""Values with their intervals, one a line."""

from collections.abc import Sequence

from matplotlib.figure import Figure


def draw_intervals(
    names: Sequence[str], intervals: Sequence[tuple[float, float, float] | None], *, label: str
) -> Figure:
    """A point and a line for each name from above down; None is written as missing.

    Args:
      names: of the lines.
      intervals: (value, low, high) of each, or None.
      label: of the axis.
    """
    figure = Figure(figsize=(7, 0.9 + 0.28 * len(names)), layout="constrained")
    axes = figure.subplots()
    for height, interval in enumerate(intervals):
        if interval is None:
            axes.annotate(
                "missing", (0.02, height), xycoords=("axes fraction", "data"), va="center", fontsize=8
            )
            continue
        value, low, high = interval
        axes.plot([low, high], [height, height], color="tab:blue", linewidth=1.5)
        axes.plot([value], [height], "o", color="tab:blue", markersize=4)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(label)
    axes.grid(axis="x", alpha=0.3)
    return figure
