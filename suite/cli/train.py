"""``suite train``: one method on one dataset, with a live display and the numbers at the end."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.complete import datasets, methods, precisions, presets, protocols
from suite.cli.complete import settings as complete_settings
from suite.cli.console import (
    AccumulateOption,
    AddressOption,
    DataOption,
    JsonOption,
    Keep,
    KeepOption,
    LogOption,
    MethodsOption,
    OutOption,
    complain,
    say,
)
from suite.cli.course import display
from suite.cli.trained import show, suggest
from suite.errors import UsageError

NAMED = 5  # names in a message

if TYPE_CHECKING:
    from suite.method import Method
    from suite.places import Places
    from suite.results.schema import Outcome
    from suite.spec.run import RunSpec
    from suite.work.machine import Machine


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
        list[str] | None,
        typer.Option("--set", help="A hyper-parameter, name=value; may be repeated.", autocompletion=complete_settings),
    ] = None,
    preset: PresetOption = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.", min=0)] = 0,
    epochs: Annotated[
        int | None, typer.Option(help="Train this many epochs instead of the method's own.", min=1)
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="Evaluation protocol of the dataset's card.", autocompletion=protocols)
    ] = "default",
    workers: Annotated[int, typer.Option(help="Ray Train workers; 0 trains in this process.", min=0)] = 0,
    accumulate: AccumulateOption = 1,
    gpu: Annotated[bool, typer.Option("--gpu", help="Train on CUDA.")] = False,
    precision: Annotated[
        str, typer.Option(help="float32, bfloat16 or float16 (mixed precision).", autocompletion=precisions)
    ] = "float32",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 uses all cores.", min=0)] = 1,
    again: Annotated[bool, typer.Option("--again", help="Train even if the ledger has this run.")] = False,
    keep: KeepOption = Keep.selected,
    log: LogOption = None,
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
    from suite.environment import PLUGINS
    from suite.models.folder import models_folder
    from suite.places import Places
    from suite.runs import resolve_run
    from suite.tracking.watching import require
    from suite.work.machine import Machine
    from suite.work.preparation import require_device

    PLUGINS.add(methods_files or [])
    trackers = require(log or [])
    device = "cuda" if gpu else "cpu"
    machine = Machine(device, threads, workers, keep=keep.value, log=trackers, accumulate=accumulate)
    require_device(device)
    places, given = Places(out, data), _with_preset(parse_settings(settings or []), preset)
    asked = {"protocol": protocol, "seed": seed, "epochs": epochs, "precision": _precision(precision)}
    spec = resolve_run(method, dataset, given, root=places.root, models=models_folder(places), **asked)
    _carry_out(spec, places, machine, again=again, address=address, json=json)


def _carry_out(
    spec: RunSpec, places: Places, machine: Machine, *, again: bool, address: str | None, json: bool
) -> None:
    """Train what the ledger does not answer, and show what came out."""
    from suite.cli.pages import run_page
    from suite.registry import method as find_method
    from suite.tasks import task
    from suite.work.once import run_once

    places.require_writable()
    chosen = find_method(spec.method)
    if not json:
        _introduce(chosen, spec)
    reporting = partial(display, task(chosen.task).headline, json)

    def waiting(run: str) -> None:
        complain(f"another process carries out run {run}; waiting for it.")

    once = run_once(spec, places, machine, reporting, again=again, address=address, waiting=waiting)
    if once.outcome is not None:
        _tell_missing(once.outcome)
    elif not json:
        say(_already(once.run, places, machine))
    show(once.ledger, once.run, chosen, spec, places, json)
    if not json:
        say(f"page: {run_page(once.ledger, places, once.run)}")
        suggest(once.run, chosen, spec, places)


def _already(run: str, places: Places, machine: Machine) -> str:
    """What is said of a run that the ledger holds."""
    from suite.models.folder import kept_models

    if machine.keep != "none" and run not in kept_models(places):
        return "the ledger holds this run already, without its weights; --again trains it anew and keeps them."
    return "the ledger holds this run already; --again trains it anew."


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


def register(app: typer.Typer) -> None:
    """Add ``suite train``."""
    app.command()(train)
