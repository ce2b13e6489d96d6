"""People on the frames they were seen in: boxes where they are, labels and scores of each."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from suite.analyse.frames import on_frames
from suite.errors import DataError

CLASSES = ["walk", "<sit>"]


class Source:
    """Clips of three frames, the middle one red; the second clip cannot be decoded."""

    def clip(self, index):
        if index == 1:
            raise DataError("the file ends early")
        frames = np.zeros((3, 60, 90, 3), dtype=np.uint8)
        frames[1, ..., 0] = 255
        return frames


@pytest.fixture
def samples():
    boxes = np.array([[0.1, 0.2, 0.5, 0.8], [0.6, 0.1, 0.9, 0.9], [0.0, 0.0, 1.0, 1.0]])
    return SimpleNamespace(
        clip=np.array([0, 0, 1]),
        clip_ids=np.array(["v&1,902", "v2,903"]),
        box=boxes,
        truth_clip=np.array([0, 0, 1]),
        truth_box=np.array([boxes[0], [0.55, 0.1, 0.9, 0.9], boxes[2]]),
        frames=Source(),
    )


def test_boxes_stand_on_the_key_frame(samples):
    labels = np.array([[True, False], [False, True], [True, True]])
    scores = np.array([[0.9, 0.2], [0.8, 0.1], [0.5, 0.5]])
    ((name, drawn),) = on_frames(samples, CLASSES, labels, scores, 4).items()  # the other clip has no picture
    assert name.startswith("v&1,902")
    svg = ElementTree.fromstring(re.search(r"<svg.*?</svg>", drawn, re.DOTALL)[0])
    dashed, first, second = svg.findall("rect")
    assert [float(first.get(side)) for side in ("x", "y", "width", "height")] == pytest.approx([9, 12, 36, 36])
    assert float(second.get("x")) == pytest.approx(54) and second.get("stroke-dasharray") is None
    assert float(dashed.get("x")) == pytest.approx(49.5) and dashed.get("stroke-dasharray")
    assert [text.text for text in svg.findall("text")] == ["1", "2"]
    data = svg.find("image").get("href").removeprefix("data:image/jpeg;base64,")
    red, green, _ = Image.open(BytesIO(base64.b64decode(data))).getpixel((20, 20))
    assert red > 240 and green < 20
    assert "<b>walk</b>, &lt;sit&gt;" in drawn and "walk, <b>&lt;sit&gt;</b>" in drawn and "Person" in drawn
