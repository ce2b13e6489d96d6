"""Plain text read all at once says what line by line says; JSON read fast says what JSON read with care says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from suite.errors import DataError
from suite.tasks.scoring import text as reading
from suite.tasks.scoring.lines import Lines
from suite.tasks.scoring.text import read_json

FIELD = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.sampled_from(["1", "-0", "+1", "1_0", ".5", "1.", "1e400", "nan", "inf", "-Infinity", "0x1", "1e", "", "a"]),
)
ROW = st.tuples(st.sampled_from(["v1", "v_2", "é", '"q"', " x"]), FIELD, FIELD)
GAP = st.sampled_from([",", " ", ", ", "  ", "\t"])
END = st.sampled_from(["\n", "\n\n", "\r", "\u2028"])


def said(lines: Lines) -> Any:
    """Names and numbers, or the sentence about what is wrong."""
    try:
        numbers = lines.numbers()
        return lines.column(0), np.asarray(numbers).tobytes()
    except DataError as error:
        return str(error)


@given(st.lists(ROW, min_size=1, max_size=4), GAP, END)
@settings(max_examples=150, deadline=None)
def test_all_at_once_is_line_by_line(rows: list[tuple[str, ...]], gap: str, end: str) -> None:
    text = end.join(gap.join(row) for row in rows)
    quick, careful = Lines(Path("f"), text), Lines(Path("f"), text)
    careful.__dict__["_plain"] = None
    if careful.first:
        assert said(quick) == said(careful)


@pytest.mark.parametrize("text", ["v 1 2\nw 3 4.5\n", "\n\n v,1,2\nw, 3,4.5\n"])
def test_plain_rows_are_read_at_once_and_rows_of_another_length_are_named(text: str) -> None:
    lines = Lines(Path("f"), text)
    assert lines.numbers().tolist() == [[1, 2], [3, 4.5]] and lines.column(0, skip=1) == ("w",)
    for more in ("x 1", "x,1,2,3"):
        with pytest.raises(DataError, match=r"line [34]: not the 3 fields"):
            Lines(Path("f"), f"v 1 2\nw 3 4\n{more}\n").numbers()


JSONS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(JSONS)
@example({"a:b": [{"c": ":"}]})
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_read_fast_is_json_read_with_care(tmp_path: Path, content: Any) -> None:
    file = tmp_path / "f.json"
    for ascii_only in (True, False):
        try:
            file.write_text(json.dumps(content, ensure_ascii=ascii_only), encoding="utf-8")
        except UnicodeEncodeError:
            continue
        with pytest.MonkeyPatch.context() as patch:
            fast = outcome(file)
            patch.setattr(reading, "_plain_json", lambda path: None)
            assert fast == outcome(file)


def outcome(file: Path) -> str:
    try:
        return repr(read_json(file))
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"b": {"a": {}, "a": {}}, "c": "x:y"}]', '{"a":{"b":1},"a":2}'])
def test_a_repeated_key_is_found_wherever_it_stands(tmp_path: Path, text: str) -> None:
    file = tmp_path / "f.json"
    file.write_text(text)
    content, oddities = read_json(file)
    assert content == json.loads(text) and [one.example for one in oddities] == ["a"]
