"""Draws ECGs on ECG paper, true to scale: 25 mm/s, 10 mm/mV, in the usual 3 x 4 + 1 layout.

``draw_ecg([Trace("recording", ecg_LT)], sampling_rate=500, leads=leads).savefig("ecg.pdf")`` prints at 100 %
with 25 mm a second. Saved with ``bbox_inches="tight"`` it would no longer be to scale.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.textpath import TextPath

from coreecg_jax.figures.ecg_layout import LAYOUT, ROWS, Cell, cells_of
from coreecg_jax.figures.sheet import (
    INK,
    MARGIN_MM,
    MM_PER_INCH,
    MM_PER_MV,
    NOTE_MM,
    PAPER,
    QUIET,
    ROW_MM,
    Sheet,
    blank_sheet,
    paper_width,
    strokes,
)

_ABOVE_MM, _BELOW_MM = 20.0, 15.0  # paper above the first and below the last baseline, at least
_HIDDEN_MM = 13.0  # what is hidden is shaded so far above and below the baseline
_SCALE = "25 mm/s · 10 mm/mV"
_NOTE_POINTS = 8.0
_APART_MM = 5.0  # between the scale and a note on its line
_MOST_MV = 100.0  # more is no heart: the values are in another unit
_TALL_MV, _FITTING_MV = 15.0, 3.0  # where leads may have scales of their own: what has one, and comes to what

_SHADE, _HATCH = "#e2e3e8", "#a3a6b0"
# The first trace, alone and below others; then Okabe & Ito (2008): told apart with any colour vision.
_ALONE, _UNDER = "#1a1a1a", "#8c8c8c"
_OVER = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


class Trace(NamedTuple):
    """One ECG of those that are drawn over each other."""

    label: str  # for the legend
    ecg_LT: np.ndarray  # float[L, T], mV; NaN is not drawn
    colour: str | None = None  # chosen by its place among the traces where None


def draw_ecg(
    traces: Sequence[Trace],
    *,
    sampling_rate: float,
    leads: Sequence[str],
    title: str = "",
    hidden: np.ndarray | None = None,
    rhythm: str = "II",
    note: str = "",
    hidden_label: str = "hidden by the mask",
    own_scales: bool = False,
) -> Figure:
    """Twelve leads, each for a quarter of the time, above one lead over all of it.

    Columns are I II III, aVR aVL aVF, V1 V2 V3 and V4 V5 V6; column c shows seconds [c q, (c + 1) q), where q
    is a quarter of the recording (2.5 s of 10 s). The paper grows where a wave is too tall for it: nothing is
    clipped. A lead that is not there, or is NaN, is named and marked 'not available'.

    Args:
      traces: drawn over each other in this order; all of one shape. The first is black, or grey below others.
      sampling_rate: in Hz.
      leads: the name of each row of the traces, in any order and case; of the twelve only.
      title: above the paper.
      hidden: bool[L, T], true where a mask hid the recording: shaded and hatched.
      rhythm: the lead of the strip below.
      note: small, below the paper: on the right of the scale where there is room, else on lines of its own.
      hidden_label: of the hatching in the legend.
      own_scales: a lead of more than 15 mV, instead of being refused or growing the paper, is divided by a
        power of ten that fits it into its row. That stands beside the lead's name, and below the paper that
        such a lead is not to scale. So any recording can be drawn.

    Returns:
      A figure, 275 mm wide for 10 s.

    Raises:
      ValueError: for unlike or empty shapes, unknown or repeated leads, or, without `own_scales`, values
        beyond 100 mV.
    """
    _check(traces, sampling_rate, [*leads], rhythm, hidden)
    divisors = _divisors(traces) if own_scales else [1.0] * len(leads)
    for trace, most in zip(traces, _largest(traces).max(axis=1)):
        if most > _MOST_MV and not own_scales:
            wanted = f"mV, at most {_MOST_MV:g}"
            raise ValueError(f"trace {trace.label!r}: expected {wanted}, got {most:g} (µV? divide by 1000)")
    traces = [trace._replace(ecg_LT=trace.ecg_LT / np.reshape(divisors, (-1, 1))) for trace in traces]
    samples = traces[0].ecg_LT.shape[1]
    cells = cells_of([name.lower() for name in leads], samples, rhythm, divisors)
    above, below = _room(traces, cells)
    legend = len(traces) > 1 or hidden is not None
    lines = bool(title) + legend
    scale = _SCALE + (" · ÷: not to this scale" if any(cell.divisor != 1 for cell in cells) else "")
    notes = _wrapped(note, scale, paper_width(samples, sampling_rate))
    figure, sheet = blank_sheet(
        samples, sampling_rate, rows=ROWS, above=above, below=below, lines=lines, notes=len(notes)
    )
    for cell in cells:
        if hidden is not None and cell.lead is not None:
            _shade(sheet, cell, hidden[cell.lead])
        _draw_cell(sheet, cell, traces)
    _write(sheet, title, scale, notes)
    if legend:
        _explain(sheet, traces, "" if hidden is None else hidden_label)
    return figure


def _check(
    traces: Sequence[Trace], sampling_rate: float, leads: list[str], rhythm: str, hidden: np.ndarray | None
) -> None:
    """Raises what `draw_ecg` promises."""
    if not traces:
        raise ValueError("traces: expected at least one, got none")
    shapes = [(f"trace {trace.label!r}", np.shape(trace.ecg_LT)) for trace in traces]
    if hidden is not None:
        shapes.append(("hidden", np.shape(hidden)))
    expected = shapes[0][1]
    for name, shape in shapes:
        if len(shape) != 2 or shape[0] != len(leads) or shape != expected or shape[1] < 4:
            wanted = f"[{len(leads)} leads, samples] like the first trace, at least 4 samples"
            raise ValueError(f"{name}: expected {wanted}, got {shape}")
    twelve = {name.lower() for across in LAYOUT for name in across}
    if len({name.lower() for name in leads} & twelve) != len(leads) or rhythm.lower() not in twelve:
        raise ValueError(f"leads: expected names of the twelve, each once, got {leads}, rhythm {rhythm!r}")
    if not sampling_rate > 0:
        raise ValueError(f"sampling_rate: expected a positive number of Hz, got {sampling_rate}")


def _largest(traces: Sequence[Trace]) -> np.ndarray:
    """float64[traces, L], mV: the largest |value| of each lead; 0 where it has none."""
    samples = [np.asarray(trace.ecg_LT, np.float64) for trace in traces]
    return np.array([np.max(np.abs(one), axis=1, initial=0, where=~np.isnan(one)) for one in samples])


def _divisors(traces: Sequence[Trace]) -> list[float]:
    """Of each lead beyond `_TALL_MV` the power of ten that fits it into its row, for all traces; else 1."""
    largest_L = _largest(traces).max(axis=0).tolist()
    return [
        10.0 ** math.ceil(math.log10(most / _FITTING_MV)) if most > _TALL_MV else 1.0 for most in largest_L
    ]


def _room(traces: Sequence[Trace], cells: Sequence[Cell]) -> tuple[float, float]:
    """Paper in mm above the first and below the last baseline that holds every wave."""
    above, below = _ABOVE_MM, _BELOW_MM
    for trace in traces:
        for cell in cells:
            values = _shown(trace, cell)
            values_mm = values[np.isfinite(values)] * MM_PER_MV
            above = max(above, np.max(values_mm, initial=0) - cell.row * ROW_MM + 1)
            below = max(below, -np.min(values_mm, initial=0) - (ROWS - 1 - cell.row) * ROW_MM + 1)
    return float(above), float(below)


def _shown(trace: Trace, cell: Cell) -> np.ndarray:
    """The cell's stretch of the trace in mV; empty where the recording has no such lead."""
    return np.zeros(0) if cell.lead is None else np.asarray(trace.ecg_LT[cell.lead, cell.samples], np.float64)


def _shade(sheet: Sheet, cell: Cell, hidden_T: np.ndarray) -> None:
    """Tint and hatching where the cell's samples were hidden; sample t covers [t, t + 1) / sampling rate."""
    steps = np.diff(np.pad(np.asarray(hidden_T[cell.samples], np.int8), 1))
    low, high = sheet.baseline(cell.row) - _HIDDEN_MM, sheet.baseline(cell.row) + _HIDDEN_MM
    for start, stop in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)):
        left, right = sheet.time(cell.samples.start + start), sheet.time(cell.samples.start + stop)
        shade = sheet.axes.fill_between([left, right], low, high, color=_SHADE, linewidth=0, zorder=0.5)
        shade.set_gid(f"hidden {cell.name} {cell.row}")
        # Diagonals y = x + c, two millimetres apart, from edge to edge of the rectangle.
        lines = [
            ((max(left, low - c), max(low, left + c)), (min(right, high - c), min(high, right + c)))
            for c in np.arange(2 * np.ceil((low - right) / 2 + 1e-6), high - left, 2)
        ]
        strokes(sheet.axes, lines, colour=_HATCH, width=0.4, zorder=1.2)


def _draw_cell(sheet: Sheet, cell: Cell, traces: Sequence[Trace]) -> None:
    """The lead's name, a tick where it begins, and its traces."""
    x, y = float(sheet.time(cell.samples.start)), sheet.baseline(cell.row)
    strokes(sheet.axes, [((x, y + 7), (x, y + 11))], colour=INK, width=0.6, zorder=5)
    name = f"{cell.name} {cell.scale}".strip()
    words = [sheet.axes.text(x + 1, y + 8, name, fontweight="bold", color=INK)]
    if not any(np.isfinite(_shown(trace, cell)).any() for trace in traces):
        words.append(sheet.axes.text(x + 1, y - 0.9, "not available", style="italic", color=QUIET))
    for word in words:  # a halo keeps them legible over a tall wave
        word.set(fontsize=9, zorder=5, path_effects=[withStroke(linewidth=2.5, foreground=PAPER)])
    if len(words) == 2:
        return
    times = sheet.time(np.arange(cell.samples.start, cell.samples.stop))
    for place, trace in enumerate(traces):
        colour, width = _pen(place, trace, len(traces))
        line = Line2D(times, y + MM_PER_MV * _shown(trace, cell), color=colour, linewidth=width)
        line.set(zorder=3 + 0.1 * place, solid_joinstyle="round", gid=f"{cell.name} {cell.row} {place}")
        sheet.axes.add_line(line)


def _pen(place: int, trace: Trace, traces: int) -> tuple[str, float]:
    """Colour and width in points: a broad grey line stays visible below thin coloured ones."""
    if place == 0 and traces > 1:
        return trace.colour or _UNDER, 1.5
    return trace.colour or (_OVER[(place - 1) % len(_OVER)] if place else _ALONE), 0.8


def _wrapped(note: str, scale: str, width_mm: float) -> list[str]:
    """The note line by line: the first beside the scale, and empty where the note has no room there."""
    if not note or _length(scale) + _APART_MM + _length(note) <= width_mm:
        return [note]
    lines = [""]
    for word in note.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(lines) == 1 or _length(longer) > width_mm:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _length(words: str) -> float:
    """Millimetres that a line below the paper is long."""
    if not words.strip():
        return 0.0
    return float(TextPath((0, 0), words, size=_NOTE_POINTS).get_extents().width) / 72 * MM_PER_INCH


def _write(sheet: Sheet, title: str, scale: str, notes: Sequence[str]) -> None:
    """The words around the paper."""
    _, height = sheet.axes.get_ylim()
    write = sheet.axes.text
    write(sheet.left, height - MARGIN_MM, title, fontsize=11, fontweight="bold", color=INK, va="top")
    below: list[Text] = [
        write(sheet.left, sheet.bottom - 1.5, scale),
        write(sheet.right, sheet.bottom - 1.5, notes[0], ha="right"),
    ]
    for number, line in enumerate(notes[1:], 1):
        below.append(write(sheet.left, sheet.bottom - 1.5 - number * NOTE_MM, line))
    for words in below:
        words.set(fontsize=_NOTE_POINTS, color=QUIET, va="top")


def _explain(sheet: Sheet, traces: Sequence[Trace], hidden_label: str) -> None:
    """What the colours and the hatching mean, on the line above the paper; no hatching without a label."""
    handles: list[Line2D | Patch] = []
    for place, trace in enumerate(traces):
        colour, _ = _pen(place, trace, len(traces))
        handles.append(Line2D([], [], color=colour, linewidth=2, label=trace.label))
    if hidden_label:
        shade = Patch(facecolor=_SHADE, edgecolor=_HATCH, linewidth=0, hatch="/////", label=hidden_label)
        handles.append(shade)
    sheet.axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(sheet.left, sheet.top + 1),
        bbox_transform=sheet.axes.transData,
        ncols=len(handles),
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        fontsize=8.5,
    )
