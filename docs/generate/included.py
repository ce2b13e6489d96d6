"""Text that has its place in files outside of ``docs``: README, CONTRIBUTING, cluster/README, SECURITY, CHANGELOG.

A line ``<!-- include FILE "SECTION" -->`` of a page stands for the section of that file (for all of it, without one);
``<!-- extras -->`` for the extras of pyproject.toml.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from pathlib import Path

from docs.generate.markdown import code, plain, sections, table

ROOT = Path(__file__).parents[2]
MARK = re.compile(r'^<!-- include (\S+)(?: "([^"]+)")? -->$', re.MULTILINE)
EXTRAS = "<!-- extras -->"
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w+) title=([^\s\"]+)$", re.MULTILINE)
# Where files outside of docs are found on the site; of others, a link leaves its words.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "cookbook/index.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changes.md",
    "cluster/README.md": "cookbook/cluster.md",
}


def expanded(text: str, page: str) -> str:
    """``text`` of the page ``page`` (its path below ``docs``) with what it includes, its links leading to pages."""
    own = _relinked(text, f"docs/{page}", page)
    own = own.replace(EXTRAS, extras()) if EXTRAS in own else own
    return MARK.sub(lambda mark: included(mark[1], mark[2] or "", page), own)


def extras() -> str:
    """The optional dependencies with their packages and what the line in pyproject.toml says of them."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    said = dict(re.findall(r"^([\w-]+) = \[.*\] *# (.+)$", text, re.MULTILINE))
    held = tomllib.loads(text)["project"]["optional-dependencies"]
    rows = [(code(name), ", ".join(map(code, packages)), plain(said.get(name, ""))) for name, packages in held.items()]
    return table(("extra", "packages", "what for"), rows)


def included(file: str, section: str, page: str) -> str:
    """A section of ``file`` for ``page``; raises :class:`LookupError` where there is none of this name."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if section:
        found = sections(text)
        if section == "INTRODUCTION":
            section = ""
        if section not in found:
            raise LookupError(f"docs/{page}: {file} has no section '{section}'")
        text = found[section]
    body = re.sub(r"\A# .*\n+", "", text)
    return _relinked(FENCE.sub(r'```\1 title="\2"', body), file, page)


def _relinked(text: str, file: str, page: str) -> str:
    """``text`` of ``file`` with links that lead from ``page`` to where their files are on the site."""

    def moved(link: re.Match[str]) -> str:
        words, target = link[1], link[2]
        if re.match(r"[a-z]+:|#", target):
            return link[0]
        path, hash_, anchor = target.partition("#")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
        on_site = PAGES.get(place, place.removeprefix("docs/") if place.startswith("docs/") else "")
        if not on_site:
            return words
        return f"[{words}]({posixpath.relpath(on_site, posixpath.dirname(page) or '.')}{hash_}{anchor})"

    return LINK.sub(moved, text)
