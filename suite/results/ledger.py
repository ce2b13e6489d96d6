"""The ledger: the suite's memory of runs, safe under concurrent writers and under death at any moment.

A run is recorded in up to four appends, the row of ``runs`` last. Rows of the other tables count only when ``runs``
has a row of the same attempt, so that a writer that dies in between leaves orphans that nobody reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import polars as pl
import pyarrow as pa

from suite.errors import SuiteError, UsageError, did_you_mean
from suite.results.appending import appending, under_way
from suite.results.attempts import age, new_attempt
from suite.results.location import is_uri, link, location
from suite.results.schema import TABLES, Outcome, to_table
from suite.results.store import REMEDY, Store

_LONG = ("metrics", "curves", "predictions")
_ORPHAN_SECONDS = 3600.0  # appends of one run are seconds apart; what waits an hour for its runs row is dead
_REMOTE_ORPHAN_SECONDS = 24 * 3600.0  # behind a URI nothing else tells them apart, and machines' clocks may differ


class Ledger:
    """The runs recorded under ``folder``: a path or a URI such as ``s3://bucket/ledger``.

    ``options`` are deltalake's storage options (credentials, endpoint); by default they come from the environment.
    Instances can be pickled and used by many processes at once.
    """

    def __init__(self, folder: str | Path, options: Mapping[str, str] | None = None) -> None:
        self.folder = str(folder) if is_uri(folder) else str(Path(folder).absolute())
        place = self.folder if is_uri(folder) else str(location(Path(self.folder)))
        self.stores = {name: Store(place, name, options) for name in TABLES}

    @classmethod
    def of(cls, outputs: str | Path, options: Mapping[str, str] | None = None) -> Ledger:
        """The ledger of an outputs folder (or URI): ``<outputs>/ledger``."""
        return cls(f"{str(outputs).rstrip('/')}/ledger" if is_uri(outputs) else Path(outputs) / "ledger", options)

    # Writing ------------------------------------------------------------------------------------------------------

    def record(self, outcome: Outcome) -> str:
        """Record a run, finished or failed: one append per table, ``runs`` last. Returns the attempt's name."""
        return self.record_all([outcome])[0]

    def record_all(self, outcomes: Sequence[Outcome]) -> list[str]:
        """Record several runs with one append per table for all of them, ``runs`` last; returns the attempts' names."""
        if not is_uri(self.folder):
            link(Path(self.folder))
        attempts = [new_attempt() for _ in outcomes]
        named = list(zip(outcomes, attempts, strict=True))
        tables = {name: [to_table(name, getattr(o, name), o.id, attempt) for o, attempt in named] for name in _LONG}
        tables["runs"] = [to_table("runs", [o.run], o.id, attempt) for o, attempt in named]
        with nullcontext() if is_uri(self.folder) else appending(Path(self.folder)):
            for name, parts in tables.items():
                if sum(map(len, parts)):
                    self.stores[name].append(pa.concat_tables(parts))
        return attempts

    def delete(self, runs: Iterable[str]) -> int:
        """Forget ``runs`` (ids); returns how many there were. Their files go at a later :meth:`compact`."""
        names = set(runs) & set(self.runs(all_attempts=True)["run"])
        for name in ("runs", *_LONG):  # the row of runs first: from then on nobody reads the rest
            self.stores[name].delete("run", names)
        return len(names)

    def compact(self, keep_hours: float = 24.0, orphan_seconds: float | None = None) -> dict[str, int]:
        """Merge small files, remove superseded attempts and the orphans of dead writers; returns counts.

        ``keep_hours``: unused files younger than this stay, for readers and writers at work;
        ``orphan_seconds``: rows without a run younger than this may still get it, and stay (by default an hour, behind
        a URI a day). So do all of them while another process is appending.
        """
        before = sum(store.files for store in self.stores.values())
        superseded = set(self.runs(all_attempts=True)["attempt"]) - set(self.runs()["attempt"])
        self.stores["runs"].delete("attempt", superseded)
        orphans = self._orphans(orphan_seconds)
        for name in _LONG:
            self.stores[name].delete("attempt", orphans)
        for store in self.stores.values():
            store.compact(keep_hours)
        after = sum(store.files for store in self.stores.values())
        counts = {"superseded": len(superseded), "orphans": len(orphans - superseded)}
        return {"files_before": before, "files": after, **counts}

    def _orphans(self, seconds: float | None) -> set[str]:
        remote = is_uri(self.folder)
        if seconds is None:
            seconds = _REMOTE_ORPHAN_SECONDS if remote else _ORPHAN_SECONDS
        written = set()
        for name in _LONG:
            written |= set(self.stores[name].read(lambda rows: rows.select("attempt").unique())["attempt"])
        # Asked in between: who began later has no row among those read, who ended before has its run among those below.
        if not remote and under_way(Path(self.folder)):
            return set()
        # The runs are read after the rest: an attempt completed in between is not taken for an orphan.
        live = set(self.runs(all_attempts=True)["attempt"])
        return {attempt for attempt in written - live if age(attempt) >= seconds}

    # Reading ------------------------------------------------------------------------------------------------------

    def runs(self, all_attempts: bool = False) -> pl.DataFrame:
        """One row per run: its finished attempt if there is one, else its newest (or every attempt), oldest first."""
        rows = self.stores["runs"].read()
        rows = rows.sort(pl.col("status") == "finished", "started", "attempt")
        if not all_attempts:
            rows = rows.unique("run", keep="last", maintain_order=True)
        return rows.sort("started", "run", "attempt")

    def finished(self) -> set[str]:
        """The ids of runs that need not run again."""
        rows = self.stores["runs"].read(lambda all_: all_.filter(pl.col("status") == "finished").select("run"))
        if len(rows) and not self.stores["metrics"].exists:
            raise SuiteError(f"the ledger {self.folder} has runs but has lost its table of metrics; {REMEDY}")
        return set(rows["run"])

    def metrics(self, runs: Collection[str] | None = None) -> pl.DataFrame:
        """The metric rows of live attempts (of ``runs`` only, if given)."""
        return self._long("metrics", runs)

    def curves(self, runs: Collection[str] | None = None) -> pl.DataFrame:
        """The curve rows of live attempts (of ``runs`` only, if given)."""
        return self._long("curves", runs)

    def predictions(self, run: str, split: str = "test", selection: str = "validation") -> pl.DataFrame:
        """The predictions of one run on one split under one selection, in the order they were recorded."""
        attempts = self.runs().filter(pl.col("run") == run)["attempt"].to_list()
        where = (pl.col("run") == run) & (pl.col("split") == split) & (pl.col("selection") == selection)
        where &= pl.col("attempt").is_in(attempts)
        return self.stores["predictions"].read(
            lambda rows: rows.filter(where).drop("run", "attempt", "split", "selection")
        )

    def all_predictions(self, runs: Collection[str] | None = None) -> pl.DataFrame:
        """The predictions of live attempts (of ``runs`` only, if given) on all splits, under all selections: large."""
        return self._long("predictions", runs)

    def resolve(self, prefix: str) -> str:
        """The id of the one run whose id starts with ``prefix``."""
        known = self.runs()["run"].to_list()
        found = [run for run in known if run.startswith(prefix)]
        if len(found) == 1:
            return str(found[0])
        problem = f"is the beginning of {len(found)} runs" if found else "is not the id of a run"
        hint = f": {', '.join(found[:4])}" if found else did_you_mean(prefix, known[-5:])
        raise UsageError(f"'{prefix}' {problem} in {self.folder}{hint}")

    def _long(self, name: str, runs: Collection[str] | None) -> pl.DataFrame:
        live = self.runs().select("run", "attempt")
        chosen = pl.lit(True) if runs is None else pl.col("run").is_in(sorted(set(runs)))
        own = live.filter(chosen).lazy()
        return self.stores[name].read(
            lambda rows: rows.filter(chosen).join(own, on=["run", "attempt"], how="semi", maintain_order="left")
        )
