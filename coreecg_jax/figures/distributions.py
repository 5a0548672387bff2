"""What named groups of recordings are like: rates and widths, amplitudes lead by lead, mean spectra."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from coreecg_jax.figures.style import COLOURS, GREY, bare

_BINS = 25
_SHOWN = (0.5, 99.5)  # percentiles between which a histogram is drawn; what is beyond counts in the end bins
_FLOOR_DB = -60.0
# A quantity measured lead by lead: "amplitude V1 (mV)", "R amplitude aVL (mV)".
_BY_LEAD = re.compile(r"(?P<what>.*) (?P<lead>I|II|III|aV[RLF]|V[1-6]) \((?P<unit>.+)\)")

Spectrum = tuple[np.ndarray, np.ndarray]


def compare_distributions(
    groups: Mapping[str, Mapping[str, np.ndarray]], spectra: Mapping[str, Spectrum] | None = None
) -> Figure:
    """One panel a quantity, one for each quantity by lead and one of mean spectra; a colour a group.

    Quantities are drawn as densities over bins that all groups share, with their medians below; values beyond
    the 0.5th or the 99.5th percentile of all groups count in the end bins. Quantities by lead are drawn as
    boxes from quartile to quartile with the median and the 5th to 95th percentiles. Spectra are drawn in dB
    below their own peaks, no further than -60 dB.

    Args:
      groups: values, any shape, by quantity with its unit, by group; NaN is left out:
        ``{"simulated": {"heart rate (1/min)": array, "amplitude V1 (mV)": array}, "real": {...}}``.
        A group may lack a quantity.
      spectra: frequencies in Hz, ascending, and the mean power at each in any one unit, by group.

    Raises:
      ValueError: where there is nothing to draw, or a spectrum's arrays differ in length or have no power.
    """
    spectra = spectra or {}
    quantities = list(dict.fromkeys(name for group in groups.values() for name in group))
    by_lead = list(dict.fromkeys(_what(name) for name in quantities if _BY_LEAD.fullmatch(name)))
    single = [name for name in quantities if not _BY_LEAD.fullmatch(name)]
    names = list(dict.fromkeys([*groups, *spectra]))
    if not quantities and not spectra:
        raise ValueError("distributions: expected quantities or spectra, got neither")
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    figure, panels = _panels(len(single), len(by_lead) + bool(spectra))
    for axes, name in zip(panels, single):
        _draw_densities(
            axes, name, {group: _finite(of[name]) for group, of in groups.items() if name in of}, colours
        )
    for axes, what in zip(panels[len(single) :], by_lead):
        _draw_leads(axes, what, groups, colours)
    if spectra:
        _draw_spectra(panels[-1], spectra, colours)
    handles = [Line2D([], [], color=colour, linewidth=2.5, label=name) for name, colour in colours.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, fontsize=9)
    return figure


def _panels(small: int, wide: int) -> tuple[Figure, list[Axes]]:
    """Up to three small panels in a row above wide ones, each over the whole width."""
    across = max(1, min(small, 3))
    rows = -(-small // across) + wide
    figure = Figure(figsize=(8.4, 0.4 + 2.4 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, across)
    panels = [figure.add_subplot(grid[place // across, place % across]) for place in range(small)]
    panels += [figure.add_subplot(grid[rows - wide + place, :]) for place in range(wide)]
    return figure, panels


def _draw_densities(
    axes: Axes, title: str, groups: Mapping[str, np.ndarray], colours: Mapping[str, str]
) -> None:
    """Outlined histograms, the medians as triangles on the axis."""
    bare(axes, title)
    axes.tick_params(labelleft=False, left=False)  # a density's unit says nothing to a reader
    everything = np.concatenate([*groups.values(), np.zeros(0)])
    if not len(everything):
        return
    low, high = np.percentile(everything, _SHOWN)
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    for name, values in groups.items():
        if not len(values):
            continue
        density, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges, density=True)
        axes.stairs(density, edges, fill=True, color=colours[name], alpha=0.15)
        axes.stairs(density, edges, color=colours[name], linewidth=1.4)
        axes.plot(
            np.median(values), 0, marker="^", markersize=7, color=colours[name], clip_on=False, zorder=4
        )
    axes.set_ylim(bottom=0)


def _draw_leads(
    axes: Axes, what: str, groups: Mapping[str, Mapping[str, np.ndarray]], colours: Mapping[str, str]
) -> None:
    """For each lead, the groups side by side: 5, 25, 50, 75, 95 %."""
    matches = [match for group in groups.values() for name in group if (match := _BY_LEAD.fullmatch(name))]
    leads = list(dict.fromkeys(match["lead"] for match in matches if _what(match[0]) == what))
    bare(axes, f"{what}: median, quartiles, 5th to 95th percentile")
    axes.grid(False, axis="x")
    width = 0.7 / len(groups)
    for place, (group, quantities) in enumerate(groups.items()):
        named = {
            match["lead"]: name
            for name in quantities
            if (match := _BY_LEAD.fullmatch(name)) and _what(name) == what
        }
        for lead, name in named.items():
            values = _finite(quantities[name])
            if len(values):
                x = leads.index(lead) + (place - (len(groups) - 1) / 2) * width
                _draw_box(axes, x, 0.8 * width, np.percentile(values, (5, 25, 50, 75, 95)), colours[group])
    axes.set_xticks(range(len(leads)), leads)
    axes.set_xlim(-0.6, len(leads) - 0.4)


def _draw_box(axes: Axes, x: float, width: float, percentiles: np.ndarray, colour: str) -> None:
    """Whisker, box, median."""
    lowest, low, middle, high, highest = percentiles
    axes.plot([x, x], [lowest, highest], color=colour, linewidth=1)
    axes.bar(x, high - low, width, bottom=low, facecolor=colour, edgecolor=colour, linewidth=0.8)
    axes.plot(
        [x - width / 2, x + width / 2], [middle, middle], color="white", linewidth=1.6, solid_capstyle="butt"
    )


def _draw_spectra(axes: Axes, spectra: Mapping[str, Spectrum], colours: Mapping[str, str]) -> None:
    """Lines in dB below each one's peak."""
    bare(axes, "mean spectrum (dB below its peak)")
    for name, (frequency_hz, power) in spectra.items():
        if (
            np.shape(frequency_hz) != np.shape(power)
            or np.ndim(power) != 1
            or not np.max(power, initial=0) > 0
        ):
            raise ValueError(
                f"spectrum of {name!r}: expected one power a frequency, some above 0, "
                f"got {np.shape(frequency_hz)} and {np.shape(power)}"
            )
        relative = np.asarray(power, np.float64) / np.max(power)
        decibels = 10 * np.log10(np.maximum(relative, 10 ** (_FLOOR_DB / 10)))
        axes.plot(frequency_hz, decibels, color=colours[name], linewidth=1.4)
    axes.set_xlabel("frequency (Hz)", color=GREY)
    axes.margins(x=0)


def _what(name: str) -> str:
    """``"amplitude (mV)"`` of ``"amplitude V1 (mV)"``."""
    match = _BY_LEAD.fullmatch(name)
    return f"{match['what']} ({match['unit']})" if match else name


def _finite(values: np.ndarray | Sequence[float]) -> np.ndarray:
    """float64[n] of what is finite."""
    flat = np.asarray(values, np.float64).reshape(-1)
    return flat[np.isfinite(flat)]
