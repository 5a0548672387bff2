"""The page of a data set's quality says what it was given, and its figure draws it."""

import itertools
import re

import numpy as np
from matplotlib.figure import Figure

from coreecg_jax.figures.quality import (
    FlagShown,
    MeasureShown,
    QualityShown,
    WorstShown,
    quality_figure,
    quality_page,
)

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def shown(**changed: object) -> QualityShown:
    ecg = np.random.default_rng(0).normal(0, 0.3, (12, 1000))
    worst = [
        WorstShown("r17", "noise in V1 <here>", ecg, 100.0),
        WorstShown("r18", "V2 flat", None, 0.0, "the file is gone"),
    ]
    one = QualityShown(
        name="ward_3",
        lead="Four of 17 set aside.",
        facts=[("Kept", "13")],
        measured=17,
        flags=[
            FlagShown("flat", "still", 4, 3, "set_aside", [0] * 11 + [4]),
            FlagShown("unit", "odd", 0, 0, "keep", [0] * 12),
        ],
        measures=[
            MeasureShown("noise (µV)", "fast", np.array([1.0, 5.0, 70.0, 2000.0]), (60.0,)),
            MeasureShown("amplitude (µV)", "size", np.array([0.0, 100.0, 700.0, 4000.0]), (250.0, 3000.0)),
            MeasureShown("nothing (µV)", "of nobody", np.zeros(0), (1.0,)),
        ],
        refused={"flat_lead": (3, "r2: flat: V6"), "nan": (1, "r3: invalid")},
        worst=worst,
        ranking="By flags.",
        leads=LEADS,
        commands=["python -m launch.inspect r17.hea"],
    )
    return one._replace(**changed)


def cells(html: str, first: str) -> list[str]:
    """The cells of the row that begins so."""
    (row,) = re.findall(rf"<tr><th[^>]*>{re.escape(first)}</th>.*?</tr>", html)
    return [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", row)]


def test_the_page_says_counts_percentiles_and_reasons() -> None:
    html = quality_page(shown())
    assert "Quality of ward_3" in html
    (in_table, by_lead) = re.findall(r"<tr><th[^>]*>flat</th>.*?</tr>", html)
    assert "23.5%" in in_table
    assert by_lead.count("<td") == 12
    assert cells(html, "noise (µV)") == ["fast", "4", "1.6", "37.5", "1,710", "1,942", "2,000", "2"]
    assert cells(html, "amplitude (µV)")[-1] == "3"  # 0 and 100 below, 4,000 above
    assert cells(html, "nothing (µV)") == ["of nobody", "0", *["–"] * 6]
    assert cells(html, "flat_lead") == ["3", "r2: flat: V6"]
    assert "noise in V1 &lt;here&gt;" in html
    assert "r18: V2 flat. Not drawn: the file is gone." in html
    assert html.count("Twelve leads of") == 1
    assert "http" not in html.replace("http-equiv", "")


def test_the_same_content_gives_the_same_bytes() -> None:
    assert quality_page(shown(worst=[])) == quality_page(shown(worst=[]))


def test_a_clean_data_set_has_a_page_too() -> None:
    html = quality_page(shown(refused={}, worst=[], flags=shown().flags[1:]))
    assert "No recording was set aside." in html


def test_every_recording_is_in_its_histogram_and_every_limit_is_drawn() -> None:
    figure = quality_figure(shown())
    bars, noise, amplitude, nothing = figure.axes
    assert [bar.get_width() for bar in bars.patches] == [4, 0, 3, 0]
    for axes, values in ((noise, 4), (amplitude, 4), (nothing, 0)):
        assert sum(bar.get_height() for bar in axes.patches) == values
    assert [line.get_xdata()[0] for line in amplitude.lines] == [250.0, 3000.0]
    assert_labels_apart(figure)


def assert_labels_apart(figure: Figure) -> None:
    """No two labels of an axis lie over each other."""
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        shown = sorted((box for box in boxes if box.width > 0), key=lambda box: box.x0)
        assert all(one.x1 < other.x0 for one, other in itertools.pairwise(shown))
