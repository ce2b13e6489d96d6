"""``suite claims``: what papers claim, run against its control, with a page of verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.complete import claims as complete_claims
from suite.cli.console import (
    AddressOption,
    DataOption,
    JsonOption,
    MaxCpusOption,
    MaxGpusOption,
    MethodsOption,
    OutOption,
    SingleFileOption,
    emit,
    emit_json,
    say,
)

if TYPE_CHECKING:
    from suite.claims.gather import ClaimFacts


def claims(
    names: Annotated[
        list[str] | None, typer.Argument(help="Claims, or TOML files; all if none.", autocompletion=complete_claims)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only the claims that take minutes.")] = False,
    build_only: Annotated[bool, typer.Option("--build-only", help="Run nothing: the page from the ledger.")] = False,
    jobs: Annotated[int, typer.Option(help="Runs at once; 0: as many as fit; 1: in this process.", min=0)] = 0,
    gpu: Annotated[float, typer.Option(help="GPUs per run, shares allowed.", min=0)] = 0.0,
    threads: Annotated[int, typer.Option(help="CPU threads per run.", min=1)] = 1,
    single_file: SingleFileOption = False,
    methods_files: MethodsOption = None,
    out: OutOption = "outputs",
    data: DataOption = None,
    address: AddressOption = None,
    max_cpus: MaxCpusOption = None,
    max_gpus: MaxGpusOption = None,
    json: JsonOption = False,
) -> None:
    """Run what claims NAMES need and the ledger does not hold, then build their page with a verdict for each.

    A claim sets a method against the control that lacks its mechanism, over a dial that turns the premise off and on.

    Example: suite claims --quick
    """
    from suite.api.pages import refresh_index
    from suite.api.planned import tuned
    from suite.claims.gather import gather
    from suite.claims.page import write
    from suite.claims.plan import board_of, find_claims
    from suite.cli.leaderboard import carry_out
    from suite.environment import PLUGINS
    from suite.leaderboard.plan import make_plan
    from suite.leaderboard.run import Terms
    from suite.places import Places
    from suite.results.ledger import Ledger
    from suite.spec.resources import Resources
    from suite.work.demand import Quota
    from suite.work.kept import ready

    PLUGINS.add(methods_files or [])
    places, chosen = Places(out, data), find_claims(names or [], quick)
    board, tables = board_of(chosen)
    ledger = Ledger(places.ledger) if build_only else ready(places)
    plan = make_plan(board, places, ledger, tuned(places))
    if not build_only:
        resources, quota = Resources(cpu=threads, gpu=gpu), Quota(max_cpus, max_gpus)
        carry_out(plan, places, Terms(jobs, resources, address, quota=quota), "suite claims", quiet=json)
    facts = gather(chosen, tables, plan.asked, ledger)
    page = write(facts, places.local / "reports" / "claims", single_file)
    refresh_index(places)
    if json:
        emit_json({"page": page, "claims": [_plain(one) for one in facts]})
        return
    rows = [{"claim": f.claim.name, "verdict": f.verdict.kind, "why": f.verdict.why} for f in facts]
    emit(rows, ("claim", "verdict", "why"), False)
    say(f"page: {page}")


def _plain(facts: ClaimFacts) -> dict[str, Any]:
    from dataclasses import asdict

    points = [
        {
            **asdict(p.judged),
            "gain": asdict(p.judged.gain),
            "chosen_trial": p.chosen,
            "reference": p.reference,
            "measures": p.measures,
        }
        for p in facts.points
    ]
    return {"name": facts.claim.name, **asdict(facts.verdict), "points": points}


def register(app: typer.Typer) -> None:
    """Add ``suite claims``."""
    app.command()(claims)
