"""``suite compare`` and ``suite diff``: methods, runs, boards or ledgers side by side."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.complete import comparable, datasets
from suite.cli.console import (
    DataOption,
    JsonOption,
    MethodsOption,
    OutOption,
    SingleFileOption,
    complain,
    emit,
    emit_json,
    say,
)

if TYPE_CHECKING:
    from suite.analyse.compare import Compared, Moved
    from suite.analyse.matched import Matched, Row

CLASSES = 8  # that moved most
ROWS = 20  # of boards and ledgers, likewise
LONGEST = 100  # characters of a page's name


def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Two or more of a kind: methods and runs, leaderboards, or folders of results; NAME@FOLDER takes one "
            "from another folder.",
            metavar="A B ...",
            autocompletion=comparable,
        ),
    ],
    dataset: Annotated[str, typer.Option(help="Only runs on this dataset.", autocompletion=datasets)] = "",
    draws: Annotated[
        int, typer.Option(help="Replicates of the bootstrap; 0: intervals over seeds alone.", min=0)
    ] = 1000,
    methods_files: MethodsOption = None,
    single_file: SingleFileOption = False,
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Compare A with B, and with each further name: what moved by metric, class and tIoU, and what differs.

    Methods and runs (by the beginnings of their ids) are paired by dataset, protocol and seed. Leaderboards, folders of
    results, and one method in two folders are compared row by row: same method, dataset, protocol and parameters, over
    the seeds that both have; rows in one alone are listed. Of a leaderboard count the runs that it shows, whatever code
    computed them, so that NAME@OLD and NAME say what new code changed.

    Intervals: a bootstrap over videos or clips with the seeds drawn along for the headline, where predictions are on
    record; else Student's t over the paired seeds. Below stands what differs in parameters, code, data, seed, machine
    and libraries. The same stands on a page. For scripts that ask whether two folders are equal: suite diff.

    Examples: suite compare mask-bce assume-negative --dataset planted-verbs

    suite compare 3f2a91 b07c44

    suite compare mask-bce@outputs-before mask-bce

    suite compare quick@outputs-before quick

    suite compare outputs-before outputs
    """
    from suite.analyse.compare_page import write_comparison
    from suite.api.comparing import compared
    from suite.api.pages import refresh_index
    from suite.environment import PLUGINS
    from suite.places import Places

    PLUGINS.add(methods_files or [])
    places = Places(out, data)
    found = compared(names, places, dataset, draws)
    page = places.local / "reports" / "compare" / f"{_file(names, dataset)}.html"
    write_comparison(found, page, single_file)
    refresh_index(places)
    if json:
        emit_json({"comparisons": [_plain(one) for one in found], "page": page})
        return
    for one in found:
        _print(one)
    say(f"page: {page}")


def _file(names: list[str], dataset: str) -> str:
    """A name for the page of a comparison: words of what it compares, and a print where they are too long."""
    words = "-against-".join(names) + (f"-{dataset}" if dataset else "")
    name = re.sub(r"[^A-Za-z0-9-]+", "_", words)
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def _plain(found: Compared | Matched) -> dict[str, Any]:
    from suite.analyse.matched import Matched, as_plain

    if isinstance(found, Matched):
        only = [[as_plain(entry) for entry in some] for some in found.only]
        return {"names": found.names, "rows": [_plain_row(row) for row in found.rows], "only": only}
    return {"names": found.names, **_numbers(found)}


def _plain_row(row: Row) -> dict[str, Any]:
    facts = {"row": row.label, "dataset": row.dataset, "protocol": row.protocol, "settings": row.settings}
    return {**facts, "moved": row.moved, "interval": row.interval, "p_holm": row.p_value, **_numbers(row.compared)}


def _numbers(found: Compared) -> dict[str, Any]:
    resampled = {
        name: {key: getattr(one, key) for key in ("estimate", "low", "high", "p_value")}
        for name, one in found.resampled.items()
    }
    return {
        "pairs": [[row["run"] for row in pair] for pair in found.pairs],
        "metrics": [asdict(row) for row in found.metrics],
        "classes": [asdict(row) for row in found.classes],
        "resampled": resampled,
        "differs": found.differs,
        "missing": found.missing,
    }


def _print(found: Compared | Matched) -> None:
    from suite.analyse.matched import Matched

    if isinstance(found, Matched):
        _print_rows(found)
    else:
        _print_pairs(found)


def _print_pairs(found: Compared) -> None:
    from suite.analyse.compare_page import resampled_lines

    pairs = f"{len(found.pairs)} pair{'s' if len(found.pairs) > 1 else ''} of runs"
    say(f"{found.names[0]} − {found.names[1]}: {pairs}, percent")
    _print_moved(list(found.metrics), "on test data, epochs chosen on validation data")
    moved = sorted(found.classes, key=lambda row: -abs(row.difference.mean))[:CLASSES]
    if moved:
        _print_moved(moved, f"classes that moved most, of {len(found.classes)}")
    for text in resampled_lines(found):
        say(text)
    for text in found.missing:
        complain(text)
    if found.differs:
        rows = [{"": name, found.names[0]: one, found.names[1]: two} for name, one, two in found.differs]
        emit(rows, ("", *found.names), False, title="what differs")


def _print_moved(rows: list[Moved], title: str) -> None:
    from suite.analyse.compare_page import HEADINGS, line

    emit([dict(zip(HEADINGS, line(row), strict=True)) for row in rows], HEADINGS, False, title=title)


def _print_rows(found: Matched) -> None:
    """The rows of two boards or ledgers that moved most, and in each what moved most of its numbers."""
    from suite.analyse.compare_page import ENTRY_HEADINGS, ROW_HEADINGS, entry_line, matched_line, row_line

    say(f"{found.names[0]} − {found.names[1]}: {matched_line(found)}; percent")
    moved = found.moved[:ROWS]
    if moved:
        rows = [dict(zip(ROW_HEADINGS, row_line(row), strict=True)) for row in moved]
        more = f", {len(moved)} of {len(found.moved)}" if len(moved) < len(found.moved) else ""
        emit(rows, ROW_HEADINGS, False, title=f"rows that moved most{more}")
        one = moved[0]
        numbers = sorted((*one.compared.metrics, *one.compared.classes), key=lambda row: -abs(row.difference.mean))
        _print_moved(numbers[:CLASSES], f"{one.label} on {one.dataset}: metrics and classes that moved most")
    for name, some in zip(found.names, found.only, strict=True):
        if some:
            rows = [dict(zip(ENTRY_HEADINGS, entry_line(entry), strict=True)) for entry in some[:ROWS]]
            more = f", {ROWS} of {len(some)}" if len(some) > ROWS else ""
            emit(rows, ENTRY_HEADINGS, False, title=f"only in {name}{more}")
    for text in dict.fromkeys(text for row in found.moved for text in row.compared.missing):
        complain(text)


def diff(
    old: Annotated[Path, typer.Argument(help="The folder of results (outputs) to compare with.")],
    new: Annotated[Path, typer.Argument(help="The folder of results that may have changed.")],
    tolerance: Annotated[
        float, typer.Option(help="Differences up to this are none (shares, not percent).", min=0)
    ] = 0.0,
    json: JsonOption = False,
) -> None:
    """Compare two folders of results, request by request: same method, dataset, protocol, seed and parameters.

    Ends with code 1 when numbers differ.

    Example: suite diff outputs-before outputs --tolerance 1e-6
    """
    from suite.analyse.ledgers import difference
    from suite.places import Places
    from suite.results.ledger import Ledger

    for folder in (old, new):
        Places(str(folder)).require_readable()
    found = difference(Ledger.of(old), Ledger.of(new), tolerance)
    if json:
        lists = {"only_old": found.only_old["run"].to_list(), "only_new": found.only_new["run"].to_list()}
        emit_json({"changed": found.changed.to_dicts(), "same": found.same, **lists})
    else:
        shown = ("method", "dataset", "seed", "metric", "label", "threshold", "value", "value_new", "difference")
        if len(found.changed):
            emit(found.changed.to_dicts(), shown, False, title="the number that moved most, by run")
        say(f"{found.same} runs with the same numbers, {len(found.changed)} with others;")
        say(f"{len(found.only_old)} only in {old}, {len(found.only_new)} only in {new}.")
    if len(found.changed):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add ``suite compare`` and ``suite diff``."""
    app.command()(compare)
    app.command()(diff)
