"""A leaderboard resolved against the ledger, for the command line and for the library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from suite.leaderboard.plan import Plan, Tuned, find_board, make_plan
from suite.leaderboard.printed import only
from suite.leaderboard.shortened import shortened
from suite.method import Value
from suite.places import Places
from suite.spec.board import Shortened

if TYPE_CHECKING:
    from suite.results.ledger import Ledger


def planned(
    name: str, places: Places, ledger: Ledger | None, table: str | None = None, short: Shortened | None = None
) -> Plan:
    """What the leaderboard ``name`` (or its ``table`` alone) asks for, and what of it the ledger holds.

    Without a ``ledger``, that of ``places`` is read in brief. ``short`` asks for a rehearsal of the board. Raises
    :class:`UsageError` for a board or table that is not there.
    """
    whole = find_board(name)
    board = only(whole, table) if table else whole
    return make_plan(shortened(board, short, whole) if short else board, places, ledger, tuned(places))


def tuned(places: Places) -> Tuned:
    """How a board's ``tuned:NAME`` finds the best parameters of the sweep NAME."""

    def look_up(sweep: str, method: str, dataset: str) -> Mapping[str, Value]:
        from suite.sweep.tuned import tuned as best  # sweeps bring Optuna, and few boards name one

        return best(sweep, method, dataset, places)

    return look_up
