"""Where a method's paper and its authors' code are: declared in ``reports/papers.toml``, not in what names runs."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from suite.declarations import shipped
from suite.method import Method

ADDRESS = re.compile(r"https?://[^\s<>()\"']+[^\s<>()\"'.,;:]")


@dataclass(frozen=True)
class Links:
    """Addresses of a method's ``paper`` and ``code``; empty where none is known."""

    paper: str = ""
    code: str = ""


UNKNOWN = Links()


def links(method: type[Method]) -> Links:
    """What is declared of ``method``; of one that is not, an address in its text ``paper``, if there is any."""
    declared = known(shipped("reports") / "papers.toml")
    if method.name in declared and method.__module__.startswith("methods."):
        return declared[method.name]
    found = ADDRESS.search(method.paper)
    return Links(paper=found.group()) if found else Links()


@cache
def known(file: Path) -> dict[str, Links]:
    """Method to its links, as ``file`` declares them."""
    with file.open("rb") as text:
        papers = tomllib.load(text)["papers"]
    return {name: Links(one.get("paper", ""), one.get("code", "")) for one in papers for name in one["methods"]}
