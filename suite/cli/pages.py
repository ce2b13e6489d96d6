"""The page of a run that a command leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.cli.console import complain
from suite.errors import SuiteError

if TYPE_CHECKING:
    from pathlib import Path

    from suite.places import Places
    from suite.results.ledger import Ledger


def run_page(ledger: Ledger, places: Places, run: str, *, single: bool = False, drawn: bool = True) -> Path:
    """Write the page of a run that the ledger holds, with examples of its predictions if ``drawn``.

    Data that cannot be read is said, and leaves the page without examples.
    """
    from suite.analyse.examples import examples, row_of
    from suite.api.pages import method_pages, refresh_index
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
