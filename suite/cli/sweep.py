"""``suite sweep``: search hyper-parameters on one machine or a cluster, look at what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from suite.cli.complete import searchable, sweeps
from suite.cli.complete import settings as complete_settings
from suite.cli.console import (
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
    SingleFileOption,
    complain,
    emit,
    emit_json,
    say,
)
from suite.errors import TrainingError, UsageError

if TYPE_CHECKING:
    from suite.places import Places
    from suite.spec.sweep import SweepSpec
    from suite.sweep.search import Swept
    from suite.work.demand import Quota
    from suite.work.source import Watch

SweepArgument = Annotated[str, typer.Argument(help="Sweep name, or a TOML file.", autocompletion=sweeps)]
PiecesOption = Annotated[
    int | None, typer.Option(help="Pieces of a batch computed one by one, gradients added: less memory.", min=1)
]
OverOption = Annotated[
    str, typer.Option(help="Axes: q,beta (declared ranges), q=0.1..1, lr=1e-5..1e-2:log, neighbours=5/10.")
]


class RunByDefault(TyperGroup):
    """``suite sweep NAME`` runs a sweep; only the words of other commands are commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``run`` before anything that is not a command or a call for help."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["run", *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


def run(
    what: Annotated[
        list[str], typer.Argument(help="A sweep's name or TOML file; or METHOD DATASET.", autocompletion=searchable)
    ],
    over: OverOption = "",
    trials: Annotated[int | None, typer.Option(help="Trials of each study, those of before included.", min=1)] = None,
    hours: Annotated[float | None, typer.Option(help="Start no trial after this many hours.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each training.", min=1)] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds of each trial.", min=1)] = None,
    sampler: Annotated[
        str | None, typer.Option(help="tpe, gp, cmaes, random, qmc, grid, nsga2 or module:Class.")
    ] = None,
    pruner: Annotated[str | None, typer.Option(help="none, median, asha, wilcoxon or module:Class.")] = None,
    objective: Annotated[str | None, typer.Option(help="Metric to optimize on validation data.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A fixed parameter, name=value.", autocompletion=complete_settings)
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Trials at once; 0: as many as fit.", min=0)] = None,
    cpu: Annotated[float | None, typer.Option(help="CPU cores of a trial.")] = None,
    gpu: Annotated[float | None, typer.Option(help="GPUs of a trial; shares allowed.", min=0)] = None,
    workers: Annotated[int | None, typer.Option(help="Ray Train workers of a trial; 0: none.", min=0)] = None,
    accumulate: PiecesOption = None,
    packed: Annotated[int | None, typer.Option(help="Configurations trained as one; 0: never.", min=0)] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="At the end, write TensorBoard files of all trials.")
    ] = False,
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
    """Search the space of a sweep; what the ledger holds is not run again.

    Safe to stop at any moment and to start again. Examples:

    suite sweep neighbours

    suite sweep mask-bce planted-verbs --over neighbours=3..30,tau=0.05..0.5 --trials 40
    """
    changes = _changes(
        budget={"trials": trials, "hours": hours, "epochs": epochs},
        resources={"cpu": cpu, "gpu": gpu, "workers": workers, "accumulate": accumulate},
        seeds=seeds,
        sampler=sampler,
        pruner=pruner,
        objectives=[{"metric": objective}] if objective else None,
        params=_fixed(settings or []),
        concurrency=jobs,
        packed=packed,
    )
    spec, places = _asked(what, over, changes, out, data, methods_files)
    from suite.work.demand import Quota

    swept = _search(spec, places, address, Quota(max_cpus, max_gpus), keep, log or [], quiet=json)
    _conclude(spec, swept, places, tensorboard, json)


def _search(
    spec: SweepSpec, places: Places, address: str | None, limits: Quota, keep: Keep, log: list[str], *, quiet: bool
) -> Swept:
    from suite.sweep.search import run_sweep
    from suite.tracking.watching import require
    from suite.work.kept import ready

    trackers = require(log)
    ready(places)
    with watching(spec, quiet) as watch:
        return run_sweep(spec, places, address, watch, limits, keep=keep.value, log=trackers)


def show(
    name: SweepArgument,
    single_file: SingleFileOption = False,
    methods_files: MethodsOption = None,
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what sweep NAME has found: counts, the best trials, failures; and build its page.

    Example: suite sweep show neighbours
    """
    from suite.sweep.standing import standing
    from suite.sweep.tuned import findings

    spec, places = _known(name, out, data, methods_files)
    found = findings(spec, places)
    states = [standing(f.problem, [one for one in f.observed if one.state != "partial"], 0) for f in found]
    page = _page(spec, places, single_file) if any(sum(s["counts"].values()) for s in states) else None
    if json:
        emit_json({"name": spec.name, "studies": states, "page": page})
        return
    for state in states:
        _emit_best(state)
    say(f"page: {page}" if page else f"nothing has been run yet: suite sweep {name}")


def dashboard(
    name: SweepArgument,
    export_only: Annotated[bool, typer.Option("--export-only", help="Write the storage, open nothing.")] = False,
    port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8080,
    methods_files: MethodsOption = None,
    out: OutOption = "outputs",
    data: DataOption = None,
) -> None:
    """Export sweep NAME to an Optuna storage and open optuna-dashboard on it.

    Example: suite sweep dashboard neighbours --port 8081
    """
    import subprocess
    import sys
    from shutil import which

    from suite.sweep.exports import export_optuna

    spec, places = _known(name, out, data, methods_files)
    file = export_optuna(spec, places)
    say(f"Optuna storage: sqlite:///{file}")
    if export_only:
        return
    program = which("optuna-dashboard", path=str(Path(sys.executable).parent)) or which("optuna-dashboard")
    if program is None:
        raise UsageError("optuna-dashboard is not installed; install weak-action-suite[dashboard].")
    subprocess.run([program, f"sqlite:///{file}", "--port", str(port)], check=False)


def show_plan(name: str, jobs: int, out: str, data: str | None, methods_files: list[str] | None, json: bool) -> None:
    """``suite plan sweep NAME``: what is left of a sweep and what it will cost."""
    import os
    from dataclasses import asdict

    from suite.sweep.planning import cost, plan_sweep

    spec, places = _known(name, out, data, methods_files)
    plans = plan_sweep(spec, places)
    at_once = jobs or spec.concurrency or os.cpu_count() or 1
    total = cost(spec, plans, at_once)
    if json:
        rows = [{**asdict(plan), "seconds": plan.seconds} for plan in plans]
        emit_json({"name": spec.name, "studies": rows, "at_once": at_once, **total})
        return
    rows = [
        {"study": p.title, "planned": int(p.planned), "done": p.done, "left": int(p.left), "runs left": int(p.runs)}
        for p in plans
    ]
    emit(rows, ("study", "planned", "done", "left", "runs left"), False)
    say(_cost_in_words(total, at_once))


def _cost_in_words(total: dict[str, Any], at_once: int) -> str:
    if not total["trials left"]:
        return "nothing is left to run."
    if total["CPU hours"] is None:
        return "the ledger has no timing of such runs yet; run a few trials first."
    hours = f"{total['CPU hours']:.2g} CPU hours, {total['GPU hours']:.2g} GPU hours"
    return f"{hours}; done in about {total['wall hours']:.2g} h with {at_once} at once, by the ledger's own timings."


def _asked(
    what: list[str], over: str, changes: dict[str, Any], out: str, data: str | None, methods_files: list[str] | None
) -> tuple[SweepSpec, Places]:
    from suite.environment import PLUGINS
    from suite.places import Places
    from suite.sweep.files import asked

    PLUGINS.add(methods_files or [])
    places = Places(out, data)
    if len(what) > 2:
        raise UsageError(f"'{' '.join(what)}' is too much; give a sweep's name, a TOML file, or METHOD DATASET.")
    return asked(what[0], what[1] if len(what) == 2 else None, over, changes), places


def _known(name: str, out: str, data: str | None, methods_files: list[str] | None) -> tuple[SweepSpec, Places]:
    from suite.environment import PLUGINS
    from suite.places import Places
    from suite.sweep.files import known_sweep

    PLUGINS.add(methods_files or [])
    places = Places(out, data)
    return known_sweep(name, places), places


def _changes(**given: Any) -> dict[str, Any]:
    """What the command line says, without what it leaves out."""
    inner = {
        name: {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        for name, value in given.items()
    }
    return {name: value for name, value in inner.items() if value is not None and value != {}}


def _fixed(settings: Iterable[str]) -> dict[str, Any]:
    from suite.cli.train import parse_settings
    from suite.spec.sweep import as_value

    return {name: as_value(value) for name, value in parse_settings(settings).items()}


# Display --------------------------------------------------------------------------------------------------------------


@contextmanager
def watching(spec: SweepSpec, quiet: bool) -> Iterator[Watch | None]:
    """What shows the snapshots of a sweep: where it stands, and the best trials (nothing when ``quiet``)."""
    from suite.cli.progress import display
    from suite.cli.sweep_table import studies_table
    from suite.sweep.standing import overall

    with display(f"sweep {spec.name}", quiet) as shown:
        if shown is None:
            yield None
            return
        yield lambda snapshot: shown.show(overall(spec, snapshot), studies_table(snapshot))


def _page(spec: SweepSpec, places: Places, single: bool = False) -> str:
    from suite.api.pages import refresh_index
    from suite.sweep.report import build_page

    page = build_page(spec, places, single)
    refresh_index(places)
    return str(page)


def _conclude(spec: SweepSpec, swept: Swept, places: Places, tensorboard: bool, as_json: bool) -> None:
    if tensorboard:
        from suite.sweep.exports import export_tensorboard

        say(f"TensorBoard: {export_tensorboard(spec, places)}")
    studies = swept.snapshot["studies"]
    if swept.interrupted:
        done = sum(sum(study["counts"].values()) for study in studies)
        complain(f"sweep {spec.name} interrupted: {done} trials are done, {len(swept.snapshot['open'])} abandoned.")
        for line in swept.snapshot["open"]:
            complain(f"abandoned  {line} (taken up first next time)")
        raise KeyboardInterrupt
    page = _page(spec, places)
    if as_json:
        emit_json({"name": spec.name, "studies": studies, "seconds": swept.snapshot["seconds"], "page": page})
    else:
        for study in studies:
            _emit_best(study)
        say(f"{swept.snapshot['new']} trials done now in {swept.snapshot['seconds']:.0f} s; page: {page}")
    failed = [error for study in studies for error in study["errors"]]
    if studies and not any(study["counts"]["complete"] for study in studies) and failed:
        raise TrainingError(f"every trial of sweep {spec.name} failed, the last with: {failed[-1]['error']}")


def _emit_best(study: dict[str, Any]) -> None:
    from suite.sweep.standing import in_words

    counts = ", ".join(f"{count} {state}" for state, count in study["counts"].items() if count)
    names = list(dict.fromkeys(name for row in study["best"] for name in row["values"]))
    rows = [{**dict(zip(study["objectives"], row["objectives"])), **row["values"]} for row in study["best"][:5]]
    say(f"{study['title']}: {counts or 'nothing yet'}")
    if rows:
        emit(rows, [*study["objectives"], *names], False)
    for error in study["errors"][-3:]:
        say(f"failed: {in_words(error['values'])}: {error['error']}")


def register(app: typer.Typer) -> None:
    """Add ``suite sweep``."""
    group = typer.Typer(
        cls=RunByDefault,
        no_args_is_help=True,
        help="Search hyper-parameters: suite sweep NAME, or METHOD DATASET --over …",
    )
    group.command("run")(run)
    group.command("show")(show)
    group.command("dashboard")(dashboard)
    app.add_typer(group, name="sweep")
