"""A browser to look at pages with, where there is one."""

import re
import shutil
import subprocess
from html import escape
from typing import NamedTuple

import matplotlib.image
import numpy as np
import pytest


class Layout(NamedTuple):
    """What a browser made of a page."""

    across: int  # pixels that the page is wide
    images_drawn: int
    columns_beside: bool
    scrolling_boxes: int
    dark_share: float  # of the pixels


@pytest.fixture(scope="session")
def browser():
    """Runs Chromium on a file, or the test is skipped."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on the path: install chromium to see how the page is laid out")

    def run(path, *flags):
        fixed = (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1200,1500",
        )
        command = [program, *fixed, *flags, path.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    return run


# Chromium has no window below 500 pixels: the page stands, as it is, in a frame of a telephone's width.
_FRAME = """<!DOCTYPE html><title></title><body style="margin:0" onload="
  const page = frame.contentDocument, body = page.documentElement, images = [...page.images];
  const columns = [...page.querySelectorAll('.column')].map(column => column.offsetTop);
  const scrolling = [...page.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth);
  const drawn = images.filter(image => image.naturalWidth > 0);
  document.title = [body.scrollWidth, drawn.length, columns[0] == columns[1], scrolling.length].join(' ')">
  <iframe id="frame" style="border:0;width:{width}px;height:1500px" srcdoc="{page}"></iframe></body>"""


@pytest.fixture
def laid_out(browser, tmp_path):
    """A function of a page and a width in pixels that gives its `Layout`."""

    def lay_out(text, width):
        file, picture = tmp_path / "frame.html", tmp_path / "page.png"
        file.write_text(_FRAME.format(width=width, page=escape(text)), encoding="utf-8")
        found = re.search("<title>(.*)</title>", browser(file, "--dump-dom", f"--screenshot={picture}"))
        assert found, "the page did not load"
        across, images, beside, scrolling = found[1].split()
        pixels = matplotlib.image.imread(picture)[:, :width, :3]
        dark = float(np.mean(pixels.min(axis=2) < 0.5))
        return Layout(int(across), int(images), beside == "true", int(scrolling), dark)

    return lay_out
