"""Commands of ``suite results`` that tidy the ledger and what is kept beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from suite.cli.console import JsonOption, OutOption, complain, emit, emit_json, say
from suite.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from suite.results.ledger import Ledger

LONGEST = 1e6  # hours: more than a century


def ledger_of(out: str) -> Ledger:
    """The ledger of the outputs ``out``; raises :class:`UsageError` where these are no folder of results."""
    from suite.places import Places
    from suite.results.ledger import Ledger

    Places(out).require_readable()
    return Ledger.of(out)


def compact(
    keep_hours: Annotated[
        float, typer.Option(help="Files younger than this stay for those who are reading them.", min=0, max=LONGEST)
    ] = 24.0,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Merge the ledger's small files and drop what dead writers and superseded attempts left.

    Example: suite results compact
    """
    counts = ledger_of(out).compact(keep_hours)
    if json:
        emit_json(counts)
        return
    say(f"{counts['files_before']} files are {counts['files']} now; dropped {counts['superseded']} superseded attempts")
    say(f"and {counts['orphans']} unfinished records.")


def repair(out: OutOption = "outputs", json: JsonOption = False) -> None:
    """Set aside what is damaged in the ledger and beside it, and say which runs have to be done again.

    Every file with a checksum is compared with it. Nothing else may write meanwhile. What is set aside stays in folders
    called quarantine, below the ledger and below the outputs.

    Example: suite results repair
    """
    from suite.places import Places
    from suite.results.repair import repair as set_aside
    from suite.work.beside import set_aside_damaged

    found, beside = set_aside(ledger_of(out)), set_aside_damaged(Places(out))
    again, files = found.again.to_dicts(), [*found.files, *beside.files]
    if json:
        ledger = {"set_aside": files, "recovered": found.recovered, "lost_tables": found.lost_tables, "again": again}
        emit_json({**ledger, "weights": beside.weights, "unrecorded": beside.unrecorded})
        return
    if found.whole and not beside.files:
        say("nothing is damaged.")
        return
    emit([{"file": path} for path in files], ("file",), False, title="set aside")
    if found.recovered:
        say(f"{found.recovered} records of runs were taken again from data files whose commits were damaged.")
    for name in found.lost_tables:
        complain(f"nothing is left of the table {name}.")
    if beside.weights:
        complain(f"the weights of {', '.join(beside.weights)} are gone; suite train … --again keeps them anew.")
    if beside.unrecorded:
        complain(f"{', '.join(beside.unrecorded)} had not been recorded yet, and have to be done again.")
    emit(again, ("run", "method", "dataset", "seed"), False, title="runs to do again")


def delete(
    runs: Annotated[list[str] | None, typer.Argument(help="Ids of runs, or their beginnings.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All failed runs.")] = False,
    method: Annotated[str | None, typer.Option(help="All runs of this method.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Forget runs, and remove their kept weights.

    Example: suite results delete --failed --yes
    """
    from suite.models.tidy import remove
    from suite.places import Places

    ledger = ledger_of(out)
    names = {ledger.resolve(run) for run in runs or []} | _chosen(ledger.runs(), failed, method)
    if not runs and not failed and method is None:
        raise UsageError("say which runs to delete: ids, --failed or --method NAME.")
    if names and not yes and not json:
        typer.confirm(f"Forget {len(names)} runs?", abort=True)
    count = ledger.delete(names)
    remove(Places(out), names)
    if json:
        emit_json({"deleted": sorted(names)})
        return
    say(f"{count} runs forgotten.")


def prune(
    budget: Annotated[str, typer.Option(help="What kept weights may take in all: 500MB, 2GB; 0 removes all.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Remove the oldest kept weights until the rest fit a budget; runs, numbers and predictions stay.

    Example: suite results prune --budget 2GB --dry-run
    """
    from suite.models import tidy
    from suite.places import Places

    runs = set(ledger_of(out).runs()["run"])
    found = tidy.prune(Places(out), tidy.parse_size(budget), runs, dry=dry_run)
    if json:
        emit_json({"removed": found.removed, "left": found.left, "left_bytes": found.left_bytes})
        return
    gone = tidy.in_words(sum(found.removed.values()))
    would = "would be removed" if dry_run else "removed"
    say(
        f"weights of {len(found.removed)} runs {would} ({gone}); {found.left} stay ({tidy.in_words(found.left_bytes)})."
    )


def _chosen(runs: pl.DataFrame, failed: bool, method: str | None) -> set[str]:
    import polars as pl

    from suite.registry import canonical_name

    if not failed and method is None:
        return set()
    wanted = pl.lit(True)
    if failed:
        wanted &= pl.col("status") == "failed"
    if method is not None:
        wanted &= pl.col("method") == canonical_name(method)
    return set(runs.filter(wanted)["run"])
