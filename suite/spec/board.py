"""The leaderboard: which methods on which datasets with how many seeds, and what its tables show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from suite.errors import UsageError
from suite.hyper import Value
from suite.spec.base import Spec, load_toml
from suite.spec.run import RunSpec, Seeds

Params = dict[str, Value] | Annotated[str, Field(pattern=r"^tuned:[\w.-]+$")]
Tuple = tuple[str, ...]
Trials = Annotated[tuple[dict[str, Value], ...], Field(min_length=1)]
MANY = 100_000  # more seeds than anybody runs: a typing error


@dataclass(frozen=True)
class MetricKey:
    """A metric as a column: ``mAP`` (no threshold, or the average over them) or ``mAP@0.5``."""

    metric: str
    threshold: float | None = None

    @classmethod
    def parse(cls, text: str) -> MetricKey:
        """``"mAP@0.5"`` as name and threshold; raises ValueError when what follows the @ is not a number."""
        name, at, threshold = text.rpartition("@")
        return cls(name, float(threshold)) if at else cls(text)

    def __str__(self) -> str:
        return self.metric if self.threshold is None else f"{self.metric}@{self.threshold:g}"


class Entry(Spec):
    """One row of a table: a method, or ``all`` of the task; ``params`` over its defaults, or ``tuned:NAME``."""

    method: str
    label: str = ""
    params: Params = Field(default_factory=dict)


def _as_seeds(values: Any) -> Any:
    """``seeds = 3`` as the seeds 0, 1 and 2."""
    seeds = values.get("seeds") if isinstance(values, Mapping) else None
    if not isinstance(seeds, int) or isinstance(seeds, bool):
        return values
    if not 1 <= seeds <= MANY:
        raise ValueError(f"seeds = {seeds}: give the number of seeds, at least 1")
    return {**values, "seeds": list(range(seeds))}


class PrintedTable(Spec):
    """A table or figure of a paper, to be filled with our runs: its rows, columns and settings are those in print.

    ``table`` is ``paper/table`` of ``reports/published``. Every row of it that something here can run is run with
    ``seeds``. ``command`` says how to get the numbers that no run records (``suite analyse ...``).
    """

    table: str = Field(pattern=r"^[^/]+/.+$")
    title: str
    intro: str = ""
    seeds: Seeds = (0,)
    command: str = ""

    @model_validator(mode="before")
    @classmethod
    def _shorthands(cls, values: Any) -> Any:
        return _as_seeds(values)

    @property
    def short(self) -> str:
        """The table's name in its paper: ``Table 1``."""
        return self.table.partition("/")[2]


class TableSpec(Spec):
    """One table of a leaderboard: every entry on every dataset with the same seeds and budget.

    ``params`` are taken by each method that has them (``tuned:NAME``: the best of that sweep); an entry's own come
    after. ``trials`` are settings that every method tries beside them, in so far as it has them, with all seeds: a row
    shows the trial that its own validation data chose. ``metrics`` are columns such as ``mAP@0.5`` (empty: all there
    are). ``without`` names methods that ``all`` leaves out. ``published`` picks printed numbers to stand beside ours:
    ``paper`` or ``paper/table``.
    """

    title: str
    datasets: Tuple = Field(min_length=1)
    methods: tuple[Entry, ...] = Field(min_length=1)
    task: str = ""
    intro: str = ""
    without: Tuple = ()
    seeds: Seeds = (0,)
    epochs: int | None = Field(None, ge=1)
    protocol: str = "default"
    params: Params = Field(default_factory=dict)
    trials: Trials = ({},)
    metrics: Tuple = ()
    published: Tuple = ()

    @model_validator(mode="before")
    @classmethod
    def _shorthands(cls, values: Any) -> Any:
        """Method names as entries, ``seeds = 3`` as the seeds 0, 1 and 2."""
        if not isinstance(values, Mapping):
            return values
        values = dict(values)
        if isinstance(methods := values.get("methods"), list | tuple):
            values["methods"] = [{"method": m} if isinstance(m, str) else m for m in methods]
        return _as_seeds(values)

    @field_validator("metrics")
    @classmethod
    def _thresholds(cls, metrics: Tuple) -> Tuple:
        for text in metrics:
            MetricKey.parse(text)
        return metrics

    @property
    def columns(self) -> list[MetricKey]:
        """The metrics asked for, in order."""
        return [MetricKey.parse(text) for text in self.metrics]


class Shortened(Spec):
    """A rehearsal of a whole board: ``epochs`` and ``params`` of every run in place of its own, and fewer ``seeds``.

    A run takes those of ``params`` that its method has, else those that are dials of its dataset. None: as the board
    says.
    """

    epochs: Annotated[int, Field(ge=1)] | None = None
    seeds: Annotated[int, Field(ge=1)] | None = None
    params: dict[str, Value] = Field(default_factory=dict)

    @property
    def words(self) -> str:
        """What makes its runs others than those asked for; empty where only seeds are fewer."""
        epochs = [] if self.epochs is None else [f"{self.epochs} epoch" + ("s" if self.epochs > 1 else "")]
        said = ", ".join([*epochs, *(f"{name}={value or 'none'}" for name, value in self.params.items())])
        return f"shortened: {said}" if said else ""

    @property
    def mark(self) -> str:
        """The same as it fits the name of a row; settings are too many for that."""
        return "shortened" if self.epochs is None else Shortened(epochs=self.epochs).words

    @property
    def options(self) -> str:
        """The options of the command line that ask for it."""
        counts = {"--epochs": self.epochs, "--seeds": self.seeds}
        given = [f" {name} {count}" for name, count in counts.items() if count is not None]
        return "".join([*given, *(f" --set {name}={value}" for name, value in self.params.items())])


class LeaderboardSpec(Spec):
    """A named page of tables: our own, and those of a paper (``printed``), which become tables of runs when planned.

    ``part_of`` names the board of which this is one table; ``shortened`` says how it rehearses the board ``original``.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    intro: str = ""
    tables: tuple[TableSpec, ...] = ()
    printed: tuple[PrintedTable, ...] = ()
    part_of: str = ""
    original: str = ""
    shortened: Shortened | None = None

    @model_validator(mode="after")
    def _something(self) -> LeaderboardSpec:
        if not self.tables and not self.printed:
            raise ValueError("has no table; give it [[tables]], or [[printed]] for those of a paper")
        return self

    @property
    def call(self) -> str:
        """The name as people type it: ``paper:asl`` for ``paper-asl``."""
        name = self.part_of or self.original or self.name
        return name.replace("-", ":", 1) if self.printed and name.startswith("paper-") else name

    @property
    def options(self) -> str:
        """What commands about it take after its name, its table apart."""
        return self.shortened.options if self.shortened else ""

    @property
    def again(self) -> str:
        """The command that builds its page again."""
        table = self.printed[0].short if self.printed else self.tables[0].title
        return f"suite report {self.call}" + (f" --table '{table}'" if self.part_of else "") + self.options


@dataclass(frozen=True)
class BoardRun:
    """One run that a leaderboard asks for, and the cell that shows it.

    ``table`` is an index into the board's tables, ``row`` the label of the row, ``dataset`` the name with dials,
    ``trial`` an index into the table's trials; ``blocked`` says why it cannot run here (``run`` is then empty);
    ``whole`` is the run for which a shortened one stands.
    """

    spec: RunSpec
    run: str
    table: int
    row: str
    dataset: str
    blocked: str = ""
    trial: int = 0
    whole: RunSpec | None = None

    @property
    def meant(self) -> RunSpec:
        """The run that the table asks for, shortened or not."""
        return self.whole or self.spec


def load_board(path: Path) -> LeaderboardSpec:
    """Read a leaderboard; its name must be the file's."""
    board = load_toml(path, LeaderboardSpec)
    if board.name != path.stem:
        raise UsageError(f"{path} is the leaderboard '{board.name}'; rename the file to {board.name}.toml.")
    return board


def board_name_is_path(name: str) -> bool:
    """Whether a leaderboard was given as a file and not by name."""
    return re.search(r"[/\\]|\.toml$", name) is not None
