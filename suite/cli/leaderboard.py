"""``suite leaderboard``: running what is asked and not done, and building the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from suite.cli.complete import leaderboards
from suite.cli.console import (
    AccumulateOption,
    AddressOption,
    DataOption,
    JsonOption,
    Keep,
    KeepOption,
    LogOption,
    MaxCpusOption,
    MaxGpusOption,
    MethodsOption,
    OutOption,
    complain,
    emit_json,
    say,
)
from suite.cli.progress import display
from suite.errors import TrainingError

if TYPE_CHECKING:
    from suite.leaderboard.perform import Done
    from suite.leaderboard.plan import Plan
    from suite.leaderboard.run import Result, Terms
    from suite.places import Places
    from suite.results.ledger import Ledger
    from suite.spec.board import Shortened

NameArgument = Annotated[
    str, typer.Argument(help="Leaderboard name (paper:asl), or a TOML file.", autocompletion=leaderboards)
]
TableOption = Annotated[
    str | None, typer.Option("--table", help="One of its tables alone, as its title or the paper calls it: 'Table 1'.")
]
ShortEpochs = Annotated[
    int | None,
    typer.Option(
        "--epochs", help="Epochs of every run in place of its own: a rehearsal, marked in every row.", min=1,
        show_default="each run's own",
    ),
]  # fmt: skip
FewSeeds = Annotated[
    int | None, typer.Option("--seeds", help="At most so many seeds.", min=1, show_default="the board's")
]
ShortSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="name=value in every run whose method (batch=2, width=8) or else dataset (test_score=0.99) has it: a "
        "rehearsal, too; repeatable.",
    ),
]


def leaderboard(
    name: NameArgument = "quick",
    table: TableOption = None,
    epochs: ShortEpochs = None,
    seeds: FewSeeds = None,
    settings: ShortSettings = None,
    jobs: Annotated[int, typer.Option(help="Runs at once; 0: as many as fit; 1: in this process.", min=0)] = 0,
    gpu: Annotated[float, typer.Option(help="GPUs per run, shares allowed: 0.25 puts four on each.", min=0)] = 0.0,
    threads: Annotated[int, typer.Option(help="CPU threads per run, or per worker of a run.", min=1)] = 1,
    workers: Annotated[int, typer.Option(help="Ray Train workers per run; 0: none.", min=0)] = 0,
    accumulate: AccumulateOption = 1,
    packed: Annotated[int, typer.Option(help="Runs trained as one stack where methods allow; 0: never.", min=0)] = 0,
    keep: KeepOption = Keep.none,
    log: LogOption = None,
    methods_files: MethodsOption = None,
    out: OutOption = "outputs",
    data: DataOption = None,
    address: AddressOption = None,
    max_cpus: MaxCpusOption = None,
    max_gpus: MaxGpusOption = None,
    json: JsonOption = False,
) -> None:
    """Run what leaderboard NAME asks for and the ledger does not hold, then build its page.

    Safe to stop at any moment and to start again: nothing finished is lost or repeated; failed runs are tried again.

    With --epochs or --set a board is rehearsed: every row of it says that it is shortened, its page has a name of its
    own, and nothing is compared with print.

    Examples: suite leaderboard quick --jobs 2; suite leaderboard paper:asl --table 'Table 1'; suite leaderboard
    paper:npl --epochs 2 --seeds 1
    """
    from suite.leaderboard.run import Terms
    from suite.spec.resources import Resources
    from suite.tracking.watching import require
    from suite.work.demand import Quota

    trackers = require(log or [])
    places, plan = make(name, out, data, methods_files, table, short_of(epochs, seeds, settings), runs=True)
    resources = Resources(cpu=threads, gpu=gpu, workers=workers, accumulate=accumulate)
    terms = Terms(jobs, resources, address, packed, Quota(max_cpus, max_gpus), keep.value, trackers)
    result = carry_out(plan, places, terms, builds_again(plan, name), quiet=json)
    page = build_report(plan, places)
    _conclude(plan, result, page, json)


def builds_again(plan: Plan, name: str) -> str:
    """The command that builds the page of ``plan``; a board from a file, ``name``, is named by it."""
    import shlex

    own, file = f"suite report {plan.board.call}", f"suite report {shlex.quote(name)}"
    return plan.board.again.replace(own, file, 1) if name.endswith(".toml") else plan.board.again


def carry_out(plan: Plan, places: Places, terms: Terms, builds: str, *, quiet: bool) -> Result:
    """Run what ``plan`` has to do, showing it unless ``quiet``; ``builds`` is the command that builds its page.

    Raises :class:`KeyboardInterrupt` when it was interrupted, having said what became of the runs.
    """
    from suite.leaderboard.run import run_plan

    _caution(plan)
    with display(f"leaderboard {plan.board.name}", quiet or not plan.todo) as shown:

        def watch(ended: list[Done]) -> None:
            for done in ended:
                if shown is not None:
                    shown.say(_line(done))

        result = run_plan(plan, places, terms, watch, show=shown.show if shown else None)
    if result.interrupted:
        _tell_interrupted(result, builds)
        raise KeyboardInterrupt
    return result


def _caution(plan: Plan) -> None:
    """What a user should know of the runs to do, each sentence once."""
    from suite.runs import cautions

    for caution in dict.fromkeys(text for asked in plan.todo for text in cautions(asked.spec)):
        complain(f"{caution}.")


def make(
    name: str,
    out: str,
    data: str | None,
    methods_files: list[str] | None,
    table: str | None = None,
    short: Shortened | None = None,
    *,
    runs: bool = False,
) -> tuple[Places, Plan]:
    """Resolve the leaderboard ``name``, or its ``table`` alone, against the ledger, made ready where it ``runs``.

    ``short`` asks for a rehearsal of it.
    """
    from suite.api.planned import planned
    from suite.environment import PLUGINS
    from suite.places import Places

    PLUGINS.add(methods_files or [])
    places = Places(out, data)
    return places, planned(name, places, _ready(places) if runs else None, table, short)


def _ready(places: Places) -> Ledger:
    from suite.work.kept import ready  # brings what writes a ledger

    return ready(places)


def short_of(epochs: int | None, seeds: int | None, settings: list[str] | None) -> Shortened:
    """What --epochs, --seeds and --set ask for."""
    from suite.cli.train import parse_settings
    from suite.spec.board import Shortened

    return Shortened(epochs=epochs, seeds=seeds, params=dict(parse_settings(settings or [])))


def build_report(plan: Plan, places: Places, single: bool = False) -> str:
    """Build the page of ``plan`` from what the ledger holds now; returns its path."""
    from suite.api.pages import board_page

    return str(board_page(plan, places, single=single))


def _line(done: Done) -> str:
    from suite.leaderboard.perform import in_words
    from suite.telling import duration

    what = in_words(done.asked)
    if done.status == "finished":
        headline = "" if done.headline is None else f", {100 * done.headline:.1f}"
        return f"done     {what}: {duration(done.seconds)}{headline}"
    return f"{done.status:<8} {what}" + (f": {done.error}" if done.error else "")


def _tell_interrupted(result: Result, builds: str) -> None:
    stopped = [_line(done) for done in result.of("stopped")]
    complain(
        f"interrupted: {len(result.of('finished'))} finished, {len(stopped)} stopped, {len(result.left)} not begun."
    )
    for line in stopped:
        complain(f"{line} (goes on from its checkpoint)")
    complain(f"'{builds}' builds the page from what is there.")


def _conclude(plan: Plan, result: Result, page: str, as_json: bool) -> None:
    failed = result.of("failed")
    if as_json:
        counts = {status: len(result.of(status)) for status in ("finished", "failed", "held")}
        emit_json({"name": plan.board.name, "already": len(plan.finished), **counts, "page": page})
    else:
        say(f"{len(result.of('finished'))} runs done now, {len(plan.finished)} were in the ledger.")
        say(f"page: {page}")
    if failed:
        first = failed[0]
        raise TrainingError(
            f"{len(failed)} of {len(result.ended)} runs failed, first {first.asked.row} on {first.asked.dataset} "
            f"({first.error}); the page shows them, the same command tries them again."
        )


def register(app: typer.Typer) -> None:
    """Add ``suite leaderboard``."""
    app.command()(leaderboard)
