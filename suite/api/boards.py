"""``suite.leaderboard``: a board as an object that a notebook shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from suite.api.pages import board_page
from suite.api.places import Folder, places_of
from suite.api.planned import planned
from suite.errors import SuiteError
from suite.leaderboard.plan import Plan
from suite.leaderboard.run import Result, Terms, run_plan
from suite.places import Places
from suite.report.build import gather
from suite.report.tables import markdown, to_html
from suite.results.ledger import Ledger
from suite.spec.resources import Resources
from suite.tracking.watching import require
from suite.train.storage.keeping import Keep
from suite.work.kept import ready


@dataclass(frozen=True)
class Board:
    """A leaderboard and what the ledger holds of it. Made by :func:`leaderboard`; ``result`` is what this call ran."""

    plan: Plan
    places: Places
    result: Result | None = None

    @property
    def runs(self) -> pl.DataFrame:
        """The runs that it shows and that the ledger holds."""
        wanted = [one.run for one in self.plan.asked if one.run]
        return Ledger(self.places.ledger).runs().filter(pl.col("run").is_in(wanted))

    def tables(self) -> list[str]:
        """Each table as Markdown."""
        return [markdown(section.view) for section in self._content().sections]

    def page(self) -> Path:
        """Build its page, as ``suite leaderboard`` does; returns the file."""
        return board_page(self.plan, self.places)

    def _content(self) -> Any:
        return gather(self.plan.board, self.plan.asked, Ledger(self.places.ledger))

    def _repr_html_(self) -> str:
        return "".join(
            f"<h3>{s.view.spec.title}: {s.view.dataset}</h3>{to_html(s.view)}" for s in self._content().sections
        )


def leaderboard(
    name: str = "quick",
    *,
    table: str | None = None,
    jobs: int = 1,
    threads: int = 1,
    gpu: float = 0.0,
    workers: int = 0,
    accumulate: int = 1,
    packed: int = 0,
    keep: Keep = "none",
    log: Sequence[str] = (),
    run: bool = True,
    out: Folder = None,
    data: Folder = None,
    methods: Iterable[str | Path] = (),
) -> Board:
    """The leaderboard ``name`` (or that of a TOML file), after what the ledger lacks of it was run, as
    ``suite leaderboard`` does; with ``run=False`` as it stands.

    ``jobs`` runs at once (1: in this process; 0: as many as fit). Failed runs are rows with their errors.

    Raises:
        UsageError: there is no such board, or what it asks for does not go together.
        SuiteError: nothing can be recorded, or it was interrupted.
    """
    trackers, places = require(log), places_of(out, data, methods)
    plan = planned(name, places, ready(places) if run else Ledger(places.ledger), table)
    if not run:
        return Board(plan, places)
    resources = Resources(cpu=threads, gpu=gpu, workers=workers, accumulate=accumulate)
    result = run_plan(plan, places, Terms(jobs, resources, packed=packed, keep=keep, log=trackers))
    if result.interrupted:
        raise SuiteError(f"{len(result.ended)} runs ended, {len(result.left)} are left; the same call goes on.")
    return Board(plan, places, result)
