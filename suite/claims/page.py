"""The page of claims: for each a curve over its dial with every seed, the gain, the premise's measure, the verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from suite.claims.gather import ClaimFacts, PointFacts
from suite.claims.plan import CONTROL, METHOD, REFERENCE
from suite.errors import SuiteError
from suite.report.figures import COLOURS, blank, fragment
from suite.report.index import About, leave
from suite.report.page import render, write_page
from suite.sealing import checked, with_check
from suite.writing import write_whole

if TYPE_CHECKING:
    from markupsafe import Markup
    from plotly.graph_objects import Figure

VERDICTS = "verdicts.json"  # beside the page: claim to verdict, for pages of methods
LOOKS = {METHOD: COLOURS[0], CONTROL: COLOURS[4], REFERENCE: COLOURS[6]}


@dataclass(frozen=True)
class ClaimsContent:
    """Everything the page says."""

    facts: tuple[ClaimFacts, ...]
    made: datetime


def write(facts: Sequence[ClaimFacts], folder: Path, single: bool = False) -> Path:
    """Write the page and its Markdown to ``folder``; returns the page's path.

    Raises :class:`SuiteError` when the folder cannot be written.
    """
    content = ClaimsContent(tuple(facts), datetime.now(UTC))
    try:
        page = write_page(
            folder / "index.html", "claims.html.j2", content, single, drawn=_figures, line=line, heading=heading
        )
        leave(page, _about(content))
        _leave_verdicts(content, folder / VERDICTS)
        write_whole(folder / "claims.md", render("claims.md.j2", content, line=line, heading=heading))
    except OSError as error:
        raise SuiteError(f"cannot write the claims to {folder}: {error.strerror}; choose another --out.") from error
    return page


def _about(content: ClaimsContent) -> About:
    """What the index of pages says of this one."""
    lines = tuple(f"{one.claim.name}: {one.verdict.kind}" for one in content.facts)
    return About("claims", "Claims", f"{content.made:%Y-%m-%d %H:%M} UTC", f"{len(lines)} claims", lines)


def _leave_verdicts(content: ClaimsContent, file: Path) -> None:
    """Keep the verdicts for pages of methods; those of claims that were not asked this time stay."""
    try:
        known = checked(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        known = {}
    made = f"{content.made:%Y-%m-%d}"
    found = {one.claim.name: {**asdict(one.verdict), "made": made} for one in content.facts}
    write_whole(file, json.dumps(with_check({**known, **found}), ensure_ascii=False))


def heading(facts: ClaimFacts) -> tuple[str, ...]:
    """The columns of a claim's table; reference and further measures stand there where the claim has them."""
    reference = (facts.names[REFERENCE],) if REFERENCE in facts.names else ()
    arms = ("method", "control", *reference)
    return ("at", "expected", *arms, "gain [95 % interval]", "premise", *facts.claim.measures, "notes")


def line(facts: ClaimFacts, point: PointFacts) -> tuple[str, ...]:
    """One position of the dial as text; metrics in percent, measures as they are."""
    judged = point.judged
    gain = judged.gain
    change = f"{100 * gain.mean:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]" if gain.count > 1 else "—"
    notes = "; ".join(f"{arm}: {said}" for arm, said in point.marks.items() if said) or point.blocked
    expected = "a gain" if judged.expect == "gain" else "no gain"
    reference = (_arm(point.reference),) if REFERENCE in facts.names else ()
    measures = (_mean(judged.premise), *map(_mean, point.measures.values()))
    return (str(judged.at), expected, _arm(judged.method), _arm(judged.control), *reference, change, *measures, notes)


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f}" if values else "—"


def _arm(values: Sequence[float]) -> str:
    """The mean and, in brackets, every seed."""
    if not values:
        return "not run"
    return f"{100 * float(np.mean(values)):.1f} ({' '.join(f'{100 * value:.1f}' for value in values)})"


def _figures(facts: ClaimFacts) -> dict[str, Markup]:
    from markupsafe import Markup

    drawn: dict[str, Figure] = {}
    if any(point.judged.method or point.judged.control for point in facts.points):
        drawn[f"{facts.claim.metric} over {facts.claim.dial}: every seed"] = _curve(facts)
    if any(point.judged.premise for point in facts.points) and facts.claim.premise:
        drawn[f"The premise: {facts.claim.premise.measure}"] = _premise(facts)
    name = "".join(c if c.isalnum() else "-" for c in facts.claim.name)
    return {title: Markup(fragment(figure, f"{name}-{i}")) for i, (title, figure) in enumerate(drawn.items())}


def _curve(facts: ClaimFacts) -> Figure:
    """Method against control: seeds as points, means as lines."""
    figure = blank(360, xaxis_title=facts.claim.dial, yaxis_title=f"{facts.claim.metric}, %, test")
    for arm in reversed(facts.names):
        known = [(p.judged.at, found) for p in facts.points if (found := _seeds(p, arm))]
        every = [(at, 100 * value) for at, values in known for value in values]
        colour, name = LOOKS[arm], facts.names[arm]
        dots = {"color": colour, "size": 8, "opacity": 0.55}
        x, y = [at for at, _ in every], [round(value, 3) for _, value in every]
        figure.add_scatter(x=x, y=y, mode="markers", marker=dots, name=f"{name}: seeds", legendgroup=arm)
        means = [round(100 * float(np.mean(values)), 3) for _, values in known]
        figure.add_scatter(
            x=[at for at, _ in known], y=means, mode="lines", line={"color": colour}, name=name, legendgroup=arm
        )
    return figure


def _seeds(point: PointFacts, arm: str) -> tuple[float, ...]:
    return point.reference if arm == REFERENCE else tuple(getattr(point.judged, arm))


def _premise(facts: ClaimFacts) -> Figure:
    premise = facts.claim.premise
    assert premise is not None
    figure = blank(240, xaxis_title=facts.claim.dial, yaxis_title=premise.measure, showlegend=False)
    every = [(point.judged.at, value) for point in facts.points for value in point.judged.premise]
    dots = {"color": COLOURS[2], "size": 8, "opacity": 0.6}
    figure.add_scatter(x=[at for at, _ in every], y=[value for _, value in every], mode="markers", marker=dots)
    if premise.least is not None:
        figure.add_hline(y=premise.least, line={"dash": "dash", "width": 1})
    return figure
