"""``suite.sweep``: a search of hyper-parameters as an object that a notebook shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from suite.api.pages import refresh_index
from suite.api.places import Folder, places_of
from suite.errors import SuiteError, UsageError
from suite.places import Places
from suite.spec.sweep import SweepSpec, as_value
from suite.sweep.files import asked
from suite.sweep.history import known_objectives
from suite.sweep.report import build_page
from suite.sweep.search import run_sweep
from suite.sweep.tuned import findings
from suite.tracking.watching import require
from suite.train.storage.keeping import Keep
from suite.work.kept import ready

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Sweep:
    """A sweep and what the ledger holds of it. Made by :func:`sweep`."""

    spec: SweepSpec
    places: Places

    def trials(self) -> pl.DataFrame:
        """Every trial: its study, state, parameters and objectives (on validation data), runs and error."""
        rows: list[dict[str, Any]] = []
        for found in findings(self.spec, self.places):
            names = [objective.metric for objective in known_objectives(found.problem)]
            for one in found.observed:
                values = dict(zip(names, one.objectives))
                runs = {"runs": list(one.runs), "error": one.error}
                rows.append({"study": found.problem.title, "state": one.state, **one.settings, **values, **runs})
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)

    def best(self) -> dict[str, Any]:
        """The parameters of the best trial of the first study; raises :class:`UsageError` where none is complete."""
        from suite.sweep.standing import ranked

        for found in findings(self.spec, self.places):
            order = ranked(found.problem, found.observed)
            if order:
                return dict(order[0].settings)
        raise UsageError(f"no trial of sweep {self.spec.name} is complete; run it.")

    def figures(self) -> list[Figure]:
        """The first objective of each study against each of its parameters, as plotly figures."""
        from suite.sweep.figures import against

        made = []
        for found in findings(self.spec, self.places):
            complete = [one for one in found.observed if one.state == "complete"]
            metric = known_objectives(found.problem)[0].metric
            made += [
                against(found.problem, axis, complete, metric) for axis in found.problem.space.parameters if complete
            ]
        return made

    def page(self) -> Path:
        """Build its page, as ``suite sweep show`` does; returns the file."""
        page = build_page(self.spec, self.places)
        refresh_index(self.places)
        return page

    def _repr_html_(self) -> str:
        return f"<p>sweep {self.spec.name}</p>{self.trials()._repr_html_()}"


def sweep(
    what: str,
    dataset: str | None = None,
    *,
    over: str | Mapping[str, Any] = "",
    trials: int | None = None,
    hours: float | None = None,
    epochs: int | None = None,
    seeds: int | None = None,
    sampler: str | None = None,
    pruner: str | None = None,
    objective: str | None = None,
    jobs: int | None = None,
    keep: Keep = "none",
    log: Sequence[str] = (),
    run: bool = True,
    address: str | None = None,
    out: Folder = None,
    data: Folder = None,
    methods: Iterable[str | Path] = (),
    **params: Any,
) -> Sweep:
    """Search as ``suite sweep`` does: a sweep by name or TOML file, or a method on a ``dataset`` over axes.

    ``over`` is written as on the command line (``"q=0.1..1,lr=1e-5..1e-2:log"``), or as a mapping from name to a pair
    (low, high) or a list of values. ``params`` stay fixed. With ``run=False``, what the ledger holds of it.

    Raises:
        UsageError: what is asked for does not exist or does not go together.
        SuiteError: it was interrupted, or nothing can be recorded; the same call goes on.

    Example: ``suite.sweep("mask-bce", "planted-verbs", over={"tau": (0.05, 0.5)}, trials=20)``
    """
    trackers, places = require(log), places_of(out, data, methods)
    changes: dict[str, Any] = {
        "budget": _said(trials=trials, hours=hours, epochs=epochs),
        "params": {name: as_value(value) if isinstance(value, str) else value for name, value in params.items()},
        "objectives": [{"metric": objective}] if objective else None,
        **_said(seeds=seeds, sampler=sampler, pruner=pruner, concurrency=jobs),
    }
    changes = {name: value for name, value in changes.items() if value}
    axes = over if isinstance(over, str) else ",".join(f"{name}={_axis(value)}" for name, value in over.items())
    spec = asked(what, dataset, axes, changes)
    if run:
        ready(places)
        swept = run_sweep(spec, places, address, keep=keep, log=trackers)
        if swept.interrupted:
            raise SuiteError(f"sweep {spec.name} was interrupted; the same call goes on.")
    return Sweep(spec, places)


def _said(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _axis(value: Any) -> str:
    """``low..high`` of a pair, ``a/b/c`` of a list, words as they are."""
    if isinstance(value, tuple) and len(value) == 2:
        return f"{value[0]}..{value[1]}"
    return "/".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
