"""HTML that reports are made of."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
.verdict, .warnings { border-left: .4rem solid #2a7f3f; background: #f2f8f3; padding: .6rem 1rem }
.verdict.none { border-color: #b58900; background: #fdf8e6 }
.warnings { border-color: #b3261e; background: #fcf0ef; margin-top: 1rem }
.verdict strong { font-size: 1.4rem }
table { border-collapse: collapse; margin: .8rem 0 }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #ddd }
td.number { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: 1.5rem 0 } img { max-width: 100%; height: auto } figcaption, .small { color: #555; font-size: .9rem }
"""


def document(title: str, body: str) -> str:
    """A whole page."""
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            f"<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n")


def figure(name: str, caption: str, png: bytes) -> str:
    """A picture inside the page; ``name``: of its file, without the suffix."""
    data = base64.b64encode(png).decode("ascii")
    return (f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{escape(caption)} ({escape(name)}.png)</figcaption></figure>")


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], numbers: int) -> str:
    """``numbers``: so many last columns are numbers."""
    first = len(heads) - numbers
    lines = ["<table>"]
    if any(heads):
        lines.append("<tr>" + "".join(f"<th>{escape(h)}</th>" for h in heads) + "</tr>")
    for row in rows:
        cells = (f'<td class="number">{escape(c)}</td>' if i >= first else f"<td>{escape(c)}</td>"
                 for i, c in enumerate(row))
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "".join([*lines, "</table>"])
