"""What the two names of a comparison stand for: the runs of a method, one run, the rows of a board, a whole ledger."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from suite.errors import UsageError
from suite.leaderboard.plan import Tuned, board_names, find_board, is_board, make_plan
from suite.places import Places
from suite.registry import canonical_name, methods
from suite.report.history import answered
from suite.report.trials import chosen_runs
from suite.results.ledger import Ledger
from suite.results.location import is_uri

METHOD, RUN, BOARD, LEDGER = "method", "run", "leaderboard", "ledger"
ARTICLES = {METHOD: "a method", RUN: "a run", BOARD: "a leaderboard", LEDGER: "a ledger"}


@dataclass(frozen=True)
class Side:
    """One side of a comparison: its finished ``runs`` (rows of the ledger's table, the oldest first).

    ``name`` is as it was given, ``inner`` without a folder. ``labels``: run to the label of its row in a board.
    """

    name: str
    kind: str
    inner: str
    ledger: Ledger
    places: Places
    runs: pl.DataFrame
    labels: Mapping[str, str] = field(default_factory=dict)

    def metrics(self, runs: Sequence[str]) -> pl.DataFrame:
        """The metric rows of ``runs`` on test data, the epoch chosen on validation data."""
        rows = self.ledger.metrics(set(runs))
        chosen = (pl.col("split") == "test") & (pl.col("selection") == "validation")
        return rows.filter(chosen & pl.col("value").is_finite())


def find_side(name: str, places: Places, dataset: str = "", tuned: Callable[[Places], Tuned] | None = None) -> Side:
    """What ``name`` stands for: a method, a leaderboard, a folder (or URI) of results, or the beginning of a run's id.

    ``NAME@FOLDER`` is looked up in the results of that folder, anything else in those of ``places``. ``dataset``
    leaves its runs alone, with or without dials. ``tuned`` finds what sweeps chose for boards that ask for it.

    Raises:
        UsageError: a name that is none of these, or without a finished run.
    """
    inner, own = name, places
    if _folder(name):
        kind = LEDGER
        own = _results(name, places)
    else:
        front, at, back = name.rpartition("@")
        if at and front and _folder(back):
            inner, own = front, _results(back, places)
        kind = _kind(inner)
    own.require_readable()
    ledger = Ledger(own.ledger)
    runs = ledger.runs().filter(pl.col("status") == "finished")
    side = Side(name, kind, inner, ledger, own, runs)
    if kind == BOARD:
        side = _board(side, inner, tuned)
    elif kind == METHOD:
        side = replace(side, runs=runs.filter(pl.col("method") == canonical_name(inner)))
    elif kind == RUN:
        side = replace(side, runs=_run(runs, inner, ledger))
    return _on(side, dataset)


def same_kind(sides: Sequence[Side]) -> None:
    """Raise :class:`UsageError` where not all can be compared: methods and runs, or leaderboards, or ledgers."""
    first = sides[0]
    for other in sides[1:]:
        if group(first) != group(other):
            raise UsageError(
                f"'{first.name}' is {ARTICLES[first.kind]} and '{other.name}' {ARTICLES[other.kind]}; compare methods "
                "and runs, or leaderboards, or ledgers."
            )


def group(side: Side) -> str:
    """Methods and runs can be compared with each other, boards and ledgers with their like only."""
    return RUN if side.kind == METHOD else side.kind


def row_by_row(first: Side, second: Side) -> bool:
    """Whether both may have many settings, to be matched: boards, ledgers, and one method in two folders."""
    if first.kind != METHOD:
        return group(first) != RUN
    return second.kind == METHOD and canonical_name(first.inner) == canonical_name(second.inner)


def _kind(name: str) -> str:
    if canonical_name(name) in methods():
        return METHOD
    return BOARD if is_board(name) else RUN


def _folder(name: str) -> bool:
    """Whether ``name`` is a folder of results; the name of a method or board is that, whatever lies beside it."""
    known = canonical_name(name) in methods() or is_board(name)
    return is_uri(name) or (not known and Path(name).is_dir())


def _results(folder: str, places: Places) -> Places:
    """The places of a folder of results, or of the ledger in it."""
    folder = re.sub(r"(?<=.)/+$", "", folder)
    inside = not is_uri(folder) and Path(folder).name == "ledger" and not (Path(folder) / "ledger").is_dir()
    found = replace(places, outputs=str(Path(folder).parent) if inside else folder)
    if not is_uri(found.ledger) and not Path(found.ledger).is_dir():
        raise UsageError(f"the folder {folder} holds no ledger; name a folder of results, as --out does.")
    return found


def _run(runs: pl.DataFrame, name: str, ledger: Ledger) -> pl.DataFrame:
    found = runs.filter(pl.col("run").str.starts_with(name))
    if len(found) > 1:
        raise UsageError(f"'{name}' begins {len(found)} finished runs of {ledger.folder}; give more of the id.")
    if found.is_empty():
        near = get_close_matches(name, [*methods(), *board_names(), *runs["run"].to_list()], n=1)
        more = f"did you mean '{near[0]}'?" if near else "see: suite list methods, suite results list."
        raise UsageError(
            f"'{name}' is neither a method nor a finished run of {ledger.folder}, nor a leaderboard or a folder of "
            f"results; {more}"
        )
    return found


def _board(side: Side, name: str, tuned: Callable[[Places], Tuned] | None) -> Side:
    """What the board shows by this ledger: the trials that validation data chose, answered by whatever code."""
    plan = make_plan(find_board(name), side.places, side.ledger, tuned(side.places) if tuned else None)
    shown = chosen_runs(answered(plan.asked, side.ledger.runs()), side.ledger)
    labels = {one.run: one.row for one in reversed(shown)}
    return replace(side, runs=side.runs.filter(pl.col("run").is_in(sorted(labels))), labels=labels)


def _on(side: Side, dataset: str) -> Side:
    """``side`` with its runs on ``dataset`` alone (if one is given)."""
    name = pl.col("dataset")
    runs = side.runs
    if dataset:
        runs = runs.filter((name == dataset) | (name.str.split("[").list.first() == dataset))
    if runs.is_empty():
        place = f" on {dataset}" if dataset else ""
        raise UsageError(f"no run of {side.name} has finished{place}; see: suite results list.")
    return replace(side, runs=runs)
