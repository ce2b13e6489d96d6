"""``suite plan``: what is asked, what is done, what the rest costs, and which files are missing where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.complete import leaderboards, plannable, sweeps
from suite.cli.console import DataOption, JsonOption, MethodsOption, OutOption, complain, emit, emit_json, say
from suite.cli.leaderboard import (
    FewSeeds,
    ShortEpochs,
    ShortSettings,
    TableOption,
    make,
    short_of,
)
from suite.cli.plan_tables import ROW, TABLE, by_row, by_table, in_words, memory_in_words
from suite.errors import UsageError
from suite.telling import duration

if TYPE_CHECKING:
    from suite.leaderboard.cost import Costs
    from suite.leaderboard.missing import Lack
    from suite.leaderboard.plan import Plan
    from suite.places import Places
    from suite.spec.board import BoardRun


PlannedArgument = Annotated[
    str,
    typer.Argument(help="A leaderboard's name (paper:asl) or TOML file, or a sweep's name.", autocompletion=plannable),
]


def plan(
    name: PlannedArgument = "quick",
    sweep: Annotated[
        str, typer.Argument(help="After the word 'sweep' or 'leaderboard': its name.", show_default=False)
    ] = "",
    table: TableOption = None,
    epochs: ShortEpochs = None,
    seeds: FewSeeds = None,
    settings: ShortSettings = None,
    jobs: Annotated[int, typer.Option(help="Runs at once, for the expected time; 0: one per core.", min=0)] = 0,
    time: Annotated[
        bool, typer.Option("--time", help="Measure training steps on noise of the published shapes, minutes; kept.")
    ] = False,
    methods_files: MethodsOption = None,
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what leaderboard or sweep NAME asks for, what is done, and how long the rest will take.

    Where data are missing, it says which files to put where. What such runs would cost, hours and memory, comes from
    training steps measured with --time on generated arrays of the published shapes; it is unknown until then.

    Examples: suite plan recognition-real; suite plan neighbours; suite plan paper:npl --table 'Table 2' --time
    """
    from contextlib import nullcontext

    from suite.index import declarations

    name, of_sweep = _subject(name, sweep)
    if of_sweep:
        from suite.cli.sweep import show_plan

        show_plan(name, jobs, out, data, methods_files, json)
        return
    # Steps are measured with the methods; all else follows from what these declare, without waiting for torch.
    with nullcontext() if time else declarations(of_tasks=True):
        places, made = make(name, out, data, methods_files, table, short_of(epochs, seeds, settings))
        _show_board(made, places, jobs, bool(table), time, json)


def _show_board(made: Plan, places: Places, jobs: int, of_table: bool, time: bool, json: bool) -> None:
    """What a board asks for, in tables and words, or as JSON."""
    import os

    from suite.leaderboard.cost import Costs

    lacking = _lacking(made, places)
    short = made.board.shortened
    costs = Costs.of(places.local, short.words.removeprefix("shortened: ") if short and short.params else "")
    if time:
        costs.measure([one.spec for one in made.asked if one.run not in made.finished], complain)
    rows = _plan_rows(made, costs)
    at_once = min(jobs or os.cpu_count() or 1, max(1, len(made.todo)))
    seconds = made.seconds()
    wall = None if seconds is None else seconds / at_once
    if json:
        lists = {"missing": [_lack_row(lack) for lack in lacking], "tables": by_table(made, rows), "runs": rows}
        emit_json({"name": made.board.name, **_totals(made), "seconds": seconds, "wall_seconds": wall, **lists})
        return
    if made.board.printed and not of_table:
        emit([in_words(row) for row in by_table(made, rows)], TABLE, False)
        say(
            f"the rows of one: suite plan {made.board.call} --table '{made.board.printed[0].short}'{made.board.options}"
        )
    else:
        emit(by_row(rows), ROW, False)
    say(f"{len(made.finished)} finished, {len(made.todo)} to do: {_expected(made, wall, at_once)}.")
    _say_rest(made, costs, lacking, rows)


def _lacking(made: Plan, places: Places) -> list[Lack]:
    """What blocked runs lack, by dataset."""
    if not made.blocked:
        return []
    from suite.leaderboard.missing import lacks

    return lacks(made.blocked, places.root)


def _totals(made: Plan) -> dict[str, int]:
    """How many runs a board asks for, and how they stand."""
    asked, left = len({a.run for a in made.asked if a.run}), len(made.todo)
    counts = {"asked": asked, "finished": len(made.finished), "todo": left, "failed": len(made.failed)}
    return {**counts, "blocked": len(made.blocked), "outdated": made.outdated}


def _subject(name: str, second: str) -> tuple[str, bool]:
    """What is planned, and whether it is a sweep: ``NAME``, ``leaderboard NAME`` or ``sweep NAME``.

    A name that a board and a sweep share is the board's.
    """
    if name == "leaderboard" and second:
        return second, False
    if not second:
        return name, name in sweeps(name) and name not in leaderboards(name)
    if name == "sweep":
        return second, True
    raise UsageError(
        f"'{name} {second}' is no plan: one thing is planned at a time; write: suite plan NAME for a "
        "leaderboard, or: suite plan sweep NAME."
    )


def _say_rest(made: Plan, costs: Costs, lacking: list[Lack], rows: list[dict[str, Any]]) -> None:
    """What is outdated, what the blocked runs would cost, and what they lack."""
    if made.outdated:
        say(f"finished before, with other code or data: {made.outdated} of those to do; their rows do not count here.")
    if made.blocked:
        say(f"{_whole(made, costs)}.")
    if said := memory_in_words(rows):
        say(said)
    listed = {lack.dataset for lack in lacking if any(not file.optional for file in lack.files)}
    for reason in dict.fromkeys(one.blocked for one in made.blocked if one.spec.dataset not in listed):
        say(f"blocked: {reason}")
    _tell_missing(lacking)


def _tell_missing(lacking: list[Lack]) -> None:
    """What to put where, dataset by dataset, and how to try everything without."""
    if not lacking:
        return
    from suite.data import find_card
    from suite.rehearsal.request import can_rehearse

    for lack in lacking:
        say(f"\nmissing for {lack.runs} runs on {lack.dataset}: {lack.obtain.rstrip('.')}.")
        for file in lack.files:
            need = "optional " if file.optional else ""
            when = f"  (needed with {file.condition})" if file.condition else ""
            say(f"  {need}{file.path}{when}" + (f"  from {file.source}" if file.source else ""))
            if file.about:
                say(f"      {file.about}")
    packs = [lack.dataset for lack in lacking if can_rehearse(lack.dataset)]
    if packs:
        say("\nto try everything before they are there, on generated features:")
        for dataset in packs:
            say(f"  suite data rehearse {dataset} --to rehearsal")
        say("(with --full at published size; with --full --dry how large that is, and whether the disk holds it)")
        asked = {entry.path for dataset in packs for entry in find_card(dataset).weights.values()}
        weights = any(one.path.name in asked for lack in lacking for one in lack.files)
        without = "; --set weights= leaves out released weights, which have no rehearsal" if weights else ""
        say(f"then the same commands with --data rehearsal, shortened if need be (--epochs 2 --seeds 1{without}).")


def _lack_row(lack: Lack) -> dict[str, Any]:
    files = [
        {"path": str(one.path), "about": one.about, "source": one.source, "optional": one.optional,
         "needed_with": one.condition}
        for one in lack.files
    ]  # fmt: skip
    return {"dataset": lack.dataset, "runs": lack.runs, "obtain": lack.obtain, "files": files}


def _plan_rows(plan: Plan, costs: Costs) -> list[dict[str, Any]]:
    """One row per run asked for, for scripts and for summing up; what was timed of runs like it comes first."""
    from suite.leaderboard.printed import table_names

    todo, names = {asked.run for asked in plan.todo}, table_names(plan.board)
    return [
        {
            "run": one.run,
            "table": names[one.table],
            "method": one.spec.method,
            "row": one.row,
            "dataset": one.dataset,
            "trial": one.trial + 1,
            "seed": one.spec.seed,
            "status": "blocked" if one.blocked else "todo" if one.run in todo else "finished",
            "failed_before": one.run in plan.failed,
            "seconds": _seconds(one, plan, costs) if one.blocked or one.run in todo else None,
            "reason": one.blocked,
            **_memory(one, costs),
        }
        for one in plan.asked
    ]


def _seconds(one: BoardRun, plan: Plan, costs: Costs) -> float | None:
    """Expected seconds: from runs on the same dataset, from timed steps, or from the nearest runs that can be done."""
    if plan.timings.known(one.spec):
        return plan.timings.expected(one.spec)
    timed = costs.seconds(one.spec)
    return plan.timings.expected(one.spec) if timed is None and not one.blocked else timed


def _memory(one: BoardRun, costs: Costs) -> dict[str, float | None]:
    found = costs.memory(one.spec)
    return {"memory": found.process if found else None, "features": found.features if found else None}


def _whole(plan: Plan, costs: Costs) -> str:
    """What everything that is not finished would cost, one run after the other; a run of several tables counts once."""
    waiting = {one.spec.canonical_json(): one for one in plan.asked if one.run not in plan.finished}
    seconds = [_seconds(one, plan, costs) for one in waiting.values()]
    known = [one for one in seconds if one is not None]
    blocked = sum(bool(one.blocked) for one in waiting.values())
    said = (
        f"{blocked} blocked by missing data; all {len(waiting)} that are left, one after the other, on this machine: "
    )
    if not known:
        return f"{said}unknown until timed ({_again(plan)} --time)"
    rest = f", and {len(seconds) - len(known)} runs whose cost is unknown" if len(known) < len(seconds) else ""
    return f"{said}about {duration(sum(known))}{rest}"


def _again(plan: Plan) -> str:
    """The command that shows the plan."""
    return plan.board.again.replace("suite report", "suite plan", 1)


def _expected(plan: Plan, wall: float | None, jobs: int) -> str:
    if not plan.todo:
        return "nothing can run without the files named below" if plan.blocked else "nothing to run"
    if wall is None:
        return "the ledger has no timing of runs like some of these yet"
    said = f"about {duration(wall)} with {jobs} at once, from the ledger's own timings"
    return f"{said} ({plan.unlike} of them on data never timed: a rough guess)" if plan.unlike else said


def register(app: typer.Typer) -> None:
    """Add ``suite plan``."""
    app.command()(plan)
