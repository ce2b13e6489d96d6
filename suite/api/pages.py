"""Pages that a call leaves behind: of a board, of methods, and the index over all pages."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from suite.analyse.method_page import write_methods
from suite.leaderboard.plan import Plan
from suite.places import Places
from suite.report.build import build
from suite.report.index import refresh
from suite.report.run_page import write_runs
from suite.results.ledger import Ledger


def refresh_index(places: Places) -> Path:
    """Bring the index of pages up to date; returns it."""
    return refresh(places.local / "reports", Ledger(places.ledger))


def method_pages(ledger: Ledger, places: Places, names: Collection[str], *, single: bool = False) -> list[Path]:
    """Write the pages of methods from what the ledger holds of them."""
    return write_methods(names, ledger, places.local / "reports", single)


def board_page(plan: Plan, places: Places, *, single: bool = False) -> Path:
    """Build the page of ``plan`` from what the ledger holds now, and the pages that it leads to; returns its path."""
    ledger, folder = Ledger(places.ledger), places.local / "reports" / plan.board.name
    write_runs(ledger, [one.run for one in plan.asked if one.run], folder.parent)
    method_pages(ledger, places, {one.spec.method for one in plan.asked})
    page = build(plan.board, plan.asked, ledger, folder, single)
    refresh_index(places)
    return page
