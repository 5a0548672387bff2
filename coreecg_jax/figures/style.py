"""How all charts look."""

from matplotlib.axes import Axes

# Okabe & Ito (2008): told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#666666"


def bare(axes: Axes, title: str) -> None:
    """Title to the left, pale grid, no box."""
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")
    axes.tick_params(labelsize=8, colors=GREY)
