"""A page stands alone, says what it was given, and fits a telephone."""

import base64
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from coreecg_jax.figures.ecg_paper import Trace, draw_ecg
from coreecg_jax.figures.embed import embedded, svg
from coreecg_jax.figures.page import Columns, Commands, Facts, Picture, Section, Table, Text, page

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
VOID = {"meta", "link", "img", "br"}


def curve():
    figure = Figure(figsize=(6.4, 3))
    figure.subplots().plot([0, 1, 2], [0, 1, 4])
    return figure


def ecg(seed=0, hz=100):
    beats = (
        np.random.default_rng(seed).normal(0, 0.1, (12, 10 * hz)) + np.sin(np.arange(10 * hz) * 6 / hz) ** 40
    )
    return draw_ecg([Trace("recording", beats), Trace("view", 1.1 * beats)], sampling_rate=hz, leads=LEADS)


def whole(**options):
    numbers = Table(
        ("method", "AUROC", "n"), [("one", "0.90 [0.86, 0.93]", 21799), ("two", "–", 3)], "Scores"
    )
    wide = Table([f"column {k}" for k in range(20)], [["unbreakable" * 2] * 20])
    sections = [
        Section("What ran", [Text("First.\n\nSecond."), Facts([("data", "x" * 200)]), numbers, wide]),
        Section("An ECG", [Picture(ecg(), "Caption", "Twelve leads", to_scale=True)], "ecg"),
        Section(
            "Two runs",
            [Columns([[Picture(ecg(1), "l", "left ECG")], [wide]], ["left run", "right run"])],
        ),
        Section("Go on", [Commands(["make test-of-something-long " * 9, "make"], "In the folder:")]),
    ]
    return page("A report", sections, **{"lead": "In short.", **options})


class Outline(HTMLParser):
    """Elements with their attributes; fails where one is closed that is not open."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_well_formed_and_complete():
    outline = Outline(whole())
    for said in (
        "A report",
        "In short.",
        "First.",
        "left run",
        "right run",
        "0.90 [0.86, 0.93]",
        "not for diagnosis",
    ):
        assert said in outline.text
    assert [image["alt"] for image in outline.named("img")] == ["Twelve leads", "left ECG"]
    assert [element.get("class") for element in outline.named("div")].count("column") == 2
    assert outline.named("meta")[-1]["name"] == "viewport"


def test_stands_alone():
    text = whole()
    outline = Outline(text)
    for tag, attributes in outline.elements:
        assert tag not in {"script", "iframe", "object", "video"}
        for name in ("src", "href", "srcset", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, name)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in text


def test_contents_lead_to_every_section():
    outline = Outline(whole())
    links = [link["href"][1:] for link in outline.named("a")]
    assert (
        links
        == [heading["id"] for heading in outline.named("h2")]
        == ["what-ran", "ecg", "two-runs", "go-on"]
    )
    assert not Outline(page("One", [Section("Only", [Text("x")])])).named("nav")


def test_everything_is_escaped():
    evil = '<script>alert("&")</script>'
    blocks = [
        Text(evil),
        Facts([(evil, evil)]),
        Table((evil,), [(evil,)], evil),
        Picture(curve(), evil, evil),
        Commands([evil], evil),
        Columns([[Text(evil)]], [evil]),
    ]
    outline = Outline(page(evil, [Section(evil, blocks, evil), Section("b", [])], lead=evil, notice=evil))
    assert not outline.named("script")
    around = 7  # title, heading, notice above and below, lead, contents, section
    within = 1 + 2 + 3 + 1 + 2 + 2  # one a block's text; the picture's alt is an attribute
    assert outline.text.count(evil) == around + within
    assert outline.named("img")[0]["alt"] == evil


def test_columns_of_numbers_stand_to_the_right():
    rows = [
        ("a", "0.91", "+0.02 [−0.01, 0.05]", "12 %", "3 of 4", "1,204"),
        ("b", "–", "", "−3 ± 1", "yes", "7"),
    ]
    table = Table(("name", "score", "difference", "share", "words", "count"), rows)
    cells = Outline(page("T", [Section("t", [table])])).named("td")
    assert ["class" in cell for cell in cells] == [True, True, True, False, True] * 2
    chosen = Outline(page("T", [Section("t", [table._replace(numeric=[False] * 5 + [True])])])).named("td")
    assert ["class" in cell for cell in chosen] == [False, False, False, False, True] * 2


def test_same_content_same_bytes():
    assert whole() == whole()


def test_figures_are_sound_and_small_svg():
    drawn = svg(ecg())
    assert len(drawn) < 300_000
    root = ElementTree.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert not [element for element in root.iter() if element.tag.endswith(("}text", "}image", "}metadata"))]
    assert embedded(ecg()).startswith("data:image/svg+xml;base64,")


def test_a_picture_that_would_be_a_large_svg_becomes_a_png():
    uri = embedded(ecg(hz=1000))
    assert uri.startswith("data:image/png;base64,")
    assert base64.b64decode(uri.split(",")[1]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (Table(("a", "b"), [(1, 2), (1, 2, 3)]), r"expected 2 columns everywhere, got \[3\]"),
        (Table(("a", "b"), [(1, 2)], numeric=[True]), r"expected 2 columns everywhere, got \[1\]"),
        (Picture(curve(), "A curve", " "), "'A curve': expected alt"),
        (Columns([[], []], ["a"]), "expected 2 headings or none, got 1"),
        ("words", "expected Text, Facts"),
    ],
)
def test_mistakes_are_told(block, message):
    with pytest.raises(ValueError, match=message):
        page("T", [Section("t", [block])])


def test_an_anchor_that_stands_twice_is_told():
    with pytest.raises(ValueError, match="expected each anchor once, got a-b more"):
        page("T", [Section("A b", []), Section("a, B", [])])


@pytest.mark.parametrize(("width", "beside"), [(390, False), (1200, True)])
def test_laid_out_in_a_browser(laid_out, width, beside):
    layout = laid_out(whole(), width)
    assert layout.across <= width, "the page itself scrolls sideways"
    assert layout.images_drawn == 2, "a figure was not drawn"
    assert layout.columns_beside == beside
    assert layout.scrolling_boxes >= 2, "wide tables scroll in their own boxes"
    assert 0.005 < layout.dark_share < 0.5, "blank, or dark"
