"""Figures as data URIs, that stand in a page by themselves and look alike in every browser."""

import base64
import io
import re

import matplotlib
from matplotlib.figure import Figure

PIXELS_PER_INCH = 96  # CSS
_LARGEST_SVG = 400_000  # bytes; a larger one becomes a PNG
_PNG_DPI = 200
_LONG_DECIMALS = re.compile(rb"(\d+\.\d\d)\d+")
_PATH = re.compile(rb'(?<= d=")[^"]*')
_LINES = re.compile(rb"[ML] [-\d.]+ [-\d.]+(?: L [-\d.]+ [-\d.]+)+")


def embedded(figure: Figure) -> str:
    """The figure as a ``data:`` URI: SVG, or PNG where that would be over 400 kB."""
    drawn = svg(figure)
    if len(drawn) <= _LARGEST_SVG:
        return "data:image/svg+xml;base64," + base64.b64encode(drawn).decode()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_PNG_DPI, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def svg(figure: Figure) -> bytes:
    """The figure as SVG without date or version, cut to 0.01 point: the same figure gives the same bytes."""
    buffer = io.BytesIO()
    # Letters as outlines: the reader's machine may lack the font. The salt makes names within repeatable.
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "coreecg"}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    return _PATH.sub(_shortened, buffer.getvalue())


def _shortened(path: re.Match[bytes]) -> bytes:
    """Two decimals, single spaces, and no letter for a line that goes on from a line."""
    spaced = _LONG_DECIMALS.sub(rb"\1", b" ".join(path[0].split()))
    return _LINES.sub(lambda lines: lines[0][:1] + lines[0][1:].replace(b" L", b""), spaced)
