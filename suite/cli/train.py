"""``suite train``: one method on one dataset, with a live display and the numbers at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.complete import datasets, methods, presets
from suite.cli.console import (
    AddressOption,
    DataOption,
    JsonOption,
    MethodsOption,
    OutOption,
    complain,
    emit,
    emit_json,
    say,
)
from suite.errors import TrainingError, UsageError

NAMED = 5  # names in a message

if TYPE_CHECKING:
    from suite.method import Method
    from suite.places import Places
    from suite.results.ledger import Ledger
    from suite.results.schema import Outcome
    from suite.spec.run import RunSpec
    from suite.train.storage.reporter import Progress, Reporter
    from suite.work.preparation import Machine


PresetOption = Annotated[
    str | None,
    typer.Option(
        help="A named whole setting, short for --set preset=NAME: recommended (what we would run), published (the "
        "authors' own), literal (another reading of the paper). Default: the method's first, as `suite list methods` "
        "shows.",
        show_default=False,
        autocompletion=presets,
    ),
]


def train(
    method: Annotated[str, typer.Argument(help="Method name (`suite list methods`).", autocompletion=methods)],
    dataset: Annotated[
        str, typer.Argument(help="Dataset name, with dials: planted-verbs[snr=3].", autocompletion=datasets)
    ],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A hyper-parameter, name=value; may be repeated.")
    ] = None,
    preset: PresetOption = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.", min=0)] = 0,
    epochs: Annotated[
        int | None, typer.Option(help="Train this many epochs instead of the method's own.", min=1)
    ] = None,
    protocol: Annotated[str, typer.Option(help="Evaluation protocol of the dataset's card.")] = "default",
    workers: Annotated[int, typer.Option(help="Ray Train workers; 0 trains in this process.", min=0)] = 0,
    gpu: Annotated[bool, typer.Option("--gpu", help="Train on CUDA.")] = False,
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or float16 (mixed precision).")] = "float32",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 uses all cores.", min=0)] = 1,
    again: Annotated[bool, typer.Option("--again", help="Train even if the ledger has this run.")] = False,
    methods_files: MethodsOption = None,
    out: OutOption = "outputs",
    data: DataOption = None,
    address: AddressOption = None,
    json: JsonOption = False,
) -> None:
    """Train METHOD on DATASET, evaluate it and record the run.

    The run is named by everything that can change its numbers: the same request is answered from the ledger, and a
    training that was interrupted goes on where it stopped.

    Example: suite train mask-bce planted-verbs --set neighbours=10 --set tau=0.2 --seed 1
    """
    from suite.cli.pages import run_page
    from suite.environment import PLUGINS
    from suite.places import Places
    from suite.registry import method as find_method
    from suite.runs import resolve_run, run_id
    from suite.work.kept import ready
    from suite.work.preparation import Machine

    PLUGINS.add(methods_files or [])
    _check_gpu(gpu)
    places, machine = Places(out, data), Machine("cuda" if gpu else "cpu", threads, workers)
    given = _with_preset(parse_settings(settings or []), preset)
    asked = {"protocol": protocol, "seed": seed, "epochs": epochs, "precision": _precision(precision)}
    spec = resolve_run(method, dataset, given, root=places.root, **asked)
    ledger = ready(places)
    run = run_id(spec, places)
    if not json:
        _introduce(find_method(method), spec)
    with _alone(places, run):
        if again or run not in ledger.finished():
            _train(spec, places, ledger, machine, address, quiet=json)
        elif not json:
            say("the ledger holds this run already; --again trains it anew.")
    _show(ledger, run, find_method(method), spec, json)
    if not json:
        say(f"page: {run_page(ledger, places, run)}")


@contextmanager
def _alone(places: Places, run: str) -> Iterator[None]:
    """Hold the lease of ``run``; waits while another process holds it."""
    from suite.work.leases import forget, leased

    with leased(places, [run], waiting=lambda: complain(f"another process carries out run {run}; waiting for it.")):
        yield
        forget(places, run)


def _train(
    spec: RunSpec, places: Places, ledger: Ledger, machine: Machine, address: str | None, *, quiet: bool
) -> None:
    """Train, record and say what went wrong or is missing; raises :class:`TrainingError` for a failed run."""
    from suite.work.launch import launch
    from suite.work.notes import Noting, noting
    from suite.work.record import settle

    title = f"{spec.method} on {spec.dataset}"
    with display(title, quiet) as reporter, noting(places) as notes:
        outcome = launch(spec, places, Noting(notes, title, reporter), machine, address=address)
    settle(outcome, ledger, places)
    _raise_if_failed(outcome)
    _tell_missing(outcome)


def _introduce(method: type[Method], spec: RunSpec) -> None:
    from suite.presets import in_words, selection_note
    from suite.runs import cautions

    say(in_words(method, spec.params, spec.epochs))
    if note := selection_note(method, spec.params):
        say(f"{note}.")
    for caution in cautions(spec):
        complain(f"{caution}.")


def _precision(name: str) -> Any:
    if name not in ("float32", "bfloat16", "float16"):
        raise UsageError(f"--precision {name} is not known; use float32, bfloat16 or float16.")
    return name


def _check_gpu(gpu: bool) -> None:
    import torch

    if gpu and not torch.cuda.is_available():
        raise UsageError("--gpu was asked for, but torch sees no CUDA device; leave --gpu out or check the driver.")


def _raise_if_failed(outcome: Outcome) -> None:
    if outcome.run["status"] == "failed":
        raise TrainingError(f"run {outcome.run['run']} failed: {outcome.run['error']}")


def _tell_missing(outcome: Outcome) -> None:
    """Classes that no labelled sample of the split shows, in one sentence."""
    from suite.data.storage.cards import find_card

    prepared = outcome.extra.get("prepared")
    missing = prepared.data.facts.get("missing_classes", []) if prepared else []
    if prepared and missing:
        names = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
        remedy = "; stratified=true draws all classes" if "stratified" in find_card(prepared.spec.dataset).dials else ""
        complain(f"no labelled sample shows {names}: nothing could be learnt of them{remedy}.")


def parse_settings(settings: Iterable[str]) -> dict[str, str]:
    """``["q=0.5"]`` as ``{"q": "0.5"}``; raises :class:`UsageError` for anything else."""
    pairs = [setting.partition("=") for setting in settings]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise UsageError(f"--set {name} is not of the form name=value; write it so.")
    found: dict[str, str] = {}
    for name, _, value in pairs:
        if found.setdefault(name.strip(), value.strip()) != value.strip():
            raise UsageError(f"--set {name.strip()} is given twice, as {found[name.strip()]} and {value}; keep one.")
    return found


def _with_preset(settings: dict[str, str], preset: str | None) -> dict[str, str]:
    """``settings`` with what ``--preset`` says."""
    if preset is None:
        return settings
    if settings.get("preset", preset) != preset:
        raise UsageError(f"--preset {preset} contradicts --set preset={settings['preset']}; keep one of them.")
    return {**settings, "preset": preset}


@contextmanager
def display(title: str, quiet: bool) -> Iterator[Reporter]:
    """A reporter that draws a progress bar on standard error (nothing when ``quiet``)."""
    from suite.train.storage.reporter import Calling, Silent

    if quiet:
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    values = TextColumn("{task.fields[values]}")
    with Progress(*columns, values, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, values="")

        def draw(progress: Any) -> None:
            bar.update(task, completed=progress.done, total=progress.total, values=_headline(progress))

        yield Calling(draw)


def _headline(progress: Progress) -> str:
    shown = [(k, v) for k, v in progress.values.items() if not k.startswith("analysis")][:4]
    return "  ".join(f"{name} {value:.3f}" for name, value in shown)


def _show(ledger: Ledger, run: str, method: type[Method], spec: RunSpec, as_json: bool) -> None:
    import polars as pl

    from suite.presets import changes, preset_of, reported_selection
    from suite.results.marks import marks, sentences

    curves = ledger.curves([run])
    overall = ledger.metrics([run]).filter(pl.col("label") == "")
    rows = overall.sort("selection", "split", "metric")
    metrics = rows.select("selection", "split", "metric", "threshold", "value").to_dicts()
    if as_json:
        settings = {"preset": preset_of(method, spec.params), "changed": changes(method, spec.params)}
        noted = {"marks": marks(curves)["mark"].to_list(), "metrics": metrics}
        emit_json({"run": run, "ledger": ledger.folder, "method": method.name, **settings, **noted})
        return
    shown = {"validation", "last", reported_selection(method, spec.params)}
    chosen = [m for m in metrics if m["split"] == "test" and m["selection"] in shown]
    emit(
        chosen, ("selection", "metric", "threshold", "value"), False, title="on test data, by how the epoch was chosen"
    )
    for sentence in sentences(curves):
        complain(sentence)
    say(f"run {run} is in the ledger {ledger.folder}")
    say(f"see all of it: suite results show {run}")


def register(app: typer.Typer) -> None:
    """Add ``suite train``."""
    app.command()(train)
