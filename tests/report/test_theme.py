"""The colours of pages: every ink on every ground it stands on has the contrast that WCAG 2.1 asks for (AA, 4.5)."""

from __future__ import annotations

import re

import pytest

from suite.declarations import shipped
from suite.report.figures import COLOURS

STYLE = (shipped("reports") / "templates" / "style.css").read_text(encoding="utf-8")
LIGHT, DARK = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
# Ink to the grounds on which pages put it.
PAIRS = [(ink, ground) for ink in ("ink", "soft", "accent", "best", "warn") for ground in ("paper", "card")] + [
    ("planted", "planted-back"),
    ("real", "real-back"),
]
LINES = 3.0  # what is drawn, not written (WCAG 1.4.11)


def colours(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", text))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_by_hand():
    assert contrast("#000000", "#ffffff") == pytest.approx(21) and contrast("#777777", "#ffffff") == pytest.approx(
        4.48, abs=0.01
    )


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_has_contrast(theme, ink, ground):
    known = colours(theme)
    assert contrast(known[ink], known[ground]) >= 4.5


def test_both_themes_define_the_same_colours():
    assert colours(LIGHT).keys() == colours(DARK).keys()
    used = set(re.findall(r"var\(--([\w-]+)\)", STYLE))
    assert used <= colours(LIGHT).keys()


def test_pictures_are_drawn_in_ink_that_shows_on_white():
    assert contrast(COLOURS[0], "#ffffff") >= LINES
