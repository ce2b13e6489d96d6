"""From the ledger to what a page says of each claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from suite.claims.plan import CONTROL, METHOD, REFERENCE, Place, arms_of, row_of
from suite.claims.verdict import Judged, Verdict, verdict
from suite.registry import method
from suite.report import aggregate
from suite.report.numbers import pick
from suite.report.trials import chosen_only, trials
from suite.results.ledger import Ledger
from suite.spec.board import BoardRun, MetricKey
from suite.spec.claim import Arm, Claim


@dataclass(frozen=True)
class PointFacts:
    """One position of the dial: what was judged, which trial each arm chose, and marks of the chosen runs.

    ``reference``: values by seed of the arm that is shown and not judged; ``measures``: further measures of the method
    by seed.
    """

    judged: Judged
    dataset: str
    chosen: dict[str, int]
    marks: dict[str, str]
    blocked: str = ""
    reference: tuple[float, ...] = ()
    measures: dict[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ClaimFacts:
    """Everything the page says of one claim."""

    claim: Claim
    names: dict[str, str]
    points: tuple[PointFacts, ...]
    verdict: Verdict


def gather(
    claims: Sequence[Claim], places: Sequence[Place], asked: Sequence[BoardRun], ledger: Ledger
) -> list[ClaimFacts]:
    """What the ledger says of ``claims``; ``asked`` are the runs of the board whose tables are ``places``."""
    wanted = {one.run for one in asked if one.run}
    curves, metrics = ledger.curves(wanted), ledger.metrics(wanted)
    runs = ledger.runs().filter(pl.col("run").is_in(sorted(wanted)))
    tried = aggregate.asked_frame(asked, runs, curves)
    frame = chosen_only(tried, trials(tried, aggregate.values(tried, metrics, "validation")))
    found = aggregate.values(frame, metrics)
    return [_facts(claim, places, frame, found, curves) for claim in claims]


def _facts(
    claim: Claim, places: Sequence[Place], frame: pl.DataFrame, found: pl.DataFrame, curves: pl.DataFrame
) -> ClaimFacts:
    points = []
    for point in claim.points:
        table = next(i for i, place in enumerate(places) if place.claim is claim and place.point is point)
        own = {arm: _of(frame, table, arm, claim) for arm in arms_of(claim)}
        values = {arm: _values(found, table, arm, claim) for arm in own}
        chosen = {arm: int(rows["trial"][0]) for arm, rows in own.items()}
        premise = _measured(claim.premise.measure, own[METHOD], curves) if claim.premise else ()
        judged = Judged(point.at, point.expect, values[METHOD], values[CONTROL], premise)
        noted = {arm: _marked(rows) for arm, rows in own.items()}
        blocked = next((why for rows in own.values() for why in rows["blocked"] if why), "")
        measures = {name: _measured(name, own[METHOD], curves) for name in claim.measures}
        points.append(PointFacts(judged, point.dataset, chosen, noted, blocked, values.get(REFERENCE, ()), measures))
    least = claim.premise.least if claim.premise else None
    names = {side: _name(arm) for side, arm in arms_of(claim).items()}
    return ClaimFacts(claim, names, tuple(points), verdict([one.judged for one in points], least))


def _name(arm: Arm) -> str:
    return arm.label or method(arm.method).title


def _of(frame: pl.DataFrame, table: int, arm: str, claim: Claim) -> pl.DataFrame:
    return frame.filter((pl.col("table") == table) & (pl.col("row") == row_of(claim, arm))).sort("seed")


def _values(found: pl.DataFrame, table: int, arm: str, claim: Claim) -> tuple[float, ...]:
    """The metric by seed, at the epoch that validation chose; only whole sets of seeds count."""
    values = pick(_of(found, table, arm, claim).filter(pl.col("label") == ""), MetricKey.parse(claim.metric))
    return values if len(values) == claim.seeds else ()


def _measured(measure: str, runs: pl.DataFrame, curves: pl.DataFrame) -> tuple[float, ...]:
    """The last value of an analysis curve in every one of ``runs`` that logged it."""
    own = curves.filter((pl.col("split") == "analysis") & (pl.col("metric") == measure))
    last = own.group_by("run", maintain_order=True).agg(pl.col("value").last())
    return tuple(runs.select("run", "seed").join(last, on="run", maintain_order="left")["value"])


def _marked(runs: pl.DataFrame) -> str:
    counts = runs["marks"].explode().drop_nulls().value_counts(sort=True)
    return ", ".join(f"{count} {mark}" for mark, count in counts.iter_rows())
