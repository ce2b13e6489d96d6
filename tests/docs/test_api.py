"""The pages of what can be imported: every public name, with what it takes and what it is."""

from __future__ import annotations

import inspect
import re

import pytest

import suite
import suite.evaluate
from docs.generate import api
from docs.generate.markdown import sections

PAGES = api.pages()


def test_no_public_name_is_missing():
    found = {name.split(" {")[0] for name in sections(PAGES["index"]) if name}
    assert found == {f"suite.{name}" for name in suite.__all__ if name != "__version__"}
    assert {name.split(" {")[0] for name in sections(PAGES["evaluate"]) if name} == set(suite.evaluate.__all__)


@pytest.mark.parametrize("page", PAGES)
def test_every_name_says_what_it_is_and_every_link_leads_there(page: str):
    anchors = re.findall(r"\{ #([\w-]+) \}", PAGES[page])
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGES[page])) == set(anchors)
    for name, body in sections(PAGES[page]).items():
        words = re.sub(r"```.*?```", "", body, flags=re.S)
        assert words.strip() or " = " in body, name  # of a constant the value


def test_functions_and_methods_show_all_that_they_take():
    held = sections(PAGES["index"])
    for name in ("train", "sweep", "leaderboard", "load", "results", "evaluate"):
        body = next(text for title, text in held.items() if title.startswith(f"suite.{name} "))
        assert all(re.search(rf"\b{one}\b", body) for one in inspect.signature(getattr(suite, name)).parameters)
    model = next(text for title, text in held.items() if title.startswith("suite.Model "))
    assert re.findall(r"^### (.+)$", model, re.M) == ["Model.predict", "Model.predict_clips", "Model.predict_dataset"]
    assert "fps: float = 0.0" in model and "`classes`" in model


def test_a_docstring_becomes_markdown():
    text = "What ``x`` is, see :class:`suite.Model`.\n\nRaises:\n    UsageError: it is not <there>.\n\n>>> 1 + 1\n2"
    head, kind, errors, code = api.prose(text).split("\n\n")
    assert (head, kind) == ("What `x` is, see `suite.Model`.", "Raises:")
    assert errors == "- `UsageError`: it is not &lt;there&gt;." and code == "```pycon\n>>> 1 + 1\n2\n```"
