"""The site: built strictly, all that it needs is in its folder, and its equations are drawn."""

from __future__ import annotations

import html
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from docs.generate.formulas import drawn, mathml
from tests.report import browser

ROOT = Path(__file__).parents[2]
needs_mkdocs = pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None,
    reason="mkdocs is not installed: pip install '.[docs]', as make docs does",
)
needs_latex = pytest.mark.skipif(
    importlib.util.find_spec("latex2mathml") is None, reason="latex2mathml is not installed, as make docs does"
)
# What a browser fetches by itself: scripts, styles, pictures, frames; links that people click are another matter.
FETCHED = re.compile(r'<(?:script|img|iframe|source|video)\b[^>]*\bsrc="?([^"\s>]+)|<link\b[^>]*\bhref="?([^"\s>]+)')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as ``make docs`` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    quiet = {
        **os.environ,
        "NO_MKDOCS_2_WARNING": "1",
        "PYTHONPATH": str(ROOT),
        "SUITE_DATASETS": "",
        "SUITE_METHODS": "",
    }
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@needs_latex
def test_equations_become_mathml():
    page = r'<p>A <span class="arithmatex">\(a_t &lt; \frac{1}{2}\)</span> B</p>'
    found = drawn(page)
    assert "<math" in found and "<mfrac>" in found and "arithmatex" not in found
    assert 'display="block"' in drawn(r'<div class="arithmatex">\[ x^2 \]</div>')
    with pytest.raises(ValueError, match="has a command that is not known"):
        mathml(r"x + \nonsense")
    with pytest.raises(ValueError, match="cannot be drawn"):
        mathml(r"\frac{1}{")


@needs_mkdocs
@pytest.mark.slow
def test_the_site_asks_for_nothing_outside_of_its_folder(site: Path):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 100
    missing = []
    for path in pages:
        for address in {first or second for first, second in FETCHED.findall(path.read_text(encoding="utf-8"))}:
            target = path.parent / unquote(html.unescape(address).split("#")[0].split("?")[0])
            if ":" in address or address.startswith("//") or (path.name != "404.html" and not target.exists()):
                missing.append((path.name, address))
    assert not missing
    styles = [
        path for path in site.rglob("*.css") if re.search(r"url\(['\"]?(https?:)?//|@import", path.read_text("utf-8"))
    ]
    assert not styles


@needs_mkdocs
@pytest.mark.slow
def test_every_equation_is_drawn_and_no_mark_is_left(site: Path):
    texts = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert sum(text.count("<math") for text in texts.values()) > 500
    assert not [path.name for path, text in texts.items() if "arithmatex" in text or "<!-- include" in text]
    methods = [text for path, text in texts.items() if path.parent.name == "methods" and path.name != "index.html"]
    assert len(methods) == 49 and all("<math" in text for text in methods)


@needs_mkdocs
@pytest.mark.slow
@pytest.mark.skipif(browser.chromium() is None, reason="no Chromium on this machine")
def test_search_works_from_files(site: Path):
    """The worker that searches runs, and finds the page of a method."""
    script = """
      var meta = [].slice.call(document.querySelectorAll(".md-search-result__item a"));
      return { links: meta.map(function (a) { return a.getAttribute("href"); }) };
    """
    found = browser.visit(site / "index.html", script, query="?q=pseudo-label")
    assert any("methods/" in link or "tasks/" in link for link in found.found["links"]), found.console
    assert not [line for line in found.console if "http" in line and "ERR_" in line]
