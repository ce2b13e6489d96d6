"""Papers and code of methods: every address is one, every name a method, and pages lead there."""

from __future__ import annotations

import re

import pytest

from suite.declarations import shipped
from suite.method import Method
from suite.registry import methods
from suite.report.links import Links, known, links

DECLARED = known(shipped("reports") / "papers.toml")
UNPUBLISHED = ("generator's own", "Pseudo-Label, ICML Workshop 2013")  # no stable address
PLACES = re.compile(
    r"https://(arxiv\.org/abs/\d{4}\.\d{5}|doi\.org/10\.\d{4}/\S+|openaccess\.thecvf\.com/\S+\.html"
    r"|github\.com/[\w.-]+/[\w.-]+)"
)


def test_every_method_of_a_paper_has_its_link():
    shipped_methods = {name: one for name, one in methods().items() if one.__module__.startswith("methods.")}
    assert set(DECLARED) <= set(shipped_methods)
    without = {name for name in shipped_methods if name not in DECLARED}
    assert all(any(text in shipped_methods[name].paper for text in UNPUBLISHED) for name in without), without


def test_addresses_are_of_places_that_last():
    for one in DECLARED.values():
        assert PLACES.fullmatch(one.paper), one.paper
        assert not one.code or (PLACES.fullmatch(one.code) and "github.com" in one.code)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Somebody, 2024, https://arxiv.org/abs/2401.00001.", "https://arxiv.org/abs/2401.00001"),
        ("Somebody (https://example.org/p), 2024", "https://example.org/p"),
        ("Somebody, 2024", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_an_address_in_the_text_of_a_method_from_outside_is_its_link(text, found):
    outside = type("Outside", (Method,), {"name": "mask-bce", "paper": text, "__module__": "somewhere"})
    assert links(outside) == Links(found)
