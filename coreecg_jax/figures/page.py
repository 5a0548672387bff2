"""One self-contained HTML page of text, tables and figures: for a telephone, a desk and a printer.

Nothing is loaded from a network and nothing runs: figures stand in the page, the type is the reader's own.
The same content gives the same bytes.

    sections = [Section("Runs", [Table(("run", "AUROC"), [("learned", "0.91")]), Picture(figure, "…", "…")])]
    Path("report.html").write_text(page("A report", sections), encoding="utf-8")
"""

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from matplotlib.figure import Figure

from coreecg_jax.figures.embed import PIXELS_PER_INCH, embedded
from coreecg_jax.figures.page_style import STYLE

NOT_FOR_DIAGNOSIS = "Research software: not a medical device, not for diagnosis."

# The browser itself refuses whatever a page of ours would load or run.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_NUMBER = re.compile(r"[-−+±~<>≤≥≈]?\s*\d[\d.,\s]*\s*(%|[-–−±(\[].*)?|[-–—]?")
_WIDE_INCHES = 7.0  # a wider figure stays legible on a telephone, where it scrolls in its own box
_TELEPHONE = 0.65  # of its natural width there


class Text(NamedTuple):
    """Plain paragraphs, an empty line between them."""

    text: str


class Facts(NamedTuple):
    """Terms and what is to be said of each."""

    facts: Sequence[tuple[str, object]]


class Table(NamedTuple):
    """Rows of cells, the first of which names the row."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    numeric: Sequence[bool] | None = None  # columns to align right; where None, those of numbers only


class Picture(NamedTuple):
    """A figure; with `to_scale`, one that prints in its true size, alone on a landscape page."""

    figure: Figure
    caption: str
    alt: str  # what is to be seen, for those who do not see it
    to_scale: bool = False


class Commands(NamedTuple):
    """Lines for a shell, and what is to be known first."""

    commands: Sequence[str]
    note: str = ""


class Columns(NamedTuple):
    """Blocks side by side, below each other on a telephone; a heading for each column, or none."""

    columns: "Sequence[Sequence[Block]]"
    headings: Sequence[str] = ()


Block = Text | Facts | Table | Picture | Commands | Columns


class Section(NamedTuple):
    """A heading and blocks. The anchor is made of the title where it is empty."""

    title: str
    blocks: Sequence[Block]
    anchor: str = ""


def page(title: str, sections: Sequence[Section], *, lead: str = "", notice: str = NOT_FOR_DIAGNOSIS) -> str:
    """A whole HTML document.

    Args:
      title: of the page, above everything.
      sections: in their order; listed at the top where there are several.
      lead: paragraphs below the title: what the reader should take home.
      notice: a warning at the top and the bottom.

    Raises:
      ValueError: for unlike row lengths, a picture without words for it, or an anchor that stands twice.
    """
    anchors = [_anchor(section) for section in sections]
    repeated = sorted({anchor for anchor in anchors if anchors.count(anchor) > 1})
    if repeated:
        raise ValueError(f"sections: expected each anchor once, got {', '.join(repeated)} more than once")
    entries = [
        f'<li><a href="#{anchor}">{escape(section.title)}</a></li>'
        for anchor, section in zip(anchors, sections)
    ]
    contents = f'<nav aria-label="Contents"><ol>{"".join(entries)}</ol></nav>' if len(sections) > 1 else ""
    warning = f'<p class="notice">{escape(notice)}</p>' if notice else ""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n<style>{STYLE}</style>\n</head>',
        f"<body>\n<main>\n<header><h1>{escape(title)}</h1>{warning}",
        f'<div class="lead">{_paragraphs(lead)}</div>{contents}</header>',
        *(_section(anchor, section) for anchor, section in zip(anchors, sections)),
        f"</main>\n<footer>{warning}</footer>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _anchor(section: Section) -> str:
    """Small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", (section.anchor or section.title).lower()).strip("-") or "section"


def _section(anchor: str, section: Section) -> str:
    heading = f'<h2 id="{anchor}">{escape(section.title)}</h2>'
    return "\n".join(["<section>", heading, *map(_block, section.blocks), "</section>"])


def _block(block: Block) -> str:
    """The block's HTML."""
    match block:
        case Text():
            return _paragraphs(block.text)
        case Facts():
            return _facts(block)
        case Table():
            return _table(block)
        case Picture():
            return _picture(block)
        case Commands():
            note = f"<figcaption>{escape(block.note)}</figcaption>" if block.note else ""
            return (
                f'<figure class="commands">{note}<pre>{"".join(map(_command, block.commands))}</pre></figure>'
            )
        case Columns():
            return _columns(block)
    raise ValueError(f"block: expected Text, Facts, Table, Picture, Commands or Columns, got {type(block)}")


def _paragraphs(text: str) -> str:
    parts = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    return "\n".join(f"<p>{escape(part)}</p>" for part in parts)


def _command(command: str) -> str:
    """A line of the shell that is broken between its words, not after a hyphen."""
    words = re.sub(r"\S+", lambda word: f"<span>{escape(word[0])}</span>", command)
    return f"<code>{words}</code>"


def _facts(block: Facts) -> str:
    pairs = [f"<div><dt>{escape(term)}</dt><dd>{escape(str(said))}</dd></div>" for term, said in block.facts]
    return f"<dl>{''.join(pairs)}</dl>"


def _table(block: Table) -> str:
    cells = [[str(cell) for cell in row] for row in block.rows]
    unlike = [len(row) for row in cells if len(row) != len(block.header)]
    if unlike or (block.numeric is not None and len(block.numeric) != len(block.header)):
        got = unlike or [len(block.numeric or ())]
        raise ValueError(
            f"table {block.caption!r}: expected {len(block.header)} columns everywhere, got {got}"
        )
    numeric = block.numeric or [
        bool(cells) and all(_NUMBER.fullmatch(row[column].strip()) for row in cells)
        for column in range(len(block.header))
    ]
    kinds = [' class="number"' if right else "" for right in numeric]
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for kind, name in zip(kinds, block.header))
    body = ""
    for row in cells:
        others = "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds[1:], row[1:]))
        body += f'<tr><th scope="row"{kinds[0]}>{escape(row[0])}</th>{others}</tr>\n'
    caption = f"<figcaption>{escape(block.caption)}</figcaption>" if block.caption else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"
    return f'<figure class="table">{caption}{_scrolling(table, "Table")}</figure>'


def _picture(block: Picture) -> str:
    if not block.alt.strip():
        raise ValueError(f"picture {block.caption!r}: expected alt, words for what is to be seen, got none")
    width, height = block.figure.get_size_inches()
    wide, high = round(width * PIXELS_PER_INCH), round(height * PIXELS_PER_INCH)
    least = round(_TELEPHONE * wide) if width > _WIDE_INCHES else 0
    style = f"--telephone:{least}px;--true-width:{width:.4f}in"
    image = (
        f'<img src="{embedded(block.figure)}" alt="{escape(block.alt)}" width="{wide}" height="{high}" '
        f'style="{style}">'
    )
    caption = f"<figcaption>{escape(block.caption)}</figcaption>" if block.caption else ""
    kind = "picture to-scale" if block.to_scale else "picture"
    return f'<figure class="{kind}">{_scrolling(image, "Figure")}{caption}</figure>'


def _columns(block: Columns) -> str:
    if block.headings and len(block.headings) != len(block.columns):
        wanted = f"{len(block.columns)} headings or none"
        raise ValueError(f"columns: expected {wanted}, got {len(block.headings)}")
    parts = ['<div class="columns">']
    headings = [f"<h3>{escape(heading)}</h3>" for heading in block.headings]
    for place, blocks in enumerate(block.columns):
        shown = headings[place : place + 1]
        parts += ['<div class="column">', *shown, *map(_block, blocks), "</div>"]
    return "\n".join([*parts, "</div>"])


def _scrolling(inner: str, name: str) -> str:
    """A box that scrolls sideways by itself, also from the keyboard, so that the page never does."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">{inner}</div>'
