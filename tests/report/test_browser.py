"""Pages in a real browser: they sort, filter, keep their state, fit a phone, print, and ask nobody for anything."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from suite.analyse.compare_page import write_comparison
from suite.analyse.method_page import write_methods
from suite.api.comparing import compared
from suite.places import Places
from suite.report.build import build
from suite.report.index import refresh
from suite.results.ledger import Ledger
from tests.analyse.test_method_page import versions
from tests.report import browser, synthetic
from tests.test_outside import foreign

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.chromium() is None, reason="no Chromium on this machine"),
]

NAMES = ["board", "index", "run", "method", "compared runs", "compared ledgers"]
LABELS = """
  var rows = document.querySelectorAll("#table-1-planted-verbs tbody tr:not([hidden]) button.open");
  return Array.from(rows).map(function (button) { return button.textContent; });
"""
HEAD = 'function head(name) { return Array.from(document.querySelectorAll("#table-1-planted-verbs button.sort"))'
HEAD += ".find(function (one) { return one.textContent === name; }); }\n"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    asked, ledger = synthetic.fill(folder / "ledger")
    ledger.record(foreign(0.7, dataset="planted-verbs[snr=3]"))
    names = ["mask-bce", "ce", "focal", "label-smoothing", "full-label"]
    write_methods(names, versions(folder), folder / "reports")
    file = build(synthetic.BOARD, asked, ledger, folder / "reports" / "synthetic")
    refresh(folder / "reports", ledger)
    return file


@pytest.fixture(scope="module")
def pages(page):
    reports = page.parent.parent
    runs = sorted((reports / "runs").glob("*.html"))
    method = reports / "methods" / "mask-bce.html"
    found = {"board": page, "index": reports / "index.html", "run": runs[0], "method": method}
    return {**found, "compared runs": compare(reports, "mask-bce", "ce"), "compared ledgers": compare(reports)}


def compare(reports, *names):
    """The page of two methods, or of the ledger and one in which a run has other numbers."""
    places, file = Places(str(reports.parent)), reports / "compare" / f"{len(names)}.html"
    other = reports.parent / "other"
    if not names:
        _, outcomes = synthetic.asked_and_outcomes()
        rows = [{**row, "value": row["value"] / 2} for row in outcomes[0].metrics]
        Ledger.of(other).record(replace(outcomes[0], metrics=rows))
    return write_comparison(compared(names or [str(reports.parent), str(other)], places, "planted-verbs", 0), file)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [390, 1280])
def test_no_error_no_request_no_sideways_scroll(pages, name, width):
    script = """
      var all = performance.getEntriesByType("resource").map(function (entry) { return entry.name; });
      var root = document.documentElement;
      return { asked: all, page: [root.scrollWidth, root.clientWidth], title: document.title };
    """
    seen = browser.visit(pages[name], script, width=width)
    assert not seen.console
    assert seen.found["title"]
    assert all(address.startswith("file:") for address in seen.found["asked"]), seen.found["asked"]
    inner, outer = seen.found["page"]
    assert inner <= outer


def test_a_heading_sorts_within_groups(page):
    ranked = browser.visit(page, LABELS).found
    assert ranked == ["Mask BCE", "Focal", "LS", "CE", "Full-label BCE"]
    twice = browser.visit(page, HEAD + 'head("top-set").click(); head("top-set").click();' + LABELS).found
    assert twice == ["CE", "LS", "Focal", "Mask BCE", "Full-label BCE"]
    said = 'head("top-set").click(); return head("top-set").parentNode.getAttribute("aria-sort");'
    assert browser.visit(page, HEAD + said).found == "descending"


def test_rows_are_found_by_method_paper_and_year(page):
    typed = """
      var box = document.querySelector(".tools input[type=search]"); box.value = "%s";
      box.dispatchEvent(new Event("input"));
    """
    assert browser.visit(page, typed % "focal 2017" + LABELS).found == ["Focal"]
    nothing = browser.visit(page, typed % "nobody wrote this" + LABELS).found
    assert nothing == []


def test_rows_of_one_paper_year_or_kind_and_tables_of_one_dataset(page):
    chosen = """
      function choose(name, value) { var box = document.querySelector("select[aria-label='" + name + "']");
        box.value = value; box.dispatchEvent(new Event("input")); }
      choose("%s", "%s");
    """
    assert browser.visit(page, chosen % ("Rows of one year", "2017") + LABELS).found == ["Focal"]
    kinds = browser.visit(page, chosen % ("Rows of one kind", "Methods") + LABELS).found
    assert kinds == ["Mask BCE", "Focal", "LS", "CE"]
    script = 'return { query: location.search, seen: Array.from(document.querySelectorAll("section[data-dataset]"))'
    script += ".filter(function (one) { return !one.hidden; }).map(function (one) { return one.dataset.dataset; }) };"
    seen = browser.visit(page, chosen % ("Tables of one dataset", "planted-verbs[snr=3]") + script).found
    assert seen["seen"] == ["planted-verbs[snr=3]"] and "dataset=planted-verbs" in seen["query"]
    again = browser.visit(page, LABELS, query="?1-planted-verbs.year=2017").found
    assert again == ["Focal"]


def test_the_address_keeps_what_was_chosen(page):
    query = "?1-planted-verbs.filter=bce&1-planted-verbs.ceilings=no&1-planted-verbs.epoch=oracle"
    script = """
      var shown = document.querySelector("#table-1-planted-verbs tbody tr:not([hidden]) button.open");
      return { text: shown.closest("tr").cells[1].textContent, notice: document.querySelector(".notice").textContent };
    """
    seen = browser.visit(page, script, query=query).found
    assert seen["text"].startswith("84.0")  # 82.0 under validation, and 2 points more under oracle
    assert "upper bound" in seen["notice"] and "1 of 5 rows" in seen["notice"]
    changed = HEAD + 'head("recall").click(); return location.search;'
    assert "sort=recall%7Edown" in browser.visit(page, changed).found


def test_a_row_opens_to_its_seeds_settings_and_runs(page):
    script = """
      var button = document.querySelector("#table-1-planted-verbs button.open");
      button.focus(); button.click();
      var detail = document.querySelector("tr.detail");
      return { open: button.getAttribute("aria-expanded"), text: detail.textContent,
               links: Array.from(detail.querySelectorAll("a")).map(function (a) { return a.getAttribute("href"); }) };
    """
    seen = browser.visit(page, script).found
    assert seen["open"] == "true"
    assert "80.0  82.0  84.0" in seen["text"] and "lr=0.01" in seen["text"] and "BMVC 2022" in seen["text"]
    outside = [link for link in seen["links"] if link.startswith("https://")]
    assert outside == ["https://arxiv.org/abs/2210.04933", "https://github.com/kiyoon/verb_ambiguity"]
    inside = [link for link in seen["links"] if link not in outside]
    assert len(inside) == 4  # three runs and the method's page
    assert all((page.parent / link).is_file() for link in inside)


def test_columns_can_be_hidden(page):
    script = """
      var box = document.querySelector(".columns input"); box.click();
      var cells = document.querySelectorAll("#table-1-planted-verbs tbody tr td");
      return { hidden: getComputedStyle(cells[0].closest("tr").cells[1]).display, query: location.search };
    """
    seen = browser.visit(page, script).found
    assert seen["hidden"] == "none" and "hide=top-set" in seen["query"]


def test_every_link_of_a_page_leads_somewhere(pages):
    script = 'return Array.from(document.querySelectorAll("a")).map(function (a) { return a.getAttribute("href"); });'
    for file in pages.values():
        for link in browser.visit(file, script).found:
            if link.startswith("https://"):  # of a paper or its code
                continue
            target, _, anchor = link.partition("#")
            there = (file.parent / target) if target else file
            assert there.is_file(), link
            assert not anchor or f'id="{anchor}"' in there.read_text(encoding="utf-8"), link


UNNAMED = (Path(__file__).parent / "labels.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_headings_figures_and_controls_are_there_for_keyboards_and_screen_readers(pages, name):
    assert browser.visit(pages[name], UNNAMED).found == []


CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_all_text_has_contrast_in_both_themes(pages, name, dark):
    seen = browser.visit(pages[name], CONTRAST, dark=dark).found
    assert seen["low"] == {}
    if name == "board":
        assert {"SPAN.badge planted", "SPAN.badge other", "SPAN.sd", "P.soft"} <= set(seen["seen"])


def test_text_is_readable_in_both_themes(pages):
    script = "var s = getComputedStyle(document.body); return [s.color, s.backgroundColor];"
    for dark in (False, True):
        ink, paper = (_luminance(colour) for colour in browser.visit(pages["board"], script, dark=dark).found)
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) > 7
        assert (paper < ink) == dark


def _luminance(colour: str) -> float:
    """Relative luminance of ``rgb(...)`` (WCAG 2.1)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_page_prints(page, tmp_path):
    assert browser.print_to_pdf(page, tmp_path / "page.pdf").startswith(b"%PDF")
