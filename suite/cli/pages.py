"""Pages that commands leave behind: of a run, of methods, and the index over all pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.cli.console import complain
from suite.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from suite.places import Places
    from suite.results.ledger import Ledger


def refresh_index(places: Places) -> Path:
    """Bring the index of pages up to date; returns it."""
    from suite.report.index import refresh
    from suite.results.ledger import Ledger

    return refresh(places.local / "reports", Ledger(places.ledger))


def run_page(ledger: Ledger, places: Places, run: str, *, single: bool = False, drawn: bool = True) -> Path:
    """Write the page of a run that the ledger holds, with examples of its predictions if ``drawn``.

    Data that cannot be read is said, and leaves the page without examples.
    """
    from suite.analyse.examples import examples, row_of
    from suite.registry import methods
    from suite.report.run_page import write_run

    row = row_of(ledger, run)
    shown: dict[str, str] = {}
    if drawn and row["status"] == "finished":
        try:
            shown = examples(row, ledger, places)
        except SuiteError as error:
            complain(f"no examples on the page: {error}")
    page = write_run(row, ledger.metrics([run]), ledger.curves([run]), places.local / "reports", shown, single)
    if row["method"] in methods():  # the page leads there
        method_pages(ledger, places, [row["method"]])
    refresh_index(places)
    return page


def method_pages(ledger: Ledger, places: Places, names: Collection[str], *, single: bool = False) -> list[Path]:
    """Write the pages of methods from what the ledger holds of them."""
    from suite.analyse.method_page import write_methods

    return write_methods(names, ledger, places.local / "reports", single)
