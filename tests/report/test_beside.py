"""Names of dots: all that have room stand on one side, none covers another or leaves the figure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.report.beside import _boxes, sides


def test_a_name_goes_where_there_is_room() -> None:
    assert sides([(100, 100)], ["ASL"], 400, 200) == ["right"]
    assert sides([(395, 100)], ["ASL"], 400, 200) == ["left"]
    assert sides([(30, 100)], ["a long name of a method"], 100, 200) == [""]
    assert sides([(100, 100), (110, 100)], ["one", "two"], 400, 200) == ["left", "right"]
    assert sides([], [], 400, 200) == []


@given(st.integers(0, 1000), st.integers(1, 30))
def test_names_keep_apart(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    dots = [(float(x), float(y)) for x, y in generator.uniform((0, 0), (1000, 300), (count, 2))]
    names = ["x" * int(length) for length in generator.integers(3, 30, count)]
    boxes = [
        _boxes(*dot, name)[side]
        for dot, name, side in zip(dots, names, sides(dots, names, 1000, 300), strict=True)
        if side
    ]
    for place, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0 and top >= 0 and right <= 1000 and bottom <= 300
        for other in boxes[:place]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_more_names_than_dots_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        sides([(1.0, 1.0)], ["a", "b"], 10, 10)
