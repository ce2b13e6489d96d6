"""Pictures for papers and slides, as SVG and as PNG, without a browser: lines, dots and words on white."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

LETTER = 7.4  # pixels of a letter at SIZE, in a wide font
SIZE = 12  # pixels of text
SCALE = 2  # a PNG has so many times the pixels of a screen: about 200 dots an inch
STEPS = (1, 2, 5)  # a scale goes in such steps, times a power of ten
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf")

Anchor: TypeAlias = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Line:
    """From (x1, y1) to (x2, y2), pixels from the upper left; ``dashed`` in pixels on and off."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    """A circle, half transparent inside if ``filled``."""

    x: float
    y: float
    radius: float
    colour: str
    filled: bool = True


@dataclass(frozen=True)
class Words:
    """Text whose baseline is at ``y``, on the side of ``x`` that ``anchor`` says."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"
    colour: str = "#000000"


@dataclass(frozen=True)
class Picture:
    """Shapes on a ground of ``width`` by ``height`` pixels; ``title`` and ``about`` are for those who hear it."""

    width: int
    height: int
    title: str
    about: str
    shapes: tuple[Line | Dot | Words, ...]


def svg(picture: Picture) -> str:
    """The picture as SVG, which needs no font but sans-serif."""
    size = f'viewBox="0 0 {picture.width} {picture.height}" width="{picture.width}" height="{picture.height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc" '
        f'font-family="sans-serif" font-size="{SIZE}">',
        f'<title id="title">{escape(picture.title)}</title><desc id="desc">{escape(picture.about)}</desc>',
        f'<rect width="{picture.width}" height="{picture.height}" fill="white"/>',
        *map(_element, picture.shapes),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _element(shape: Line | Dot | Words) -> str:
    if isinstance(shape, Line):
        ends = f'x1="{shape.x1:.1f}" y1="{shape.y1:.1f}" x2="{shape.x2:.1f}" y2="{shape.y2:.1f}"'
        dashes = ' stroke-dasharray="3 3"' if shape.dashed else ""
        return f'<line {ends} stroke="{shape.colour}" stroke-width="{shape.width:g}"{dashes}/>'
    if isinstance(shape, Dot):
        fill = f'fill="{shape.colour}" fill-opacity="0.5"' if shape.filled else 'fill="none"'
        return f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:g}" {fill} stroke="{shape.colour}"/>'
    place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}"'
    return f'<text {place} fill="{shape.colour}">{escape(shape.text)}</text>'


def png(picture: Picture, scale: int = SCALE) -> bytes:
    """The picture as PNG, ``scale`` times as large. Signs beyond Latin need one of ``FONTS`` on the machine."""
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    fine = 2 * scale  # drawn twice as large, then halved: edges become smooth
    image = Image.new("RGB", (picture.width * fine, picture.height * fine), "white")
    canvas = ImageDraw.Draw(image, "RGBA")
    for shape in picture.shapes:
        _draw(canvas, shape, fine)
    said, file = PngInfo(), BytesIO()
    said.add_itxt("Title", picture.title)
    said.add_itxt("Description", picture.about)
    image.reduce(2).save(file, "PNG", pnginfo=said, dpi=(96 * scale, 96 * scale))
    return file.getvalue()


def _draw(canvas: ImageDraw, shape: Line | Dot | Words, fine: int) -> None:
    if isinstance(shape, Line):
        for start, end in _pieces(shape):
            canvas.line([(fine * x, fine * y) for x, y in (start, end)], shape.colour, round(fine * shape.width))
    elif isinstance(shape, Dot):
        reach = shape.radius
        box = [fine * (shape.x - reach), fine * (shape.y - reach), fine * (shape.x + reach), fine * (shape.y + reach)]
        canvas.ellipse(box, f"{shape.colour}80" if shape.filled else None, shape.colour, fine)
    else:
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
        canvas.text((fine * shape.x, fine * shape.y), shape.text, shape.colour, _font(fine * SIZE), anchor)


def _pieces(line: Line) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The strokes of a line: itself, or three pixels on and three off."""
    length = math.hypot(line.x2 - line.x1, line.y2 - line.y1)
    if not line.dashed or not length:
        return [((line.x1, line.y1), (line.x2, line.y2))]

    def at(way: float) -> tuple[float, float]:
        share = min(way / length, 1.0)
        return line.x1 + share * (line.x2 - line.x1), line.y1 + share * (line.y2 - line.y1)

    return [(at(6.0 * place), at(6.0 * place + 3.0)) for place in range(math.ceil(length / 6.0))]


@lru_cache(maxsize=8)
def _font(size: int) -> Any:
    """A font of the machine with many signs, or else the one that Pillow carries."""
    from PIL import ImageFont

    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def scale(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """The ends of an axis that holds ``values``, and about five round numbers on it."""
    low, high = min(values), max(values)
    # Values that differ by rounding alone would give an axis without length.
    span = high - low if high - low > 1e-9 * max(1.0, abs(high)) else 1.0
    power = 10 ** math.floor(math.log10(span / 5))
    step = next(s * power for s in (*STEPS, 10) if s * power >= span / 5)
    first, last = math.floor(low / step), math.ceil(high / step)
    last += last == first
    return first * step, last * step, [round(tick * step, 10) for tick in range(first, last + 1)]
