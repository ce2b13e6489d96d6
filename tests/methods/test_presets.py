"""Every method of a paper names its settings: what we would run, and what its authors did."""

from __future__ import annotations

import re

import pytest

from suite import tasks as known
from suite.method import Method
from suite.registry import method, methods, published_only

CONVENTIONS = ("recommended", "published")


def is_of_a_paper(candidate: type[Method]) -> bool:
    """Whether a method is one that a paper proposes: a citation has a year; upper bounds are no proposals."""
    return bool(re.search(r"\b(19|20)\d\d\b", candidate.paper)) and not candidate.oracle


def without_presets(task: str) -> list[str]:
    """The methods of a task that lack a conventional preset, or whose default is another."""
    cited = [found for found in methods().values() if found.task == task and is_of_a_paper(found)]
    assert cited
    return [m.name for m in cited if m.default_preset() != "recommended" or not set(CONVENTIONS) <= set(m.presets)]


@pytest.mark.parametrize("task", known.tasks())
def test_methods_of_papers_are_recommended_and_published(task: str):
    assert without_presets(task) == []


@pytest.mark.parametrize("name", sorted(methods()))
def test_every_preset_can_be_run(name: str):
    chosen = method(name)
    for preset in chosen.presets:
        assert chosen(preset=preset).params["preset"] == preset


def test_what_is_known_by_printed_numbers_only_is_no_method():
    assert not set(published_only()) & set(methods())
