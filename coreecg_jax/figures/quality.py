"""The quality of one data set: counts and distributions as one figure, and all of it as one HTML page."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from coreecg_jax.figures.ecg_paper import Trace, draw_ecg
from coreecg_jax.figures.page import Block, Commands, Facts, Picture, Section, Table, Text, page
from coreecg_jax.figures.style import COLOURS, GREY, bare

_BINS = 40
_KEPT, _ASIDE, _LIMIT = COLOURS[0], COLOURS[1], COLOURS[1]


class MeasureShown(NamedTuple):
    """What is measured of each recording."""

    title: str  # with its unit
    meaning: str
    values: np.ndarray  # float64, one a recording
    limits: tuple[float, ...]  # beyond which a recording is suspected


class FlagShown(NamedTuple):
    """How often a flag was raised."""

    name: str
    meaning: str
    recordings: int
    set_aside: int  # of these, for this flag or another reason
    policy: str
    by_lead: Sequence[int]


class WorstShown(NamedTuple):
    """One recording on ECG paper; where it could not be read again, why."""

    title: str
    said: str  # its flags, what became of it, what it measures
    ecg_LT: np.ndarray | None  # float64[L, T] in mV
    sampling_rate: float  # Hz
    failure: str = ""


class QualityShown(NamedTuple):
    """All that the page shows of a data set."""

    name: str
    lead: str  # the most important, in a sentence
    facts: Sequence[tuple[str, str]]
    measured: int  # recordings
    flags: Sequence[FlagShown]
    measures: Sequence[MeasureShown]
    refused: Mapping[str, tuple[int, str]]  # reason -> recordings, and the sentence of the first
    worst: Sequence[WorstShown]
    ranking: str  # what 'worst' means
    leads: tuple[str, ...]
    commands: Sequence[str]


def quality_page(shown: QualityShown) -> str:
    """The page, self-contained."""
    caption = (
        "Left: recordings with each flag, those set aside (for it or for another reason) in orange. "
        "Histograms: recordings by what they measure, on a logarithmic axis; beyond the dashed lines a "
        "recording is suspected."
    )
    sections = [
        Section("The data set", [Facts(shown.facts)], "data"),
        Section(
            "At a glance",
            [Picture(quality_figure(shown), caption, "Bars by flag, histograms of the measures")],
            "glance",
        ),
        Section("Flags", _flags(shown), "flags"),
        Section("What was measured", _measures(shown.measures), "measures"),
        Section("Set aside", _refused(shown.refused), "refused"),
        Section(f"The {len(shown.worst)} worst", _worst(shown), "worst"),
        Section("Go on", [Commands(shown.commands, "From the repository's folder:")], "commands"),
    ]
    return page(f"Quality of {shown.name}", sections, lead=shown.lead)


def quality_figure(shown: QualityShown) -> Figure:
    """Bars of the flags beside a histogram for each measure."""
    rows = -(-len(shown.measures) // 2)
    figure = Figure(figsize=(11.0, 0.8 + 2.6 * rows), layout="constrained")
    figure.suptitle(f"{shown.name}: {shown.measured:,} recordings measured", x=0.01, ha="left", fontsize=12)
    grid = figure.add_gridspec(rows, 3, width_ratios=(1.1, 1, 1))
    bars = figure.add_subplot(grid[:, 0])
    _draw_flags(bars, shown.flags)
    handles, labels = bars.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    for place, measure in enumerate(shown.measures):
        _draw_measure(figure.add_subplot(grid[place // 2, 1 + place % 2]), measure)
    return figure


def _draw_flags(axes: Axes, flags: Sequence[FlagShown]) -> None:
    bare(axes, "recordings with each flag")
    names = [flag.name.replace("_", " ") for flag in flags]
    counts, aside = ([getattr(flag, name) for flag in flags] for name in ("recordings", "set_aside"))
    axes.barh(names, counts, color=_KEPT, height=0.7, label="kept or masked")
    axes.barh(names, aside, color=_ASIDE, height=0.7, label="set aside")
    for row, count in enumerate(counts):
        axes.annotate(f"{count:,}", (count, row), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.grid(False, axis="y")
    axes.invert_yaxis()
    axes.set_xlim(0, max([1, *counts]) * 1.15)
    axes.locator_params(axis="x", nbins=4, integer=True)


def _draw_measure(axes: Axes, measure: MeasureShown) -> None:
    """Counts over logarithmic bins; what is zero stands in the first."""
    bare(axes, measure.title)
    axes.set_xscale("log")
    axes.set_ylabel("recordings", color=GREY, fontsize=8)
    above = measure.values[measure.values > 0]
    seen = np.concatenate([above, measure.limits])
    low, high = float(seen.min()) / 1.2, float(seen.max()) * 1.2
    edges = np.geomspace(low, high, _BINS + 1)
    axes.hist(np.clip(measure.values, low, high), edges.tolist(), color=_KEPT, alpha=0.75)
    for limit in measure.limits:
        axes.axvline(limit, color=_LIMIT, linewidth=1.4, linestyle=(0, (4, 3)))
    axes.set_xlim(low, high)
    wide = high / low > 100  # then 1, 10, 100 are enough
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _flags(shown: QualityShown) -> list[Block]:
    rows = [
        [
            flag.name,
            flag.meaning,
            f"{flag.recordings:,}",
            _share(flag.recordings, shown.measured),
            f"{flag.set_aside:,}",
            flag.policy,
        ]
        for flag in shown.flags
    ]
    header = ("flag", "raised where", "recordings", "of measured", "of these set aside", "policy")
    note = "A recording may have several flags; it may be set aside for another than that of its row."
    blocks: list[Block] = [Table(header, rows, note)]
    by_lead = [[flag.name, *flag.by_lead] for flag in shown.flags if any(flag.by_lead)]
    if by_lead:
        blocks.append(Table(("flag", *shown.leads), by_lead, "Recordings with the flag in each lead."))
    return blocks


def _measures(measures: Sequence[MeasureShown]) -> list[Block]:
    header = (
        "measure",
        "of",
        "recordings",
        "5\u00a0%",
        "50\u00a0%",
        "95\u00a0%",
        "99\u00a0%",
        "largest",
        "beyond its limit",
    )
    rows = []
    for measure in measures:
        if not len(measure.values):
            rows.append([measure.title, measure.meaning, "0", *["–"] * 6])
            continue
        at = [_number(value) for value in np.percentile(measure.values, (5, 50, 95, 99, 100))]
        low, high = (0.0, *measure.limits)[-2:]
        beyond = int(((measure.values < low) | (measure.values > high)).sum())
        rows.append([measure.title, measure.meaning, f"{len(measure.values):,}", *at, f"{beyond:,}"])
    return [Table(header, rows, "Percentiles over recordings, in microvolts.")]


def _refused(refused: Mapping[str, tuple[int, str]]) -> list[Block]:
    if not refused:
        return [Text("No recording was set aside.")]
    rows = [[reason, f"{count:,}", sentence] for reason, (count, sentence) in refused.items()]
    return [
        Table(("reason", "recordings", "the first of them"), rows, "Each has its own line in the manifest.")
    ]


def _worst(shown: QualityShown) -> list[Block]:
    blocks: list[Block] = [Text(shown.ranking)]
    for one in shown.worst:
        if one.ecg_LT is None:
            blocks.append(Text(f"{one.title}: {one.said}. Not drawn: {one.failure}."))
            continue
        figure = draw_ecg(
            [Trace(one.title, one.ecg_LT)],
            sampling_rate=one.sampling_rate,
            leads=shown.leads,
            title=one.title,
            own_scales=True,
        )
        blocks.append(Picture(figure, one.said, f"Twelve leads of {one.title} on ECG paper", to_scale=True))
    return blocks


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _share(some: int, of: int) -> str:
    return f"{some / of:.1%}" if of else "–"
