"""The plan: what a leaderboard asks for, minus what the ledger holds, and what the rest will cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.data import find_card
from suite.declarations import shipped
from suite.errors import DataError, UsageError, did_you_mean
from suite.hyper import Value
from suite.leaderboard.printed import with_printed_runs
from suite.leaderboard.shortened import with_dials
from suite.method import Method
from suite.places import Places
from suite.registry import canonical_name, method, methods
from suite.results.brief import Brief, brief, in_brief
from suite.runs import data_fingerprint, dataset_label, method_code, require_files, resolve_run
from suite.spec.base import canonical_json
from suite.spec.board import (
    BoardRun,
    Entry,
    LeaderboardSpec,
    Shortened,
    TableSpec,
    board_name_is_path,
    load_board,
)
from suite.spec.card import parse_dataset_name
from suite.spec.run import RunSpec
from suite.work.timings import Timings

if TYPE_CHECKING:
    from suite.results.ledger import Ledger

# The best parameters of a sweep: (sweep, method, dataset) to values.
Tuned = Callable[[str, str, str], Mapping[str, Value]]

Codes = dict[tuple[str, bool], str]  # by method, and whether it starts from weights
Prints = dict[tuple[Any, ...], str | DataError]  # by task, dataset, protocol and dials


@dataclass(frozen=True)
class Plan:
    """A leaderboard resolved to runs; ``runs`` are those of the ledger when the plan was made."""

    board: LeaderboardSpec
    asked: tuple[BoardRun, ...]
    runs: Brief

    @cached_property
    def finished(self) -> set[str]:
        """The ids of asked runs that need not run again."""
        return self._asked_with("finished")

    @cached_property
    def failed(self) -> set[str]:
        """The ids of asked runs whose last attempt failed: they are tried again."""
        return self._asked_with("failed")

    def _asked_with(self, status: str) -> set[str]:
        return {row["run"] for row in self.runs if row["status"] == status} & {asked.run for asked in self.asked}

    @cached_property
    def todo(self) -> tuple[BoardRun, ...]:
        """The runs to do, each once, in the board's order."""
        waiting = {a.run: a for a in reversed(self.asked) if not a.blocked and a.run not in self.finished}
        return tuple(reversed(waiting.values()))

    @cached_property
    def blocked(self) -> tuple[BoardRun, ...]:
        """The runs that cannot be done here, each once, with their reasons."""
        return tuple({a.spec.canonical_json(): a for a in reversed(self.asked) if a.blocked}.values())[::-1]

    @cached_property
    def timings(self) -> Timings:
        """What the ledger knows of durations."""
        return Timings.of(self.runs)

    @cached_property
    def unlike(self) -> int:
        """How many of the runs to do the ledger has no timing of on the same dataset: their cost is a guess."""
        return sum(not self.timings.known(asked.spec) for asked in self.todo)

    @cached_property
    def outdated(self) -> int:
        """How many of the runs to do are finished in the ledger under other names: code or data have changed since."""
        names = ("method", "dataset", "protocol", "seed", "params", "epochs")
        held = {tuple(row[name] for name in names) for row in self.runs if row["status"] == "finished"}
        specs = ((asked.spec, asked.dataset) for asked in self.todo)
        return sum(
            (s.method, dataset, s.protocol, s.seed, canonical_json(s.params), s.epochs) in held for s, dataset in specs
        )

    def seconds(self) -> float | None:
        """Expected seconds of computing for what is to be done; None when the ledger has no timing to go by."""
        return self.timings.total(asked.spec for asked in self.todo)


def find_board(name: str) -> LeaderboardSpec:
    """The leaderboard called ``name`` (shipped), or read from a path to a TOML file; ``paper:asl`` is ``paper-asl``.

    Tables of a paper are there as tables of runs, too.
    """
    if board_name_is_path(name):
        return with_printed_runs(load_board(Path(name)))
    paths = _shipped()
    stem = _file_name(name)
    if stem not in paths:
        raise UsageError(f"there is no leaderboard '{name}'{did_you_mean(stem, paths)}")
    return with_printed_runs(load_board(paths[stem]))


def is_board(name: str) -> bool:
    """Whether a leaderboard is called ``name``, or ``name`` is a TOML file."""
    return name.endswith(".toml") or _file_name(name) in _shipped()


def board_names() -> list[str]:
    """The names of all leaderboards that are shipped."""
    return sorted(_shipped())


def _file_name(board: str) -> str:
    """Files cannot have a colon in their names everywhere: ``paper:asl`` is ``paper-asl``."""
    return board.replace(":", "-", 1)


def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in (shipped("reports") / "leaderboards").glob("*.toml")}


def make_plan(board: LeaderboardSpec, places: Places, ledger: Ledger | None = None, tuned: Tuned | None = None) -> Plan:
    """Resolve ``board`` to runs and compare them with ``ledger``, by default that of ``places``, read in brief.

    Raises :class:`UsageError` for anything the board asks that does not exist. Runs whose data are missing are kept as
    blocked, unless nothing else is left: then the reason is raised as :class:`DataError` (a paper's board still has
    the printed numbers to show).
    """
    asked = _named(list(_expand(board, tuned, places.root)), places)
    if asked and not board.printed and all(one.blocked for one in asked):
        raise DataError(asked[0].blocked)
    runs = brief(places.ledger, places.brief) if ledger is None else in_brief(ledger.runs())
    return Plan(board, tuple(asked), runs)


def _expand(board: LeaderboardSpec, tuned: Tuned | None, root: Path | None) -> Iterable[BoardRun]:
    for index, table in enumerate(board.tables):
        task, where = task_of(table), f"leaderboard {board.name}, table '{table.title}'"
        entries = _entries(table, task)
        _check_shared(table, entries, where)
        for dataset in table.datasets:
            for entry in entries:
                for trial, params in _trials(entry, table, dataset, tuned, where):
                    first, blocked, first_whole = _resolved(entry, dataset, params, table, board.shortened, root)
                    label, where_on = entry.label, dataset_label(first)
                    if first_whole and board.shortened:
                        label = f"{label} ({board.shortened.mark})"
                    for seed in table.seeds:
                        spec, whole = _seeded(first, seed), first_whole and _seeded(first_whole, seed)
                        yield BoardRun(spec, "", index, label, where_on, blocked, trial, whole)


def _seeded(spec: RunSpec, seed: int) -> RunSpec:
    """The same run with another seed, on which nothing else of it depends; a table has checked its seeds."""
    return spec.model_copy(update={"seed": seed})


def _resolved(
    entry: Entry,
    dataset: str,
    params: Mapping[str, Value],
    table: TableSpec,
    short: Shortened | None,
    root: Path | None,
) -> tuple[RunSpec, str, RunSpec | None]:
    """The run, why it cannot be done here (else empty), and the whole run where this one is ``short``."""
    more = {"protocol": table.protocol, "seed": table.seeds[0], "root": root}
    whole, blocked = _resolve(entry.method, dataset, params, epochs=table.epochs, **more)
    if short is None:
        return whole, blocked, None
    known = method(entry.method).hypers
    changed = {name: value for name, value in short.params.items() if name in known}
    turned = with_dials(dataset, {name: value for name, value in short.params.items() if name not in known})
    epochs = min(filter(None, (short.epochs, table.epochs)), default=None)
    spec, blocked = _resolve(entry.method, turned, {**params, **changed}, epochs=epochs, **more)
    return spec, blocked, None if spec == whole else whole


def _resolve(name: str, dataset: str, params: Mapping[str, Value], **more: Any) -> tuple[RunSpec, str]:
    """The run, and why it cannot be done here: a file that the card names (weights) is not there. Else empty."""
    try:
        return resolve_run(name, dataset, params, **more), ""
    except DataError as error:
        known = method(name).hypers
        files = {key: value for key, value in params.items() if key in known and known[key].file}
        bare = resolve_run(name, dataset, {k: v for k, v in params.items() if k not in files}, **more)
        return bare.model_copy(update={"params": {**bare.params, **files}}), str(error)


def task_of(table: TableSpec) -> str:
    """The task of a table: stated, or the first that its first dataset serves."""
    return find_card(parse_dataset_name(table.datasets[0])[0]).task(table.task)


def _entries(table: TableSpec, task: str) -> list[Entry]:
    """The rows, ``all`` replaced by the task's methods (those listed by themselves, or ``without``, left out)."""
    known = {name: found for name, found in methods().items() if found.task == task}
    without = {canonical_name(name): name for name in table.without}
    for name, written in without.items():
        if name not in known:
            raise UsageError(
                f"table '{table.title}' leaves out '{written}', no method of {task}{did_you_mean(written, known)}"
            )
    listed = {canonical_name(entry.method) for entry in table.methods}
    rest = [Entry(method=name) for name in known if name not in listed and name not in without]
    entries = [new for entry in table.methods for new in (rest if entry.method == "all" else [entry])]
    return [entry.model_copy(update={"label": entry.label or method(entry.method).title}) for entry in entries]


def _check_shared(table: TableSpec, entries: Iterable[Entry], where: str) -> None:
    """A shared parameter that no listed method has is a mistake."""
    known = {name for entry in entries for name in method(entry.method).hypers}
    shared = table.params if isinstance(table.params, dict) else {}
    for name in dict.fromkeys([*shared, *(name for trial in table.trials for name in trial)]):
        if name not in known:
            raise UsageError(f"{where}: no listed method has a parameter '{name}'{did_you_mean(name, known)}")


def _trials(
    entry: Entry, table: TableSpec, dataset: str, tuned: Tuned | None, where: str
) -> list[tuple[int, dict[str, Value]]]:
    """The settings that a row tries, each once, with their places among the table's trials."""
    chosen = method(entry.method)
    shared = _values(table.params, chosen, dataset, tuned, where)
    own = _values(entry.params, chosen, dataset, tuned, where)
    found: list[tuple[int, dict[str, Value]]] = []
    for place, trial in enumerate(table.trials):
        given = {name: value for name, value in {**shared, **trial}.items() if name in chosen.hypers}
        params = {**given, **own}
        # Two trials are one to a method that has nothing of what tells them apart, or sets it itself.
        if all(params != before for _, before in found):
            found.append((place, params))
    return found


def _values(
    params: Mapping[str, Value] | str, chosen: type[Method], dataset: str, tuned: Tuned | None, where: str
) -> Mapping[str, Value]:
    if not isinstance(params, str):
        return params
    if tuned is None:
        raise UsageError(f"{where}: '{params}' needs a sweep's results, which this command does not read.")
    return tuned(params.removeprefix("tuned:"), chosen.name, dataset)


def _named(asked: list[BoardRun], places: Places) -> list[BoardRun]:
    """Fill in run ids; data and code are fingerprinted once each."""
    codes: Codes = {}
    prints: Prints = {}
    return [_name(one, places, codes, prints) for one in asked]


def _name(one: BoardRun, places: Places, codes: Codes, prints: Prints) -> BoardRun:
    if one.blocked:
        return one
    spec: RunSpec = one.spec
    key = method(spec.method).task, spec.dataset, spec.protocol, tuple(spec.dials.items())
    if key not in prints:
        try:
            prints[key] = data_fingerprint(spec, places)
        except DataError as error:
            prints[key] = error
    found = prints[key]
    if isinstance(found, DataError):
        return replace(one, blocked=str(found))
    try:
        require_files(spec, places.root)
    except DataError as error:
        return replace(one, blocked=str(error))
    code = spec.method, bool(spec.params.get("weights"))
    if code not in codes:
        codes[code] = method_code(spec)
    return replace(one, run=spec.run_id(found, codes[code]))
