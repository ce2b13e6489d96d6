"""Equations as MathML, which browsers draw themselves: no script, no font, no request."""

from __future__ import annotations

import html
import re

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([\[(])(.*?)\\[\])]</\1>', re.DOTALL)


def drawn(page: str) -> str:
    """HTML of a page in which each equation is MathML; raises :class:`ValueError` for TeX that is not understood."""
    return FORMULA.sub(lambda found: mathml(html.unescape(found[3]), block=found[2] == "["), page)


def mathml(tex: str, block: bool = False) -> str:
    """One equation."""
    from latex2mathml.converter import convert

    try:
        made = str(convert(" ".join(tex.split()), display="block" if block else "inline"))
    except Exception as error:
        raise ValueError(f"the equation {tex!r} cannot be drawn: {type(error).__name__} {error}") from error
    if "\\" in made:  # what the converter does not know, it prints as it is
        raise ValueError(f"the equation {tex!r} has a command that is not known")
    return f'<div class="equation">{made}</div>' if block else made
