"""People in clips on the frames they were seen in: boxes, labels and the best scores."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO

import numpy as np

from suite.analyse.label_sets import label_sets, spread
from suite.errors import DataError
from suite.report.figures import COLOURS
from suite.tasks.actors.samples import Actors

WIDTH = 480  # pixels of a frame on a page, at most
QUALITY = 75  # of JPEG
OURS, TRUTH = COLOURS[5], COLOURS[1]


def on_frames(
    samples: Actors, classes: Sequence[str], labels: np.ndarray, scores: np.ndarray, count: int
) -> dict[str, str]:
    """Heading to HTML for ``count`` clips, spread over the split: the key frame with its people, what they do and what
    scores (N, C) say of it; ``labels`` (N, C) bool. Clips that cannot be decoded are left out.
    """
    shown = {}
    for clip in spread(np.unique(samples.clip), count):
        with suppress(DataError):  # of one clip: the others have pictures still
            frames = samples.frames.clip(clip)
            people = np.flatnonzero(samples.clip == clip)
            names = [str(number + 1) for number in range(len(people))]
            said = label_sets(names, classes, labels[people], scores[people], len(people), "Person")
            name = f"{samples.clip_ids[clip]}: boxes scored, and dashed the annotated ones where they are others"
            shown[name] = _picture(frames[len(frames) // 2], samples, clip, people) + said
    return shown


def _picture(frame: np.ndarray, samples: Actors, clip: int, people: np.ndarray) -> str:
    """The frame (H, W, 3) with numbered boxes; annotated boxes that are none of these dashed."""
    from markupsafe import Markup

    height, width = frame.shape[:2]
    truth = samples.truth_box[samples.truth_clip == clip]
    other = [box for box in truth if not any(np.array_equal(box, samples.box[person]) for person in people)]
    drawn = [_box(box, frame, TRUTH, dashed=True) for box in other]
    drawn += [_box(samples.box[person], frame, OURS, str(place + 1)) for place, person in enumerate(people)]
    return str(
        Markup(
            '<svg viewBox="0 0 {w} {h}" style="width: 100%; max-width: {most}px; display: block" role="img" '
            'aria-label="{said}"><image width="{w}" height="{h}" href="data:image/jpeg;base64,{data}"/>{boxes}</svg>'
        ).format(
            w=width,
            h=height,
            most=WIDTH,
            said=f"The key frame with {len(people)} boxes",
            data=_jpeg(frame),
            boxes=Markup("").join(drawn),
        )
    )


def _box(box: np.ndarray, frame: np.ndarray, colour: str, number: str = "", dashed: bool = False) -> str:
    """A box, x1 y1 x2 y2 in [0, 1], on the frame."""
    from markupsafe import Markup

    height, width = frame.shape[:2]
    x1, y1, x2, y2 = (float(part) for part in np.asarray(box) * (width, height, width, height))
    size = round(height / 14)
    shape = Markup(
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="none" stroke="{}" stroke-width="{:.1f}"{}/>'
    ).format(x1, y1, x2 - x1, y2 - y1, colour, height / 150, Markup(' stroke-dasharray="6 4"') if dashed else "")
    word = Markup(
        '<text x="{:.1f}" y="{:.1f}" font-size="{}" fill="#ffffff" stroke="#000000" stroke-width="{:.1f}" '
        'paint-order="stroke">{}</text>'
    ).format(x1 + height / 100, y1 + size, size, height / 80, number)  # readable on light and dark
    return shape + (word if number else "")


def _jpeg(frame: np.ndarray) -> str:
    """The frame as base64, no wider than it is shown."""
    from PIL import Image

    image, file = Image.fromarray(frame), BytesIO()
    image.thumbnail((WIDTH, image.height))
    image.save(file, "JPEG", quality=QUALITY)
    return base64.b64encode(file.getvalue()).decode("ascii")
