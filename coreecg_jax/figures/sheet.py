"""A blank sheet of ECG paper, true to scale: 25 mm/s, 10 mm/mV, a line a millimetre, a strong one every five.

One set of axes covers the whole figure and its unit is the millimetre: a place on the paper is a place in the
figure.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

MM_PER_SECOND = 25.0
MM_PER_MV = 10.0
MM_PER_INCH = 25.4
ROW_MM = 30.0  # from one baseline to the next
CALIBRATION_MM = 10.0  # paper to the left of the first second
MARGIN_MM = 5.0  # around the paper
LINE_MM = 6.0  # a line of text above or below the paper
NOTE_MM = 4.0  # each further line below it

PAPER, INK, QUIET = "#fffafa", "#1a1a1a", "#595959"
_FINE, _COARSE = "#f9dcdc", "#efb0b0"


class Sheet(NamedTuple):
    """Places in mm from the lower left corner of the figure."""

    axes: Axes
    left: float
    right: float
    bottom: float
    top: float
    first_baseline: float
    mm_per_sample: float

    def time(self, sample: np.ndarray | int) -> Any:
        """The x of samples. A column starts where its first sample has its time: one formula for all rows."""
        return self.left + CALIBRATION_MM + np.asarray(sample) * self.mm_per_sample

    def baseline(self, row: int) -> float:
        """The y of 0 mV in a row."""
        return self.first_baseline - row * ROW_MM


def paper_width(samples: int, sampling_rate: float) -> float:
    """Millimetres from the left to the right edge of the paper."""
    return float(CALIBRATION_MM + 5 * np.ceil(samples * MM_PER_SECOND / sampling_rate / 5 + 1))


def blank_sheet(
    samples: int, sampling_rate: float, *, rows: int, above: float, below: float, lines: int, notes: int = 1
) -> tuple[Figure, Sheet]:
    """Paper with calibration pulses and nothing else.

    Args:
      samples: the length of the recording.
      sampling_rate: in Hz.
      rows: of traces.
      above: paper above the first baseline in mm, at least.
      below: paper below the last baseline in mm, at least.
      lines: of text above the paper.
      notes: lines of text below the paper.
    """
    above, below = 5 * np.ceil(above / 5), 5 * np.ceil(below / 5)  # baselines lie on strong lines
    mm_per_sample = MM_PER_SECOND / sampling_rate
    left, bottom = MARGIN_MM, MARGIN_MM + LINE_MM + (notes - 1) * NOTE_MM
    right = left + paper_width(samples, sampling_rate)
    first_baseline = bottom + below + (rows - 1) * ROW_MM
    top = first_baseline + above
    width, height = float(right + MARGIN_MM), float(top + MARGIN_MM + lines * LINE_MM)
    figure = Figure(figsize=(width / MM_PER_INCH, height / MM_PER_INCH), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    sheet = Sheet(axes, left, float(right), bottom, float(top), float(first_baseline), mm_per_sample)
    _rule(sheet)
    for row in range(rows):
        _calibrate(sheet, row)
    return figure, sheet


def strokes(axes: Axes, lines: Sequence, *, colour: str, width: float, zorder: float) -> None:
    """Straight lines ((x, y), (x, y)) as one path: in SVG a tenth of the size of as many paths."""
    if lines:
        path = Path(np.reshape(lines, (-1, 2)), np.tile([Path.MOVETO, Path.LINETO], len(lines)))
        axes.add_patch(PathPatch(path, fill=False, edgecolor=colour, linewidth=width, zorder=zorder))


def _rule(sheet: Sheet) -> None:
    """The paper's colour and lines."""
    left, right, bottom, top = sheet.left, sheet.right, sheet.bottom, sheet.top
    sheet.axes.fill_between([left, right], bottom, top, color=PAPER, linewidth=0, zorder=0)
    for step, colour, width, zorder in ((1, _FINE, 0.3, 1.0), (5, _COARSE, 0.55, 1.1)):
        lines = [((x, bottom), (x, top)) for x in np.arange(left, right + 0.5, step)]
        lines += [((left, y), (right, y)) for y in np.arange(bottom, top + 0.5, step)]
        strokes(sheet.axes, lines, colour=colour, width=width, zorder=zorder)


def _calibrate(sheet: Sheet, row: int) -> None:
    """1 mV for 0.2 s."""
    x = sheet.left + np.array([2, 3, 3, 8, 8, 9])
    y = sheet.baseline(row) + MM_PER_MV * np.array([0, 0, 1, 1, 0, 0])
    sheet.axes.plot(x, y, color=INK, linewidth=0.8, solid_joinstyle="miter", gid=f"calibration {row}")
